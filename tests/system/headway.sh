#!/usr/bin/env bash
# Long work says how far it is: in few lines of a log, in a line of a terminal that goes away, and never in a result.
. "$(dirname "$0")/../support/lib.sh"
need_data
export DTRAIN_HEADWAY_SECONDS=0

# tells WHAT NAME: standard error has some lines of this work, and few; their shares grow
tells() {
    if "$python" - "$err" "$1" >said <<'END'; then
import re, sys

shares = []
for line in open(sys.argv[1], errors="surrogateescape"):
    found = re.fullmatch(r"dtrain: (.*): (\d+) % of (\d+) [a-z]+, \d+:\d\d:\d\d left", line.rstrip("\n"))
    if found and re.fullmatch(sys.argv[2], found[1]):
        shares.append(int(found[2]))
print(len(shares), "lines", *shares[:8])
times = 1 + sum(b < a for a, b in zip(shares, shares[1:]))  # a work may be done twice
sys.exit(not (0 < len(shares) <= 40 * times and times <= 4 and max(shares) <= 100))
END
        pass "$2: $(cat said)"
    else
        fail "$2: $(cat said)" && show "$err"
    fi
}
printf 'size,kind\n' >$'t\x1b[31m.csv'
for i in {1..300}; do echo "$i,ant"; done >>$'t\x1b[31m.csv'
run 1 import csv $'t\x1b[31m.csv' t.h5 --target size --category kind
expect_code 0 "a table"
tells 'reading t\\x1b\[31m.csv' "reading a table"
if grep -q ' left$' "$out"; then fail "standard output has more than the result" && show "$out"; fi
for i in {1..2000}; do echo "a line of text, number $i"; done >text.txt
run 1 import text text.txt text.h5 --tokens char
tells 'reading text.txt' "reading a text"
"$python" -c 'import numpy; numpy.save("x.npy", numpy.ones((3000, 5))); numpy.save("turned.npy", numpy.asfortranarray(numpy.ones((3000, 5))))'
for name in x turned; do
    run 1 import npy $name.npy $name.h5
    expect_code 0 "an array"
done
run 1 import idx "$idx"/{train-images-idx3,train-labels-idx1,t10k-images-idx3,t10k-labels-idx1}-ubyte.gz again.h5
tells 'importing /train/x' "importing arrays"

"$python" - "$data" <<'END'
import h5py, sys

with h5py.File(sys.argv[1]) as whole, h5py.File("packed.h5", "w") as packed:
    for split, samples in (("train", 4000), ("test", 3000)):
        for part in "xy":
            packed.create_dataset(f"{split}/{part}", data=whole[f"{split}/{part}"][:samples], chunks=True, compression="gzip")
END
run 2 train --run packed --set data.file=packed.h5 --set train.steps=4
expect_code 0 "a run on packed data"
tells 'unpacking /train/x of packed.h5' "unpacking"
tells 'evaluating /test/x' "an evaluation of a run"
DTRAIN_HEADWAY_SECONDS=60 run 2 eval packed
cp "$out" wanted
if [[ -s $err ]]; then fail "short work says something" && show "$err"; fi
run 2 eval packed
tells 'evaluating /test/x' "an evaluation"
if cmp -s wanted "$out"; then pass "and what it prints is the same"; else fail "its output is another" && show "$out"; fi
run 2 predict packed -o predictions.npy --batch 50
tells 'predicting /test/x' "a prediction"

# What goes over checkpoints.
kept='packed/checkpoints/step-[0-9]*.h5'
run 1 verify packed
tells "verifying $kept" "verifying"
for format in npz onnx keras pytorch safetensors; do
    run 1 export packed --to $format "packed.$format"
    if grep -q 'built without' "$err"; then lacks "export --to $format: not in this build" && continue; fi
    tells "reading $kept" "an export"
    tells "writing packed.$format.*" "what it writes as $format"
done
run 1 merge packed packed -o merged.h5
tells 'writing .*merged.*' "a merged checkpoint"
run 2 import weights packed.safetensors --into packed/recipe.yaml --run given --set data.file=packed.h5
tells 'reading weights of packed.safetensors' "an import of weights"
run 1 audit packed --share 100% --checkpoints
tells 'computing packed again' "an audit"

# On a terminal the line goes before anything else is said.
script -qec "$dtrain import text text.txt text.h5 --tokens byte" /dev/null >"$out" 2>"$err" </dev/null
expect_in "$out" $'\r\x1b\\[Kreading text.txt: [0-9]+ % of [0-9]+ bytes, [0-9:]+ left' "a live line"
expect_in "$out" $'^(.*\x1b\\[K)?text.h5: written' "which is gone before the result"
script -qec "$dtrain import text text.txt text.h5 --tokens byte | cat >piped" /dev/null >"$out" 2>"$err" </dev/null
expect_in "$out" $'\r\x1b\\[Kreading text.txt' "it is where errors go when the output is piped"
if [[ $(cat piped) == "text.h5: written" ]]; then pass "which has the result alone"; else fail "the output has more" && show piped; fi
finish
