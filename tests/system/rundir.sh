#!/usr/bin/env bash
# One job a run directory; --resume; a recipe that no longer fits its run.
. "$(dirname "$0")/../support/lib.sh"
need_data

has_checkpoint() { compgen -G "$1/checkpoints/*.h5"; }

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
step=$(last_value step)

# The lock of a job that was killed is taken over.
start 2 train "${arguments[@]}" --run shared --set train.epochs=200 --set train.log_every="50 steps"
until_true 30 has_steps shared $((step + 100)) || fail "the first job does not go on"
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

# A checkpoint that cannot be read is not a damaged one: neither is an older one taken, nor advised to start over.
newest=$(printf '%s\n' shared/checkpoints/*.h5 | tail -n 1)
(($(printf '%s\n' shared/checkpoints/*.h5 | wc -l) > 1)) || fail "shared has no older checkpoint"
for command in "train ${arguments[*]} --run shared" "eval shared --data $data"; do
    # shellcheck disable=SC2086
    DTRAIN_FAULT="path=/${newest##*/} call=open nth=1+ do=EACCES armed=1" LD_PRELOAD=$build/tests/faultshim.so run 1 $command
    expect_bad 1 "${newest##*/}: cannot open: Permission denied; that is no damage" "${command%% *} with a checkpoint that cannot be read"
done

# Checkpoints come and go while a live run is verified.
start 1 train "${arguments[@]}" --run live --set train.epochs=400 --set checkpoint.every="1 steps" --set checkpoint.keep=2
until_true 30 has_checkpoint live || fail "the live run makes no checkpoint"
first_out=$out first_err=$err out=$work/out2 err=$work/err2
newest_of() { printf '%s\n' "$1"/checkpoints/*.h5 | tail -n 1; }
came=0
for ((i = 1; i <= 20; i++)); do
    before=$(newest_of live)
    mapfile -t unfinished < <(compgen -G "live/checkpoints/*.h5.tmp")
    run 1 verify live "${unfinished[@]}"
    [[ $(newest_of live) == "$before" ]] || came=$((came + 1))
    ((code == 0)) || break
done
expect_code 0 "verify of a live run, 20 times"
((came >= 5)) || fail "checkpoints came and went in only $came of them"
out=$first_out err=$first_err
kill -USR1 "$(rank_pid 0)"
await
expect_code 75 "the live run is not disturbed"

# Links that others put where a name can be foreseen lead nowhere.
run 1 train "${arguments[@]}" --run linked --set train.stop_after="5 steps"
echo precious >victim
for name in recipe.yaml.tmp metrics.jsonl.tmp checkpoints/step-000000010.h5.tmp; do
    ln -s "$work/victim" "linked/$name"
done
ln -sf "$work/victim" linked/metrics.h5
ln -sf "$work/victim" linked/recipe.yaml
run 1 train "${arguments[@]}" --run linked --set train.stop_after="5 steps"
expect_last 'stopped run=linked step=10 .*' "a run whose names others have foreseen goes on"
[[ $(cat victim) == precious ]] || fail "a link was followed: the victim is $(head -c 40 victim)"
[[ -z $(find linked -type l) ]] || fail "links are left: $(find linked -type l)"

# What a user keeps somewhere is not taken for a run's.
mkdir mine && cp "$source/launch/recipes/fashion-mlp.yaml" mine/recipe.yaml && cp mine/recipe.yaml kept.yaml
run 2 train mine/recipe.yaml "${arguments[@]}" --run mine
expect_bad 1 'mine: is not empty and no run directory.*recipe.yaml' "a directory with a recipe of the user's"
if ! cmp -s mine/recipe.yaml kept.yaml || [[ $(ls -A mine) != recipe.yaml ]]; then fail "in mine/ are: $(ls -A mine)"; fi

# Two containers with one host name: processes of the one are not seen from the other.
contained=(unshare --pid --fork --mount-proc "$dtrain" train "${arguments[@]}" --run contained --set train.lease=3)
if unshare --pid --fork --mount-proc true 2>/dev/null; then
    "${contained[@]}" --set train.epochs=400 --set checkpoint.every="50 steps" >contained.out 2>contained.err &
    job=$!
    until_true 30 has_steps contained 500 || fail "the job in a PID namespace does not start: $(cat contained.err)"
    run 1 train "${arguments[@]}" --run contained
    expect_bad 1 'contained is in use by process' "a job in another PID namespace that lives"
    kill -STOP "$(pgrep -P "$job")"
    run 1 train "${arguments[@]}" --run contained --set train.epochs=400 --set train.stop_after="10 steps"
    expect_code 75 "the job in another PID namespace shows no heartbeat"
    expect_in "$err" 'contained: process .* waiting for its heartbeat' "says what it waits for"
    expect_in "$err" 'taking over from process .* no heartbeat was seen for 3 s' "takes over once it is silent for the bound"
    newest=$(printf '%s\n' contained/checkpoints/*.h5 | tail -n 1)
    touch contained/mark
    kill -CONT "$(pgrep -P "$job")"
    await
    expect_code 1 "the job that went on too late"
    expect_in contained.err 'dtrain: contained(:| was).* writes nothing more' "says that its run was taken"
    [[ -z $(find contained/checkpoints -newer contained/mark -name '*.h5') ]] || fail "it has written a checkpoint"
    [[ $(printf '%s\n' contained/checkpoints/*.h5 | tail -n 1) == "$newest" ]] || fail "the newest checkpoint is not $newest"
    run 1 verify contained
    expect_code 0 "every checkpoint is whole"
    rm contained/mark

    # A signal ends the waiting.
    "${contained[@]}" --set train.lease=60 --set train.epochs=400 >contained.out 2>contained.err &
    job=$!
    until_true 30 grep -q 'going on' contained.out || fail "the job in a PID namespace does not go on"
    kill -KILL "$(pgrep -P "$job")"
    await 2>/dev/null
    start 2 train "${arguments[@]}" --run contained
    until_true 30 grep -q 'waiting for its heartbeat' "$err" || fail "nothing says that there is something to wait for"
    kill -TERM "$(rank_pid 1)"
    await
    expect_code 75 "a signal ends the waiting for a lock"
else
    echo "not on this machine: PID namespaces (unshare --pid)"
fi
finish
