#!/usr/bin/env bash
# A checkpoint is written beside the training: steps go on while its file is held, and what counts afterwards is the state
# of the step it was copied in. A stop waits for it; a disk that fails under it ends the run, with one line; two never
# overlap; and none of it changes a bit.
export DTRAIN_LIMIT=${DTRAIN_LIMIT:-180} # of a loaded machine
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 640 64
shim=$build/tests/faultshim.so
[[ -f $shim ]] || give_up "no $shim; build first"

# trial COMMAND RANKS RUN ARGUMENT…: without an end of its own, a checkpoint at step 60
trial() {
    local command=$1 ranks=$2 run=$3
    shift 3
    "$command" "$ranks" train --run "$run" --set data.file=small.h5 --set train.batch=64 --set train.shards=4 --set train.epochs=100000 \
        --set 'model.layers=[flatten, dense: {out: 100, activation: relu}, dense: 10]' --set train.eval_every=never \
        --set train.log_every='2 steps' --set checkpoint.every='60 steps' --set checkpoint.keep=0 "$@"
}
# held RUN RANK CALL: started, with that rank's helper held in its first such call for the file of step 60
held() {
    rm -f gate.reached
    touch gate
    DTRAIN_FAULT="rank=$2 call=$3 path=step-000000060 nth=1 do=gate gate=$work/gate armed=1" LD_PRELOAD=$shim trial start 2 "$1"
    until_true 60 test -e gate.reached || fail "$1: no such call for a checkpoint of step 60"
}
digest_at() { # digest_at RUN STEP
    "$dtrain" verify "$1" | sed -n "s/.*step-0*$2.h5: valid, digest //p"
}

trial run 1 untouched --set train.stop_after='60 steps'
expect_code 75 "60 steps that nothing happens to"
wanted=$(last_value digest)

for case in "1 write" "0 write" "0 sync" "1 read" "0 rename"; do
    read -r rank call <<<"$case"
    run=held-$rank-$call
    held "$run" "$rank" "$call"
    until_true 60 has_steps "$run" 100 || fail "$run: steps do not go on beside a checkpoint that is held"
    [[ ! -e $run/checkpoints/step-000000060.h5 ]] || fail "$run: it counts before it is written"
    [[ -e $run/checkpoints/step-000000060.h5.tmp ]] || fail "$run: no file is on its way"
    if [[ $call == sync ]]; then # told to stop: it waits
        kill -TERM "$job"
        sleep 0.3 # it may do what it should not
        [[ ! -e $run/checkpoints/step-000000060.h5 ]] || fail "$run: it counts before it is written"
        rm gate
    else
        rm gate
        until_true 60 test -e "$run/checkpoints/step-000000060.h5" || fail "$run: it does not count in the end"
        kill -TERM "$job"
    fi
    await
    expect_code 75 "rank $rank held in $call"
    [[ $(digest_at "$run" 60) == "$wanted" ]] || fail "$run: the checkpoint is not of the step it was copied in"
    step=$(last_value step)
    [[ $(digest_at "$run" "$step") == "$(last_value digest)" ]] || fail "$run: no checkpoint of the step it stopped at"
    [[ -z $(find "$run" -name '*.tmp*') ]] || fail "$run: left behind: $(find "$run" -name '*.tmp*')"
done

# The next one waits for one that is held, and is not left out.
held next 1 write
until_true 60 has_steps next 116 || fail "next: steps do not go on"
rm gate
until_true 60 test -e next/checkpoints/step-000000120.h5 || fail "next: no checkpoint of step 120"
kill -TERM "$job"
await
[[ $(digest_at next 60) == "$wanted" ]] || fail "next: step 60 has another digest"
trial run 3 next-whole --set train.stop_after='120 steps'
[[ $(digest_at next 120) == "$(last_value digest)" ]] || fail "next: step 120 has another digest"

# What fails beside the training ends it; the checkpoint before is whole.
for case in "1 write ENOSPC No.space.left" "0 write EIO Input/output" "1 sync EIO Input/output" "1 read EIO Input/output" \
    "0 rename EACCES Permission.denied" "1 write lie not.what.was.written"; do
    read -r rank call fault regex <<<"$case"
    rm -rf failing
    cp -r untouched failing
    DTRAIN_FAULT="rank=$rank call=$call path=step-000000120 nth=1 do=$fault armed=1" LD_PRELOAD=$shim trial run 2 failing
    expect_bad 1 "the checkpoint of step 120 was not written \(older ones are untouched\): .*$regex" "$fault in $call on rank $rank"
    [[ $(digest_at failing 60) == "$wanted" && $(ls failing/checkpoints) == step-000000060.h5 ]] ||
        fail "$fault in $call on rank $rank: there are $(ls failing/checkpoints)"
done
finish
