#!/usr/bin/env bash
# The examples in the help of commands that work with trained models, pasted where a user would be: with runs and files of
# these names. (Those of importing are in init.sh.)
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 200 64
mkdir bin
ln -s "$dtrain" bin/dtrain
PATH=$PWD/bin:$PATH

for name in fashion-mlp north south; do
    run 1 train --run runs/$name --set data.file=small.h5 --set train.steps=6 --set seed=${#name}
    expect_code 0 "a run called $name"
done
cp runs/north/checkpoints/*.h5 tuned.h5
cp runs/south/checkpoints/*.h5 base.h5
run 1 export runs/north --to safetensors plain.safetensors
"$python" - <<'END'
import json, struct
data = open("plain.safetensors", "rb").read()
size = struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8:8 + size])
header.pop("__metadata__")
named = {"encoder." + name.replace("/w", ".weight").replace("/b", ".bias"): a for name, a in header.items()}
for a in named.values(): a["shape"] = a["shape"][::-1]
text = json.dumps(named).encode()
open("model.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + data[8 + size:])
END
cp "$source/launch/recipes/fashion-mlp.yaml" recipe.yaml
sed -i 's|data/fashion-mnist.h5|small.h5|; s|name: fashion-mlp|name: begun|' recipe.yaml

# examples WORD…: the lines of a command's help that begin with the program or its launcher
examples() { "$dtrain" "$@" --help | grep -E '^ +(mpirun -n [0-9]+ )?dtrain '; }

# shellcheck disable=SC2086  # a command may be two words
for command in predict eval merge "import weights" export report; do
    count=0
    while read -r line; do
        count=$((count + 1))
        line=${line/mpirun -n 4/$source\/launch\/local.sh -n 4}
        line=${line/local.sh -n 4 dtrain/local.sh -n 4}
        DTRAIN=$dtrain timeout -k 2 "$limit" bash -c "$line" >"$out" 2>"$err" </dev/null
        code=$?
        expect_code 0 "$line"
    done < <(examples $command)
    if ((count == 0)); then fail "dtrain $command --help has no example"; fi
done

# and the README's ten lines of Python that read a checkpoint
mkdir data
cp small.h5 data/fashion-mnist.h5
awk '/^### A checkpoint in ten lines/ {here = 1} /^```$/ {if (on) exit} on {print} here && /^```python/ {on = 1}' "$source/README.md" >ten.py
run 1 eval runs/fashion-mlp
accuracy=$(last_value accuracy)
"$python" ten.py >"$out" 2>"$err"
code=$?
expect_code 0 "a checkpoint is read by h5py alone"
if [[ $(awk '{printf "%.4f", $2}' "$out") == "$accuracy"* ]]; then
    pass "and as many are right: $accuracy"
else
    fail "$(cat "$out"), but eval says $accuracy" && show "$err"
fi
finish
