#!/usr/bin/env bash
# Losses and gradients that are no numbers: where they arise is named, and train.not_finite decides alike on any number
# of ranks, through an interruption.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data sound.h5 200 64
"$python" - <<'PYTHON' || give_up "no data with faults"
import h5py, numpy

with h5py.File("sound.h5") as sound:
    for name, value in (("nan", numpy.nan), ("inf", numpy.inf), ("huge", 3e38)):
        with h5py.File(f"{name}.h5", "w") as bad:
            for split in ("train", "test"):
                bad[f"{split}/x"] = sound[f"{split}/x"][:].astype("f4")
                bad[f"{split}/y"] = sound[f"{split}/y"][:]
            if name == "huge":  # two such samples in a shard: their gradients add up to more than a float holds
                bad["train/x"][:, 14, 14] = numpy.where(numpy.arange(200) % 4, value, 0)
                bad["train/y"][:] = 3
            else:
                for row in (61, 137):
                    bad["train/x"][row, 5, 5] = value
PYTHON

# trial RANKS DATA ARGUMENT…: 20 steps in 2 epochs
trial() {
    local ranks=$1 data=$2
    shift 2
    run "$ranks" train --run run --set "data.file=$data.h5" --set train.batch=20 --set train.epochs=2 \
        --set train.shards=8 "$@"
}

# The sampler says in which step, shard and sample the faulty rows come; one rank and three must say the same.
for value in nan inf; do
    for ranks in 1 3; do
        rm -rf run
        trial $ranks $value
        rank=
        ((ranks == 1)) || rank='rank [0-2]: '
        what="${rank}step 1: the loss is no longer a number, in samples 20 to 22 of epoch 0; row 137 of /train/x is"
        expect_bad 1 "$what not finite \\((nan|infinity) in its place [0-9]+\\): correct the data" "$value in the data"
    done
done
rm -rf run
huge=(huge --set data.mean=0 --set data.std=1 --set 'model.layers=[flatten, dense: {out: 10, init: zeros}]')
trial 2 "${huge[@]}"
expect_bad 1 'rank 0: step 0: the gradient of dense1/w .* samples [0-9]+ to [0-9]+ of epoch 0; no value before it' \
    "a gradient that overflows"
for ranks in 1 2; do
    rm -rf run
    trial $ranks "${huge[@]}" --set train.shards=2
    expect_bad 1 'step 0: the gradient of dense1/w .* samples 0 to 1?9 of epoch 0; no value before it' \
        "also as a float ($ranks)"
done
rm -rf run
trial 2 sound --set optimizer.kind=sgd --set optimizer.lr=1e37
expect_bad 1 'step 1: the loss .* dense1 overflows at row [0-9]+ of /train/x: lower optimizer.lr' \
    "a rate that is too high"

# same_digest POLICY REGEX SKIPPED: on 1, 2 and 3 ranks, and when interrupted right behind the first fault
same_digest() {
    local policy=$1 regex=$2 skipped=$3 ranks wanted=''
    local arguments=(nan --set "train.not_finite=$policy" --set "checkpoint.every=3 steps")
    for ranks in 1 2 3; do
        rm -rf run
        trial "$ranks" "${arguments[@]}" --set train.log_every="1 steps"
        expect_code 0 "$policy on $ranks ranks"
        expect_last "done .* skipped=$skipped .*" "it says how many steps it passed over"
        [[ $(grep -cE "$regex" "$err") == "$skipped" ]] || { fail "$policy: warnings" && show "$err"; }
        [[ $wanted ]] || wanted=$(last_value digest)
        [[ $(last_value digest) == "$wanted" ]] || fail "$policy on $ranks ranks: $(last_value digest), not $wanted"
    done
    "$python" - "$skipped" <<'PYTHON' || fail "$policy: records of steps made twice"
import json, sys

steps = [row["step"] for row in map(json.loads, open("run/metrics.jsonl")) if row["series"] == "train"]
assert steps == sorted(set(steps)) and len(steps) == 20 - int(sys.argv[1]), steps
PYTHON
    rm -rf run
    for ranks in 3 1 2; do
        trial "$ranks" "${arguments[@]}" --set train.stop_after="5 steps"
        expect_code 75 "$policy, stopped on $ranks ranks"
    done
    trial 3 "${arguments[@]}"
    expect_last "done .* step=20 .* skipped=$skipped .* digest=$wanted" "$policy, interrupted: the same digest"
}

# Neither goes on for ever, and an update that spoilt the weights is what is to be skipped, not the step that noticed.
rm -rf run
trial 2 sound --set optimizer.kind=sgd --set optimizer.lr=1e37 --set train.not_finite=skip
expect_code 1 "a rate at which every step is skipped"
expect_in "$err" '^dtrain: after 16 skipped steps: ' "it gives up"
for policy in skip rollback; do
    rm -rf run
    spoilt=(sound --set optimizer.kind=sgd --set data.std=1 --set "train.not_finite=$policy")
    trial 1 "${spoilt[@]}" --set optimizer.lr=1e-6 --set train.stop_after="5 steps"
    trial 2 "${spoilt[@]}" --set optimizer.lr=3e38
    expect_code 1 "$policy: weights that are no numbers"
    case $policy in
        skip) expect_one_line 'step 6: .* the update before left weights that are no numbers' "skipping cannot help" ;;
        rollback) expect_in "$err" 'step 6: .* rolling back, to skip step 5 ' "the update before is skipped" ;;
    esac
done
same_digest skip 'row 137|row 61' 4
same_digest rollback 'rolling back, to skip step' 4
finish
