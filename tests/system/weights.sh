#!/usr/bin/env bash
# What training samples count for in the loss: rare classes are found once they are weighed, weights of one change no
# bit, and all of it is the same on any number of ranks.
. "$(dirname "$0")/../support/lib.sh"

cat >t.yaml <<'YAML'
data: {file: d.h5, test_x: /rare/x, test_y: /rare/y}
model: {layers: [{dense: 2}]}
optimizer: {lr: 0.02}
train: {epochs: 5, batch: 50, shards: 3, log_every: never, eval_every: never}
checkpoint: {every: never}
YAML
"$python" - <<'PYTHON' || give_up "no data"
import h5py, numpy as np

rng = np.random.default_rng(3)
y = (rng.random(2000) < 0.05).astype("i4")
x = rng.normal(size=(2000, 4)).astype("f4") + 0.9 * y[:, None].astype("f4")
with h5py.File("d.h5", "w") as f:
    f["train/x"], f["train/y"] = x, y
    f["rare/x"], f["rare/y"] = x[y == 1], y[y == 1] # accuracy on these is the recall of class 1
    f["ones"], f["twice"], f["minus"] = np.ones(2000), 2 * np.ones(2000, "i2"), np.where(np.arange(2000) == 77, -1, 1)
    f["balanced"] = 2000 / (2 * np.bincount(y)[y])
    f["short"] = np.ones(1999)
PYTHON

# fit RUN ARGUMENT…
fit() {
    run "$@"
    expect_code 0 "trained: ${*:4}"
}
same() { # same DIGEST WHAT
    if [[ $(last_value digest) == "$1" ]]; then pass "$2"; else fail "$2: $(last_value digest), not $1"; fi
}

fit 1 train t.yaml --run plain
plain=$(last_value digest)
recall=$(last_value test_accuracy)
fit 1 train t.yaml --run ones --set data.train_weights=/ones
same "$plain" "weights of one change no bit"
fit 1 train t.yaml --run balanced --set train.class_weights=balanced
balanced=$(last_value digest)
found=$(last_value test_accuracy)
if awk -v a="$recall" -v b="$found" 'BEGIN { exit !(b > a + 0.3) }'; then
    pass "the rare class is found once it is weighed: recall $found instead of $recall"
else
    fail "the recall of the rare class is $found, and was $recall"
fi
expect_in "$out" '^class weights: 0\.5[0-9]*, 1?[0-9]\.?[0-9]*$' "the weights are told"
for ranks in 2 3; do
    fit "$ranks" train t.yaml --run "balanced$ranks" --set train.class_weights=balanced
    same "$balanced" "$ranks ranks: the same bits"
done
fit 2 train t.yaml --run rows --set data.train_weights=/balanced
same "$balanced" "the same weights row by row: the same bits"
fit 1 train t.yaml --run twice --set data.train_weights=/twice --set optimizer.kind=sgd --set optimizer.lr=0.25
twice=$(last_value test_loss)
fit 1 train t.yaml --run half --set 'train.class_weights=[1, 1]' --set optimizer.kind=sgd --set optimizer.lr=0.5
if [[ $(last_value test_loss) == "$twice" ]]; then
    pass "twice the weight is twice the step: the sum is divided by the samples, not by their weights"
else
    fail "twice the weight gives a test loss of $twice, twice the step one of $(last_value test_loss)"
fi

run 1 train t.yaml --run no --set 'train.class_weights=[1, 2, 3]'
expect_bad 1 'train.class_weights has 3 numbers but the model has 2 classes' "a weight too many"
run 1 train t.yaml --run no --set data.train_weights=/minus
expect_bad 1 '/minus row 77 is -1; a weight is a number from 0' "a weight below 0"
run 1 train t.yaml --run no --set data.train_weights=/short
expect_bad 1 '/short has 1999 rows of 1 numbers but /train/y has 2000 rows' "a weight too few"
run 1 train t.yaml --run balanced --set train.epochs=6
expect_bad 1 'train.class_weights is none but the checkpoint was trained with balanced' "a run that goes on without them"

finish
