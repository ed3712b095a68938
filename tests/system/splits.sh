#!/usr/bin/env bash
# Training, validation and test data: what a run is judged by while it trains, and that each part is what it says it is
# to every command.
. "$(dirname "$0")/../support/lib.sh"

cat >t.yaml <<'YAML'
data: {file: d.h5}
model: {layers: [{dense: {out: 8, activation: relu}}, {dense: 3}]}
optimizer: {lr: 0.01}
train: {epochs: 2, batch: 20, shards: 3, log_every: never}
checkpoint: {every: never}
YAML

"$python" - <<'PYTHON' || give_up "no data"
import h5py, numpy as np

rng = np.random.default_rng(3)
x = rng.normal(size=(300, 5)).astype("f4")
y = (x[:, 0] > 0) + (x[:, 1] > 0).astype("i4")
with h5py.File("d.h5", "w") as f:
    for name, first, end in (("train", 0, 200), ("validation", 200, 240), ("test", 240, 300)):
        f[f"{name}/x"], f[f"{name}/y"] = x[first:end], y[first:end]
    f["x"], f["y"], f["patient"] = x, y, np.repeat(np.arange(60)[::-1] * 11, 5)
PYTHON

# ---- given validation data ----

given=(--set data.validation_x=/validation/x --set data.validation_y=/validation/y)
run 1 train t.yaml --run given "${given[@]}" --set checkpoint.best=validation_loss
expect_code 0 "validation data of its own"
expect_last 'done .* validation_loss=[^ ]+ validation_accuracy=[^ ]+ .*' "the last line calls its figures validation's"
expect_in given/metrics.jsonl '"validation_loss":[0-9.]+,"validation_accuracy"' "and so do the metrics"
validated="loss=$(last_value validation_loss) accuracy=$(last_value validation_accuracy)"
for ranks in 1 2 3; do
    run "$ranks" eval given --split validation
    expect_last "eval $validated samples=40 .*" "eval on validation data, $ranks ranks: the figures training had"
done
run 1 eval given
expect_last 'eval .* samples=60 .*' "eval is on the test data, which training did not see"
run 1 eval given --split train
expect_last 'eval .* samples=200 .*' "eval on the training data"
run 1 train t.yaml --run given --set data.validation_x=/test/x --set data.validation_y=/test/y \
    --set checkpoint.best=validation_loss --set train.epochs=3
expect_bad 1 'data.validation_x is float32 .60, 5., and was float32 .40, 5.' "a run that goes on is not judged by other data"
run 1 train t.yaml --run plain
expect_last 'done .* test_loss=[^ ]+ test_accuracy=[^ ]+ .*' "without validation data it is judged by the test data"
run 1 eval plain --split validation
expect_bad 1 'its recipe has no validation data' "eval on validation data that is not there"
run 1 eval plain --split dev
expect_bad 2 '"dev"; it must be test, validation, train or all' "a split of another name"

# ---- cut from one dataset ----

cut=(--set data.train_x=/x --set data.train_y=/y --set data.split.test=0.2 --set data.split.validation=0.1
    --set data.split.by=/patient --set checkpoint.best=validation_loss)
run 1 train t.yaml --run cut "${cut[@]}"
expect_code 0 "data that is split by a group"
expect_in "$out" '^split: 210 train, 30 validation, 60 test; 42, 6 and 12 values of /patient$' "the splits are told"
validated="loss=$(last_value validation_loss) accuracy=$(last_value validation_accuracy)"
digest=$(last_value digest)
for ranks in 2 3; do
    run "$ranks" train t.yaml --run "cut$ranks" "${cut[@]}" --set train.stop_after="7 steps"
    expect_code 75 "$ranks ranks, interrupted in an epoch"
    run $((5 - ranks)) train t.yaml --run "cut$ranks" "${cut[@]}"
    if [[ $(last_value digest) == "$digest" ]]; then
        pass "and on $((5 - ranks)) to the end: the same bits"
    else
        fail "interrupted on $ranks ranks: $(last_value digest), not $digest" && show "$err"
    fi
done
run 3 eval cut2 --split validation
expect_last "eval $validated samples=30 .*" "eval on its validation data: the figures training had"
for split in test:60 train:210 all:300; do
    run 2 eval cut --split "${split%:*}"
    expect_last "eval .* samples=${split#*:} .*" "eval on $split samples"
done
cp d.h5 moved.h5
run 1 eval cut --data moved.h5
expect_last 'eval .* samples=300 .*' "eval on other data takes all of it"
run 1 eval cut --data moved.h5 --split test
expect_last 'eval .* samples=60 .*' "unless a split is named"
run 1 train t.yaml --run cut "${cut[@]}" --set data.split.seed=2 --set train.epochs=3
expect_bad 1 'data.train_rows has other values' "a run that goes on is not split anew"
sed 's/^data:.*/data: {file: d.h5, train_x: \/x, train_y: \/y, split: {test: 0.3, validation: 0.1, by: \/patient}}/' t.yaml >other.yaml
run 1 train other.yaml --run cut --set train.epochs=3
expect_bad 1 'data.split.test is 0.3.* but the checkpoint was trained with 0.2' "nor by another recipe"

for case in 'test=0.6 validation=0.5:data.split.validation is 0.5 but data.split.test is 0.6; some must be left' \
    'test=1:--set data.split.test=1: it must be at least 0 and less than 1' \
    'by=/patient:data.split.by is "/patient" but nothing is split' \
    'test=0.2 by=/y stratify=true:data.split.stratify is true but data.split.by is "/y"; groups stay whole'; do
    settings=()
    for setting in ${case%%:*}; do settings+=(--set "data.split.$setting"); done
    run 1 train t.yaml --run refused --set data.train_x=/x --set data.train_y=/y "${settings[@]}"
    expect_bad 1 "${case#*:}" "${case%%:*}"
done
run 1 train t.yaml --run refused --set data.split.test=0.2 --set data.test_x=/other/x
expect_bad 1 'data.test_x is "/other/x" but data.split.test cuts these from the training data' "test data twice"

finish
