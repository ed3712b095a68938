#!/usr/bin/env bash
# A program without the libraries it can do without compiles without a warning and links with none of them; it trains, reads
# tables, and refuses by the library's name what it cannot do, before any work is done. Of the build's objects those are made anew
# that know of these libraries.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 100 32
whole=$dtrain
mkdir bin

"$python" - "$source" "$build" >"$out" 2>"$err" <<'PYTHON' || give_up "the program without libraries: $(tail -n 5 "$err")"
import glob, json, os, re, shlex, subprocess, sys

source, build = sys.argv[1:]
commands = {os.path.basename(c["output"]): shlex.split(c["command"]) for c in json.load(open(f"{build}/compile_commands.json"))
            if "libdtrain_core.a.p/" in c["output"]}
made = [path for path in glob.glob(f"{source}/src/*/*_absent.c") if "onnx" not in path] + [f"{source}/src/use/export.c"]
made += [path for path in glob.glob(f"{source}/src/*/*.c") if path not in made and not re.search("_absent|use/export_", path)
         and re.search("DT_(HAVE|LACKS)_", open(path).read())]


def start(path, made_of):
    """The compiler at work on `path`, as the build has it but for what it has of libraries."""
    command, at = commands[made_of], 0
    words = []
    while at < len(command):
        if command[at] in ("-o", "-c", "-MF", "-MQ"):
            at += 1
        elif command[at] != "-MD" and not command[at].startswith("-DDT_HAVE_"):
            words.append(command[at])
        at += 1
    return subprocess.Popen([*words, "-Werror", "-o", os.path.abspath(os.path.basename(path) + ".o"), "-c", path], cwd=build)


jobs = [start(path, "use_export.c.o" if "/use/" in path else "data_import.c.o") for path in made]
if any([job.wait() for job in jobs]):
    sys.exit("it does not compile")
said = subprocess.run(["ninja", "-C", build, "-t", "commands", "src/dtrain"], capture_output=True, text=True, check=True).stdout
link = [word for word in shlex.split(said.splitlines()[-1]) if not re.search(r"lib(jansson|zip|png16|jpeg|protobuf-c)\.|^-l(jansson|zip|png16|jpeg|protobuf-c)$", word)]
at = link.index("-o")
link[at + 1] = os.path.abspath("bin/dtrain")
subprocess.run(link[: at + 2] + [os.path.abspath(os.path.basename(path) + ".o") for path in made] + link[at + 2 :], cwd=build, check=True)
print(len(made), "sources")
PYTHON
pass "it is built: $(tail -n 1 "$out")"
dtrain=$work/bin/dtrain
if ldd "$dtrain" | grep -E 'jansson|libzip|png|jpeg|protobuf'; then fail "libraries that it should not need (above)"; fi

# What needs none of them is as ever.
printf '%s\n' size,colour,kind 1,red,ant 2,blue,bee 3,red,ant 4,blue,bee >t.csv
"$python" -c 'import numpy; numpy.save("x.npy", numpy.ones((4, 2))); numpy.savez("x.npz", x=numpy.ones((4, 2)))'
run 1 import csv t.csv t.h5 --target kind
expect_code 0 "a table"
run 1 import npy x.npy x.h5
expect_code 0 "an array"
run 2 train --run run --set data.file=small.h5 --set train.steps=4
expect_code 0 "training"
digest=$(last_value digest)
run 2 eval run --data small.h5
expect_code 0 "an evaluation"
(dtrain=$whole run 2 train --run same --set data.file=small.h5 --set train.steps=4)
[[ $digest && $digest == "$(last_value digest)" ]] || fail "another digest: $digest"

# What needs one says which, and leaves nothing.
needs() { # needs CODE LIBRARY ARGUMENT…
    local want=$1 library=$2
    shift 2
    run 1 "$@"
    expect_bad "$want" "this dtrain was built without $library \\(" "$*"
    [[ ! -e new && ! -e new.h5 ]] || fail "$*: left a file"
}
for format in safetensors npz pytorch onnx gpt2; do needs 2 jansson export run --to $format new; done
needs 2 jansson export run --to keras new.h5
needs 2 jansson export run --to keras new.keras
needs 2 jansson eval run --data small.h5 --json new
needs 2 libzip import npz x.npz new.h5
PYTHONPATH=$source/tests/support "$python" -B - <<'PYTHON'
import numpy, os
from pictures import JPEGS, png

for kind, data in ("png", png(numpy.zeros((3, 3, 1), int), 0)), ("jpeg", JPEGS["rgb"]):
    os.makedirs(f"{kind}/a"), open(f"{kind}/a/1.{kind}", "wb").write(data)
PYTHON
needs 1 libpng import images png new.h5
needs 1 libjpeg import images jpeg new.h5
DTRAIN=$whole dtrain=$whole run 1 export run --to safetensors run.safetensors
needs 1 jansson import weights run.safetensors --into run/recipe.yaml
needs 1 libzip import weights x.npz --into run/recipe.yaml
for command in export import; do
    "$dtrain" $command --help | grep -q 'not in this build, which lacks' || fail "$command --help does not say what is not there"
done
finish
