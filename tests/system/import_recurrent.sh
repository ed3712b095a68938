#!/usr/bin/env bash
# Recurrent layers of PyTorch and Keras are imported by their names, with both biases, and give what they give there
# (tests/golden/recurrent_weights.py); what is another cell is refused, and leaves nothing behind.
. "$(dirname "$0")/../support/lib.sh"

"$python" - "$source/tests/golden/recurrent_weights.json" <<'END' || give_up "no data"
import h5py, json, numpy as np, sys

golden = json.load(open(sys.argv[1]))
x = np.array(golden["x"], "f4")
with h5py.File("series.h5", "w") as file:
    for part in "train", "test":
        file[part + "/x"], file[part + "/y"] = x, np.zeros((6, 4), "f4")
w, b = np.eye(4, dtype="f4"), np.zeros(4, "f4")
for name, case in golden["cases"].items():
    arrays = {key: np.array(value, "f4") for key, value in case["weights"].items()}
    np.save(f"{name}.y.npy", np.array(case["y"]))
    if name != "keras":
        np.savez(f"{name}.npz", **{f"cell.{key}": value for key, value in arrays.items()}, **{"out.weight": w, "out.bias": b})
        continue
    for variant in "whole", "before":
        with h5py.File(f"keras-{variant}.h5", "w") as file:
            for key, value in arrays.items():
                file[f"model_weights/cell/cell/gru_cell/{key}:0"] = value[0] if (variant, key) == ("before", "bias") else value
            file["model_weights/out/out/kernel:0"], file["model_weights/out/out/bias:0"] = w, b
weights = golden["cases"]["GRU"]["weights"]
np.savez("renamed.npz", **{f"encoder.rnn.{key}": np.array(value, "f4") for key, value in weights.items()}, **{"out.weight": w, "out.bias": b})
END

# recipe NAME CELL
recipe() {
    cat >"$1.yaml" <<END
name: $1
run: run-$1
data: {file: series.h5}
model:
  loss: mean_squared_error
  layers: [$2, dense: {out: 4, name: out}]
train: {batch: 6, steps: 1, shards: 2}
END
}
recipe gru 'gru: {units: 4, layers: 2, last: true, name: cell}'
recipe gru1 'gru: {units: 4, last: true, name: cell}'
recipe lstm 'lstm: {units: 4, last: true, name: cell}'
recipe rnn 'simple_rnn: {units: 4, last: true, name: cell}'

# imported FILE RECIPE GOLDEN RANKS [OPTION…]
imported() {
    rm -rf "run-$2"
    run "$4" import weights "$1" --into "$2.yaml" "${@:5}"
    expect_code 0 "$1 into $2"
    if grep -E '^(not in the file|left in the file)' "$out" >wrong; then fail "$1 has no place for all arrays: $(cat wrong)" && show "$out"; fi
    run 2 predict "run-$2" -o outputs.npy
    "$python" -c "
import numpy as np, sys
got, want = np.load('outputs.npy'), np.load('$3.y.npy')
print(abs(got - want).max())
sys.exit(int(not abs(got - want).max() < 2e-6 or abs(want).max() < 0.1))" >"$out"
    code=$?
    expect_code 0 "$1 gives what it gives there"
}
imported GRU.npz gru GRU 1
imported LSTM.npz lstm LSTM 2
imported RNN.npz rnn RNN 1
imported keras-whole.h5 gru1 keras 2
imported renamed.npz gru GRU 2 --map 'encoder.rnn.*=cell.*'

# What is another cell, or fits nothing, is refused by name, and no run directory is left.
rm -rf run-gru1 run-gru
nothing_left() { if [[ -e $1 ]]; then fail "a refused import leaves $(find "$1" | head -n 3 | tr '\n' ' ')"; else pass "it leaves nothing"; fi; }
run 2 import weights keras-before.h5 --into gru1.yaml
expect_bad 1 'keras-before.h5: .*cell/gru_cell/bias:0 has one bias, so its GRU was made with reset_after false' "a GRU that resets before"
nothing_left run-gru1
run 1 import weights LSTM.npz --into gru.yaml --only 'cell/*'
expect_bad 1 "LSTM.npz: none of its 6 arrays is a tensor of the model" "weights of an LSTM for a GRU"
nothing_left run-gru
run 1 import weights nowhere.npz --into gru.yaml
expect_bad 1 "nowhere.npz" "no file"
nothing_left run-gru
mkdir run-gru
run 2 import weights nowhere.npz --into gru.yaml
expect_bad 1 "nowhere.npz" "no file, and a directory that is there"
if [[ $(find run-gru) == run-gru ]]; then pass "it stays, empty"; else fail "left: $(find run-gru)"; fi
run 2 import weights GRU.npz --into gru.yaml
expect_code 0 "weights that fit"
find run-gru -type f -exec md5sum {} + | sort >before
run 1 import weights nowhere.npz --into gru.yaml
expect_bad 1 "run-gru" "into a run that is there"
find run-gru -type f -exec md5sum {} + | sort >after
if cmp -s before after; then pass "it stays as it was"; else fail "a run is another" && diff before after; fi
finish
