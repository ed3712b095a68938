#!/usr/bin/env bash
# Which checkpoints are kept, and when a run ends early: by a measure of the test data whose best is remembered, part of
# the trained state, on any number of ranks and through an interruption.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 200 64

# trial RANKS RUN ARGUMENT…: 10 steps an epoch, evaluated every 5; overfits soon
trial() {
    local ranks=$1 run=$2
    shift 2
    run "$ranks" train --run "$run" --set data.file=small.h5 --set train.batch=20 --set train.shards=4 \
        --set optimizer.lr=0.01 --set train.eval_every="5 steps" --set train.epochs=20 "$@"
}
# kept RUN: the steps of its checkpoints
kept() { find "$1/checkpoints" -name 'step-*.h5' | sed -E 's/.*step-0*//; s/\.h5//' | sort -n | paste -sd ' '; }
expect_kept() { # expect_kept RUN STEPS WHAT
    if [[ $(kept "$1") == "$2" ]]; then pass "$3: $2"; else fail "$3: $(kept "$1"), not $2"; fi
}

# judge RUN MEASURE: step and value of the best evaluation, how many came after it, and how many there were
judge() {
    "$python" - "$@" <<'PYTHON'
import json, sys

rows = [row for row in map(json.loads, open(f"{sys.argv[1]}/metrics.jsonl")) if row["series"] == "epoch"]
values = [row[sys.argv[2]] * (-1 if sys.argv[2] == "test_loss" else 1) for row in rows]
best = values.index(max(values))
print(int(rows[best]["step"]), len(values) - 1 - best, len(values))
PYTHON
}

for measure in test_loss test_accuracy; do
    patience=(--set "checkpoint.best=$measure" --set train.patience=4 --set checkpoint.keep=1
        --set checkpoint.every=never)
    trial 1 "$measure" "${patience[@]}"
    expect_code 0 "$measure: patience runs out"
    read -r best since count <<<"$(judge "$measure" "$measure")"
    step=$(last_value step)
    expect_last 'done .* ended=patience .*' "$measure: it says that patience ran out"
    if ((since == 4 && count * 5 == step && step < 200)); then
        pass "$measure: best at $best of $step steps"
    else
        fail "$measure: best $best, $since after it of $count, ended at $step"
    fi
    expect_kept "$measure" "$best $step" "$measure: the best and the last are kept"
    wanted=$(tail -n 1 "$out" | grep -oE 'step=.*test_accuracy=[^ ]+')$(last_value digest)

    # Interrupted before and after the best, on other numbers of ranks: the best and the patience are remembered.
    made=0
    for stop in 3 "$((best - 2))" "$((best + 3))" "$((step - 4))"; do
        trial $((stop % 4 + 1)) "$measure-stopped" "${patience[@]}" --set train.stop_after="$((stop - made)) steps"
        expect_code 75 "$measure: interrupted after $stop steps"
        made=$stop
    done
    trial 3 "$measure-stopped" "${patience[@]}"
    expect_code 0 "$measure: interrupted, to the end"
    if [[ $(tail -n 1 "$out" | grep -oE 'step=.*test_accuracy=[^ ]+')$(last_value digest) == "$wanted" ]]; then
        pass "$measure: interrupted, the same end"
    else
        fail "$measure: interrupted, $(tail -n 1 "$out"), not $wanted"
    fi
    expect_kept "$measure-stopped" "$best $step" "$measure: interrupted, the same checkpoints"
    trial 2 "$measure" "${patience[@]}"
    expect_in "$out" "$measure is finished: $step steps, .* train.patience" "the same command again says why"
    trial 2 "$measure" "${patience[@]}" --set train.patience=6 --set train.stop_after="5 steps"
    expect_code 75 "more patience: it goes on"
done

# A test set with a sample that is not finite: the same policy as in training, and the row is named. What was trained is
# not lost, and the run goes on when it is told to, from the evaluation that failed.
"$python" - <<'PYTHON' || give_up "no data with faults"
import h5py, numpy

with h5py.File("small.h5") as small, h5py.File("nan.h5", "w") as bad:
    for name in ("train/x", "train/y", "test/x", "test/y"):
        bad[name] = small[name][:].astype("f4" if name[-1] == "x" else "u1")
    bad["test/x"][7, 3, 3] = numpy.nan
PYTHON
options=(--set checkpoint.best=test_loss --set checkpoint.keep=1 --set checkpoint.every=never --set train.epochs=1
    --set data.file=nan.h5)
odd='the loss of 1 of 64 samples of /test/x is not a number; row 7 of /test/x is not finite \(nan in its place [0-9]+\): correct the data'
for ranks in 1 3; do
    trial $ranks "nan-$ranks" "${options[@]}"
    expect_bad 1 "evaluation at step 5: $odd" "nan in the test set on $ranks ranks"
    expect_kept "nan-$ranks" 5 "the steps before it are kept"
    trial $ranks "nan-$ranks" "${options[@]}"
    expect_bad 1 "evaluation at step 5: $odd" "the same command again says the same"
    trial $ranks "nan-$ranks" "${options[@]}" --set train.not_finite=skip
    expect_code 0 "told to skip, it goes on"
    expect_one_line "warning: $odd; left out of the figures" "and says so once"
    expect_last 'done .* test_loss=[0-9.]+ test_accuracy=[0-9.]+ ended=epochs .*' "with the figures of the others"
done
run 2 eval nan-1
expect_code 0 "eval of a run that skips"
expect_in "$err" "warning: .*row 7 of /test/x" "and it says which row"
run 2 eval nan-1 --data nan.h5 --split train
expect_code 0 "eval of data that are whole"
"$python" - <<'PYTHON' || give_up "no data without the row"
import h5py

with h5py.File("small.h5") as small, h5py.File("rest.h5", "w") as rest:
    for name in ("train/x", "train/y", "test/x", "test/y"):
        whole = small[name][:]
        rest[name] = whole if name[:5] == "train" else [row for i, row in enumerate(whole) if i != 7]
PYTHON
run 1 eval nan-1 --data rest.h5
wanted=$(last_value loss)
run 1 eval nan-1
if [[ $(last_value loss) == "$wanted" ]]; then
    pass "the figures are those of the other samples: $wanted"
else
    fail "the figures are not those of the other samples: $(last_value loss), not $wanted"
fi

# A loss that has no accuracy cannot be judged by it.
"$python" - <<'PYTHON' || give_up "no values"
import h5py, numpy

with h5py.File("small.h5") as small, h5py.File("values.h5", "w") as values:
    for name in ("train/x", "test/x"):
        values[name] = small[name][:]
    for name in ("train/y", "test/y"):
        values[name] = small[name][:].reshape(-1, 1) / numpy.float32(10)
PYTHON
regression=(--set data.file=values.h5 --set model.loss=mean_squared_error --set train.epochs=1
    --set 'model.layers=[flatten, dense: 1]')
trial 2 values "${regression[@]}" --set checkpoint.best=test_accuracy
expect_bad 1 'checkpoint.best is test_accuracy, but mean_squared_error of values has none; use test_loss' \
    "the accuracy of values"
trial 2 values "${regression[@]}" --set checkpoint.best=test_loss
expect_last 'done .* test_loss=[0-9.]+ ended=epochs .*' "no accuracy is printed for values"

# Why a run ended.
trial 1 ended --set train.stop_after="3 steps"
expect_last 'stopped .* ended=stop_after .*' "stopped after so many steps"
trial 1 ended --set train.stop_after="0.001 s"
expect_last 'stopped .* ended=stop_after .*' "stopped after so many seconds"
trial 2 ended --set train.steps=12
expect_last 'done .* step=12 .* ended=steps .*' "the steps of the recipe"
trial 2 ended --set train.steps=12
expect_last 'done .* step=12 .* ended=steps .*' "the same command again"

# keeping KEEP EVERY BEST STEPS: what is left of a checkpoint every 5 steps, of 50, whether interrupted or not
keeping() {
    local options=(--set "checkpoint.keep=$1" --set "checkpoint.keep_every=$2" --set "checkpoint.best=$3" --run keep
        --set checkpoint.every="5 steps" --set train.epochs=5)
    rm -rf keep
    trial 1 keep "${options[@]}"
    expect_kept keep "$4" "keep $1, keep_every $2, best $3"
    rm -rf keep
    trial 2 keep "${options[@]}" --set train.stop_after="20 steps"
    trial 1 keep "${options[@]}" --set train.stop_after="15 steps"
    trial 3 keep "${options[@]}"
    expect_kept keep "$4" "keep $1, keep_every $2, best $3, interrupted"
}
keeping 1 0 none "50"
keeping 3 0 none "40 45 50"
keeping 2 20 none "20 40 45 50"
keeping 2 20 test_loss "20 25 40 45 50"
keeping 0 20 none "5 10 15 20 25 30 35 40 45 50"

# A run that may go back begins with a checkpoint of step 0, which is one like the others.
trial 1 start --set train.not_finite=rollback --set checkpoint.keep=2 --set checkpoint.every="5 steps" --set train.epochs=2
expect_kept start "15 20" "a checkpoint of step 0 is pruned"
finish
