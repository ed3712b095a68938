#!/usr/bin/env bash
# clang-tidy (.clang-tidy says which checks) on every source the build compiles, once each, and not again while it, what
# it includes and the checks are the same: the build's tidy.passed has a hash of each that had no findings.
. "$(dirname "$0")/../support/lib.sh"

clang_tool clang-tidy
runner=run-$tool
command -v "$runner" >/dev/null || runner=$runner.py
[[ -f $build/compile_commands.json ]] || give_up "no $build/compile_commands.json; build first"
# The build's commands, one a source, in words clang knows. analyzer.h tells of status.c and comm.c, so not to them.
touch "$build/tidy.passed"
"$tool" --version >version
python3 - "$build/compile_commands.json" "$source" "$build/tidy.passed" >compile_commands.json <<'END' || give_up "no source of ours in there"
import concurrent.futures, hashlib, json, os, re, shlex, subprocess, sys

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
checks = open("version", "rb").read() + open(f"{top}/.clang-tidy", "rb").read()


def hash_of(entry):
    words = shlex.split(entry["command"])
    words = [word for i, word in enumerate(words) if not word.startswith("-M") and not {"-o", "-MF", "-MQ"} & {word, words[i - 1]}]
    text = subprocess.run(words + ["-E", "-C"], cwd=entry["directory"], capture_output=True, check=True).stdout
    return hashlib.sha256(checks + " ".join(words).encode() + text).hexdigest()


passed = set(open(sys.argv[3]).read().split())
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    hashes = dict(zip(commands, pool.map(hash_of, commands.values())))
open("hashes", "w").writelines(f"{value}\n" for value in hashes.values())
left = [entry for path, entry in commands.items() if hashes[path] not in passed]
print(f"{len(left)} of {len(commands)} sources are new", file=sys.stderr)
json.dump(left, sys.stdout, indent=1)
END
if "$runner" -quiet -p . -j "$(env -u OMP_NUM_THREADS nproc)" >log 2>&1; then
    mv hashes "$build/tidy.passed"
else
    grep -aE '(error|warning): ' log | sed 's/\x1b\[[0-9;]*m//g' | sort -u
    fail "clang-tidy has findings"
fi
finish
