#!/usr/bin/env bash
# The default recipe on real pictures, from import to export of its figures: what a first user does.
. "$(dirname "$0")/../support/lib.sh"
need_data

number='[0-9]+(\.[0-9]+)?'
keys="run=runs/fashion-mlp step=9375 epoch=5 train_loss=$number test_loss=$number test_accuracy=0\.[0-9]+"
keys+=" ended=epochs samples_per_s=$number seconds=$number ranks=2 shards=[0-9]+ digest=[0-9a-f]{16}"

# peak_memory FILE: keeps the largest VmHWM of the run's first rank, in kB, in FILE
peak_memory() {
    local pid
    while sleep 0.1; do
        pid=$(rank_pid 0) && awk '/^VmHWM:/ {print $2}' "/proc/$pid/status" 2>/dev/null >now && [[ -s now ]] && mv now "$1"
    done
}
peak_memory peak &

run 2 train --set "data.file=$data"
kill $!
expect_code 0 "training"
expect_last "done $keys" "the last line has every key"
expect_in "$out" '^epoch 5/5 step 9375 ' "a line an epoch"
if LC_ALL=C grep -q $'[\x01-\x09\x0b-\x1f\x7f]' "$out"; then fail "control characters"; else pass "no control characters"; fi
[[ ! -s $err ]] || { fail "warnings" && show "$err"; }
digest=$(last_value digest)
accuracy=$(last_value test_accuracy)
if awk "BEGIN {exit !($accuracy >= 0.865)}"; then pass "accuracy $accuracy"; else fail "accuracy $accuracy < 0.865"; fi
if (($(cat peak) <= 150000)); then pass "peak memory $(cat peak) kB"; else fail "peak memory $(cat peak) kB"; fi

run 3 eval runs/fashion-mlp
expect_code 0 "eval of a run"
expect_last "eval loss=$number accuracy=0\.[0-9]+ samples=10000 digest=$digest" "eval's last line, with the run's digest"
if [[ $(last_value accuracy) == "$accuracy" ]]; then pass "eval's accuracy is training's"; else fail "eval: $(tail -n 1 "$out")"; fi
run 1 eval runs/fashion-mlp/checkpoints/step-000009375.h5 --split train
expect_last "eval loss=.* samples=60000 digest=$digest" "eval of a checkpoint on the training data"
run 1 eval runs/fashion-mlp --data "$data"
expect_last "eval loss=.* samples=10000 digest=$digest" "eval on another file"

run 1 inspect runs/fashion-mlp/checkpoints/step-000009375.h5
expect_code 0 "inspect"
expect_in "$out" '/weights/.*float32.*\[784, 128\]' "inspect shows the weights"
expect_in "$out" "$digest" "inspect shows the digest"
expect_in "$out" 'optimizer' "inspect shows the recipe"
run 1 verify runs/fashion-mlp
expect_code 0 "verify of a run"
expect_in "$out" "step-000009375.h5: valid, digest $digest" "verify names the newest checkpoint"

run 2 train --help-recipe
expect_in "$out" '^checkpoint.every .*budget' "the help has every field"
expect_in "$out" '^  softmax.name ' "to the last layer's"

run 2
expect_bad 1 'data/fashion-mnist.h5.*data/fetch.sh' "without its data the default recipe says how to get it"
run 2 train --set "data.file=$data"
expect_code 0 "the same command again"
expect_in "$out" 'runs/fashion-mlp is finished' "a finished run says so"
expect_last "done .* digest=$digest" "and has the same digest"
run 2 train runs/fashion-mlp/recipe.yaml --run runs/fashion-mlp
expect_in "$out" 'is finished' "the resolved recipe is a recipe"

"$python" - <<'END' || fail "metrics and checkpoint as h5py reads them"
import glob, json, h5py

lines = [json.loads(line) for line in open("runs/fashion-mlp/metrics.jsonl")]
epochs = [line for line in lines if line["series"] == "epoch"]
assert len(epochs) == 5 and epochs[-1]["step"] == 9375, epochs
assert epochs[-1]["test_accuracy"] > epochs[0]["test_accuracy"] - 0.02
with h5py.File("runs/fashion-mlp/metrics.h5", "r") as file:
    for series in ("train", "epoch"):
        rows = [line for line in lines if line["series"] == series]
        for column, values in file[series].items():
            assert [row[column] for row in rows] == [None if v != v else v for v in values[:].tolist()], (series, column)
names = sorted(glob.glob("runs/fashion-mlp/checkpoints/*"))
assert 1 <= len(names) <= 3, names  # how many follows from how long it takes
with h5py.File(names[-1], "r") as file:
    assert file.attrs["step"] == 9375
    shapes = []
    file["weights"].visititems(lambda name, item: shapes.append(item.shape) if isinstance(item, h5py.Dataset) else None)
    assert sorted(shapes) == [(10,), (128,), (128, 10), (784, 128)], shapes
END
finish
