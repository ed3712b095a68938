#!/usr/bin/env bash
# Figures of losses of any size: what a run says is the mean of its samples' losses to the last digit shown, on any number
# of ranks, through an interruption, and when it goes on from a checkpoint of the time when sums were integers of 2^-24.
. "$(dirname "$0")/../support/lib.sh"

"$python" - <<'PYTHON' || give_up "no data"
import h5py, numpy

rng = numpy.random.default_rng(1)
for name, rows, centre in (("thousands", 60000, 5e3), ("hundreds", 2000, 1e5), ("million", 64, 1e6), ("tiny", 64, 1e-9)):
    with h5py.File(f"{name}.h5", "w") as data:
        for split, count in (("train", rows), ("test", rows // 4)):
            data[f"{split}/x"] = rng.standard_normal((count, 2)).astype("f4")
            data[f"{split}/y"] = (centre * (1 + rng.standard_normal((count, 1)) / 100)).astype("f4")
PYTHON

# trial RANKS RUN DATA ARGUMENT…: a model that answers 0 and learns next to nothing: the loss of a sample is y^2/2
trial() {
    local ranks=$1 run=$2 data=$3
    shift 3
    run "$ranks" train --run "$run" --set "data.file=$data.h5" --set data.normalize=given --set data.mean=0 \
        --set data.std=1 --set 'model.layers=[dense: {out: 1, init: zeros, bias: false}]' \
        --set model.loss=mean_squared_error --set optimizer.kind=sgd --set optimizer.lr=1e-30 --set train.shards=4 \
        --set train.batch=50 --set train.epochs=1 --set checkpoint.best=test_loss "$@"
}

# means DATA: train_loss and test_loss as they must be shown
means() {
    "$python" - "$1.h5" <<'PYTHON'
import fractions, h5py, sys

with h5py.File(sys.argv[1]) as data:
    for split in ("train", "test"):
        squares = [fractions.Fraction(float(y)) ** 2 / 2 for y in data[f"{split}/y"][:, 0]]
        print(f"{split}_loss=%.6f" % float(sum(squares) / len(squares)))
PYTHON
}

for data in thousands hundreds million tiny; do
    readarray -t shown < <(means "$data")
    ((${#shown[@]} == 2)) || give_up "no means of $data"
    for ranks in 1 3; do
        trial "$ranks" "$data-$ranks" "$data"
        expect_last "done .* ${shown[0]} ${shown[1]} .*" "$data on $ranks ranks: ${shown[*]}"
    done
done

# The first fifteen digits of a mean that is 0.000000: it is in the records as it is.
"$python" - <<'PYTHON' || fail "small losses are not recorded as they are"
import h5py, json

with h5py.File("tiny.h5") as data:
    mean = float((data["test/y"][:].astype("f8") ** 2 / 2).mean())
last = [row for row in map(json.loads, open("tiny-1/metrics.jsonl")) if row["series"] == "epoch"][-1]
assert mean > 0 and abs(last["test_loss"] / mean - 1) < 1e-8, (last["test_loss"], mean)
PYTHON

# Interrupted in the middle of the epoch: the sums, of which an int64 of 2^-24 would have lost the upper half, go on.
trial 1 hundreds-whole hundreds
wanted=$(figures)
for stop in 17 11; do
    trial 2 hundreds-stopped hundreds --set train.stop_after="$stop steps"
    expect_code 75 "stopped after $stop more steps"
done
trial 3 hundreds-stopped hundreds
if [[ $(figures) == "$wanted" ]]; then
    pass "interrupted, the same figures: $wanted"
else
    fail "interrupted: $(figures), not $wanted" && show "$err"
fi

# A checkpoint of format version 1 has the rounded sums alone, and serves as long as they did.
cp -r hundreds.h5 small.h5
"$python" -c 'import h5py
with h5py.File("small.h5", "r+") as data:
    for split in ("train", "test"): data[f"{split}/y"][:] /= 1e5'
trial 1 small-whole small
wanted=$(figures)
trial 1 small-old small --set train.stop_after="17 steps"
"$python" - small-old/checkpoints/step-000000017.h5 <<'PYTHON' || give_up "no checkpoint of version 1"
import h5py, sys

with h5py.File(sys.argv[1], "r+") as file:
    beside = [name for name in file["state"] if file["state"][name].attrs["order"] >= file.attrs["datasets"]]
    assert beside, "it has nothing beside the digest"
    for name in beside:
        del file["state"][name]
    recipe = file["recipe"]  # was an attribute
    file.attrs["recipe"], file.attrs["recipe_hash"] = bytes(recipe[:]).decode(), recipe.attrs["hash"]
    del file["recipe"], file.attrs["beside"], file.attrs["seal"], file.attrs["origin"]
    file.attrs.modify("version", 1)
PYTHON
trial 3 small-old small
expect_in "$out" 'going on from .*step-000000017.h5' "a checkpoint of version 1 is gone on with"
if [[ $(figures) == "$wanted" ]]; then
    pass "from a checkpoint of version 1, the same figures: $wanted"
else
    fail "from a checkpoint of version 1: $(figures), not $wanted" && show "$err"
fi
finish
