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
expect_bad 2 '"dev"; it must be test, validation or train' "a split of another name"

finish
