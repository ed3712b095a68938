#!/usr/bin/env bash
# One job a run directory; --resume; a recipe that no longer fits its run.
. "$(dirname "$0")/../support/lib.sh"
need_data

arguments=(--set "data.file=$data" --set train.shards=2)

start 2 train "${arguments[@]}" --run shared --set train.epochs=200 --set train.log_every="50 steps"
until_true 30 has_steps shared 100 || fail "the first job does not start"
first_out=$out first_err=$err
out=$work/out2 err=$work/err2
run 2 train "${arguments[@]}" --run shared
expect_bad 1 "shared.*($(hostname)|$job|pid)" "a second job on the same directory"
out=$first_out err=$first_err
kill -USR1 "$job"
await
expect_code 75 "the first is not disturbed"

# The lock of a job that was killed is taken over.
start 2 train "${arguments[@]}" --run shared --set train.epochs=200 --set train.log_every="50 steps"
until_true 30 grep -q 'going on' "$out" || fail "the first job does not go on"
sleep 0.5
kill -KILL "$(rank_pid 0)"
await
expect_code 137 "the first is killed"
run 2 train "${arguments[@]}" --run shared --set train.epochs=200 --set train.stop_after="1 steps"
expect_code 75 "a dead job's lock is taken over"

run 2 train "${arguments[@]}" --run shared --resume never
expect_bad 1 'shared.*--resume never' "--resume never in a directory that is in use"
run 2 train "${arguments[@]}" --run new --resume never --set train.stop_after="10 steps"
expect_code 75 "--resume never in a new one"
from=$(printf '%s\n' new/checkpoints/*.h5 | tail -n 1)
run 2 train "${arguments[@]}" --run branch --resume "$from" --set train.stop_after="10 steps"
expect_code 75 "--resume FILE"
expect_last "stopped run=branch step=20 .*" "starts from that checkpoint"
run 2 train "${arguments[@]}" --run branch2 --resume missing.h5
expect_bad 1 'missing.h5' "--resume with a file that is not there"
run 2 train "${arguments[@]}" --run branch3 --resume "$data"
expect_bad 1 'fashion-mnist.h5.*checkpoint' "--resume with a file that is no checkpoint"

sed 's/lr: *0.001.*/lr: 0.002/; s/std: *90.02.*/std: 91/' "$source/launch/recipes/fashion-mlp.yaml" >changed.yaml
run 2 train changed.yaml "${arguments[@]}" --run new
expect_bad 1 'optimizer.lr is 0.002 .*0.001' "a changed recipe: the field, both values"
expect_one_line 'data.std' "a changed recipe: every field"
run 2 train changed.yaml "${arguments[@]}" --run new --set optimizer.lr=0.002 --set data.std=91 \
    --set train.stop_after="10 steps"
expect_code 75 "fields named with --set may differ"
run 2 train "${arguments[@]}" --run new --set train.shards=1
expect_bad 1 'shards' "fewer shards than ranks"
finish
