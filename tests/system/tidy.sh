#!/usr/bin/env bash
# clang-tidy (.clang-tidy says which checks) on every source the build compiles, once each.
. "$(dirname "$0")/../support/lib.sh"

[[ -f $build/compile_commands.json ]] || give_up "no $build/compile_commands.json; build first"
# The build's commands, one a source, in words clang knows. analyzer.h tells of status.c and comm.c, so not to them.
python3 - "$build/compile_commands.json" "$source" >compile_commands.json <<'END' || give_up "no source of ours in there"
import json, os, re, sys

top = os.path.realpath(sys.argv[2])
commands = {}
for entry in json.load(open(sys.argv[1], encoding="utf-8")):
    path = os.path.realpath(os.path.join(entry["directory"], entry["file"]))
    if not path.startswith((f"{top}/src/", f"{top}/tests/")) or path in commands:
        continue
    command = entry["command"].replace(" -fno-tree-pre", "").replace(" -fno-thread-jumps", "")
    if not re.search(r"/(base/status|comm/comm)\.c$", path):
        command = re.sub(r" -o ", f" -I{top}/src -include {top}/tests/support/analyzer.h -o ", command, count=1)
    commands[path] = {"directory": entry["directory"], "file": path, "command": command}
assert commands
json.dump(list(commands.values()), sys.stdout, indent=1)
END
if ! run-clang-tidy-14 -quiet -p . -j "$(env -u OMP_NUM_THREADS nproc)" >log 2>&1; then
    grep -aE '(error|warning): ' log | sed 's/\x1b\[[0-9;]*m//g' | sort -u
    fail "clang-tidy has findings"
fi
finish
