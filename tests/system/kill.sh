#!/usr/bin/env bash
# A rank that dies ends the job at once, and the run goes on from its newest checkpoint, whenever it was killed.
. "$(dirname "$0")/../support/lib.sh"
need_data

arguments=(--set "data.file=$data" --set train.shards=3 --set train.epochs=4 --set reduce.wire=i32 --set train.log_every="20 steps")

run 1 train "${arguments[@]}" --run untouched
wanted=$(last_value digest)

no_rank_lives() { ! rank_pid 0 && ! rank_pid 1 && ! rank_pid 2; }

# killed RUN STEPS RANK OPTION…: kills one rank of three once STEPS more are recorded
killed() {
    local name=$1 steps=$2 victim=$3
    shift 3
    start 3 train "${arguments[@]}" --run "$name" "$@"
    until_true 30 rank_pid "$victim" >/dev/null || fail "$name: no rank $victim" # who goes on may have such steps already
    until_true 30 has_steps "$name" "$steps" || fail "$name does not get to step $steps"
    until_true 30 has_checkpoint "$name" || fail "$name has no checkpoint"
    kill -KILL "$(rank_pid "$victim")"
    await
    expect_code 137 "rank $victim killed at step $steps or so"
    expect_in "$err" "rank $victim .*signal 9" "the rank and the signal are named"
    until_true 5 no_rank_lives || fail "ranks are left behind"
    run 1 verify "$name"
    expect_code 0 "every checkpoint is whole"
}

killed loop 400 1 --set checkpoint.every="300 steps"
killed loop 900 0
run 2 train "${arguments[@]}" --run loop
expect_code 0 "the same command on 2 ranks"
expect_in "$out" 'going on from loop/checkpoints/step-0*[1-9]' "goes on from a checkpoint"
expect_last "done run=loop step=7500 .* digest=$wanted" "to the digest of the run nobody touched"

# While publishing: a checkpoint every step, so that is where most of the time goes.
for steps in 20 60 100 160; do
    killed publishing "$steps" $((steps / 20 % 3)) --set checkpoint.every="1 steps" --set checkpoint.keep=5
done
run 3 train "${arguments[@]}" --run publishing
expect_last "done run=publishing step=7500 .* digest=$wanted" "killed while publishing: the same digest"
[[ -z $(find publishing -name '*.tmp') ]] || fail "left behind: $(find publishing -name '*.tmp')"
finish
