#!/usr/bin/env bash
# A checkpoint comes before the evaluation of its step: who is killed in an evaluation, or told to stop when one is due,
# loses no step, and whoever goes on makes that evaluation, once, to the same end.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 64 320
layers=$build/tests/layers.so
[[ -f $layers ]] || give_up "no $layers; build first"

# trial COMMAND RANKS RUN ARGUMENT…: two steps an epoch, each epoch with an evaluation and a checkpoint
trial() {
    local command=$1 ranks=$2 run=$3
    shift 3
    "$command" "$ranks" train --run "$run" --set data.file=small.h5 --set train.batch=32 --set train.shards=4 \
        --set 'model.layers=[flatten, dense: {out: 400, activation: relu}, dense: 10]' --set train.epochs=3 \
        --set checkpoint.every='1 epoch' "$@"
}
# killed_at CALL RUN ARGUMENT…: a run of one rank, killed behind its layer number CALL
killed_at() {
    local call=$1 run=$2
    shift 2
    rm -f gate.reached
    touch gate
    DTRAIN_GATE_LAYER="0 $call $work/gate" LD_PRELOAD=$layers trial start 1 "$run" "$@"
    until_true 30 test -e gate.reached || fail "$run: there is no layer $call"
    kill -KILL "$(rank_pid 0)"
    await
}
# evaluations RUN: its rows, without the seconds
evaluations() { grep '"series":"epoch"' "$1/metrics.jsonl" | sed 's/,"seconds":.*//'; }
# ends_like RUN DIGEST WHAT
ends_like() {
    expect_last "done run=$1 step=6 epoch=3 .*" "$3: to the end"
    [[ $(last_value digest) == "$2" ]] || fail "$3: digest $(last_value digest), not $2"
    if [[ $(evaluations "$1") == "$(evaluations whole-"${1%%-*}")" ]]; then
        pass "$3: the same evaluations"
    else
        fail "$3: other evaluations" && show <(evaluations "$1")
    fi
    run 1 verify "$1"
    expect_in "$out" "step-0*6.h5: valid, digest $2" "$3: the last checkpoint is the state at the end"
}

for best in none test_loss; do
    options=(--set "checkpoint.best=$best")
    DTRAIN_COUNT_LAYERS=$work/count LD_PRELOAD=$layers trial run 1 "whole-$best" "${options[@]}"
    expect_code 0 "$best: the run nobody touched"
    wanted=$(last_value digest)
    calls=$(cat count)
    [[ $(evaluations "whole-$best" | wc -l) == 3 ]] || fail "$best: not three evaluations"

    # In the middle of the last evaluation, and of the second: they have 80 layers each, on one rank.
    for epoch in 2 3; do
        run=$best-$epoch
        killed_at $((calls * epoch / 3 - 60)) "$run" "${options[@]}"
        [[ -f $run/checkpoints/step-00000000$((2 * epoch)).h5 ]] || fail "$run: no checkpoint of step $((2 * epoch))"
        [[ $(evaluations "$run" | wc -l) == $((epoch - 1)) ]] || fail "$run: killed too late"
        trial run 3 "$run" "${options[@]}"
        expect_in "$out" "going on from $run/checkpoints/step-00000000$((2 * epoch)).h5" "$best, killed in evaluation $epoch: no step is lost"
        ends_like "$run" "$wanted" "$best, killed in evaluation $epoch"
    done

    # After the evaluation, before the next checkpoint: its row is there, and stays one.
    run=$best-behind
    killed_at $((calls / 3 + 9)) "$run" "${options[@]}"
    [[ $(evaluations "$run" | wc -l) == 1 ]] || fail "$run: no evaluation"
    trial run 2 "$run" "${options[@]}"
    ends_like "$run" "$wanted" "$best, killed behind an evaluation"

    # Stopped in the step of an evaluation, by the clock, which postpones it, and by a number of steps, which does not.
    for stop in '0 seconds' '1 steps'; do
        run="$best-stopped-${stop// /}"
        trial run 1 "$run" "${options[@]}" --set train.stop_after="1 steps"
        trial run 2 "$run" "${options[@]}" --set train.stop_after="${stop/0 s/0.000001 s}"
        expect_code 75 "$best: stopped by $stop"
        verified=$(last_value digest)
        run 1 verify "$run"
        expect_in "$out" "digest $verified" "its checkpoint is the state it says"
        trial run 1 "$run" "${options[@]}"
        ends_like "$run" "$wanted" "$best, stopped by $stop"
    done
done
finish
