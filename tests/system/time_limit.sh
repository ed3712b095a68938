#!/usr/bin/env bash
# A job that knows when its time is up stops by itself with a checkpoint: of the recipe's limit or the scheduler's, amid
# training or an evaluation; whoever goes on comes to the end of the run nobody stopped.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 64 320
layers=$build/tests/layers.so
[[ -f $layers ]] || give_up "no $layers; build first"
long=(train --set "data.file=$data" --set train.shards=4 --set train.eval_every=never --set checkpoint.every=never)

# On a machine that is slow today the data may take longer to be read than the limit allows; then it ends there.
for limit_now in 2 4 8 16; do
    run 3 "${long[@]}" --set train.epochs=100000 --set train.time_limit="$limit_now s" --run limited
    step=$(last_value step)
    ((code == 75)) && [[ $step == [1-9]* ]] && break
    expect_one_line 'stopped by the time limit before there was anything to save' "$limit_now s"
done
expect_code 75 "the recipe's limit"
expect_last "stopped run=limited step=$step .*ended=time_limit .*" "it says why"
expect_in "$out" '^the time limit \(train\.time_limit\) is [0-9.]+ s away: a checkpoint, and an early end$|^stopped ' "and when"
run 1 verify limited
expect_in "$out" "step-0*$step\.h5: valid" "its checkpoint is of the step it stopped at"
run 2 "${long[@]}" --set train.steps=$((step + 20)) --run limited
digest=$(last_value digest)
run 1 "${long[@]}" --set train.steps=$((step + 20)) --run whole
expect_last "done run=whole step=$((step + 20)) .* digest=$digest" "whoever goes on ends like the run nobody stopped"

# The scheduler's word, and a script's, which is believed instead. Ten steps, in a time that is long over or long enough.
short=(train --set data.file=small.h5 --set train.shards=2 --set train.steps=4)
export SLURM_JOB_END_TIME=1
run 2 "${short[@]}" --run over
expect_bad 75 'stopped by the time limit before there was anything to save' "a job of Slurm's whose time is up"
DTRAIN_END_TIME=never run 2 "${short[@]}" --run over
expect_last 'done run=over step=4 .*' "DTRAIN_END_TIME is believed instead: never"
DTRAIN_END_TIME=$(($(date +%s) + 3600)) run 2 "${short[@]}" --run later
expect_last 'done run=later step=4 .*' "an hour is enough"
DTRAIN_END_TIME=tomorrow run 2 "${short[@]}" --run later
expect_bad 2 'DTRAIN_END_TIME is "tomorrow"; it must be seconds since 1970' "no number"
unset SLURM_JOB_END_TIME
run 2 "${short[@]}" --set train.time_limit='3 epochs' --run later
expect_bad 1 'train.time_limit is 3 epochs; it must be a time' "a limit in epochs"

# In the middle of an evaluation: what the timer sends is sent to a rank that waits at a gate there, which has made
# a step before.
touch gate
trial=(train --set data.file=small.h5 --set train.shards=2 --set train.steps=3 --set train.eval_every="1 steps" --set train.log_every="1 steps" --set train.time_limit=1h
    --set 'model.layers=[flatten, {dense: {out: 40, activation: relu}}, dense: 10]')
DTRAIN_COUNT_LAYERS=$work/count LD_PRELOAD=$layers run 2 "${trial[@]}" --run evaluated
digest=$(last_value digest)
DTRAIN_GATE_LAYER="0 $(($(<count) / 3 - 3)) $work/gate" LD_PRELOAD=$layers start 2 "${trial[@]}" --run amid
until_true 30 test -e gate.reached || fail "there is no evaluation to wait in"
kill -ALRM "$(rank_pid 0)"
rm gate
await
expect_code 75 "the limit comes in the middle of an evaluation"
expect_last 'stopped run=amid step=1 epoch=0 train_loss=[0-9.]+ ended=time_limit .*' "which is left to whoever goes on, and of which no figure is told"
run 1 "${trial[@]}" --run amid
expect_last "done run=amid step=3 .* digest=$digest" "and made there"
if [[ $(grep -c '"series":"epoch"' amid/metrics.jsonl) == 3 ]]; then pass "three steps, three evaluations"; else fail "not three evaluations" && show amid/metrics.jsonl "$out"; fi
finish
