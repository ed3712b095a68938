#!/usr/bin/env bash
# The watchdog ends no healthy run: neither what takes long nor a job that was suspended as a whole. And once it has
# spoken, or the launcher is gone, every rank goes by itself, whatever the launcher does.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 64 320
layers=$build/tests/layers.so shim=$build/tests/faultshim.so
[[ -f $layers && -f $shim ]] || give_up "no $layers or $shim; build first"

mlp=(--set 'model.layers=[flatten, dense: {out: 16, activation: relu}, dense: 10]' --set train.batch=32 --set train.shards=4)

# ---- what takes long ----------------------------------------------------------------------------------------------------

# Two steps, then an evaluation of 80 layers on one rank, or 40 on each of two, that take six seconds; and an unpacking of
# six blocks that takes as long. Ten times the timeout is what either may take without a sign of life.
calls=() # before the evaluation, on so many ranks
for ranks in 1 2; do
    DTRAIN_COUNT_LAYERS=$work/count LD_PRELOAD=$layers \
        run $ranks train --set data.file=small.h5 --set train.epochs=1 "${mlp[@]}" --set 'data.test_x=' --set 'data.test_y=' --run "counted$ranks"
    expect_code 0 "two steps without an evaluation ($ranks)"
    calls[ranks]=$(cat count)
done
"$python" - "$data" <<'END' || give_up "no compressed data"
import h5py, sys
with h5py.File(sys.argv[1]) as whole, h5py.File("packed.h5", "w") as packed:
    for split, rows in (("train", 60000), ("test", 64)):
        packed.create_dataset(f"{split}/x", data=whole[f"{split}/x"][:rows], chunks=(64, 28, 28), compression=1)
        packed[f"{split}/y"] = whole[f"{split}/y"][:rows]
END

# together NAME RANKS ARGUMENT…: in the background, beside others; `ended` looks at it
together() {
    local name=$1
    (out=$work/$name.out err=$work/$name.err && run "${@:2}" --set train.timeout=0.5 --run "$name" && echo "$code" >"$name.code") &
}
ended() { # ended NAME WHAT
    code=$(cat "$1.code") out=$work/$1.out err=$work/$1.err
    expect_code 0 "$2"
    out=$work/out err=$work/err
}
for ranks in 1 2; do
    DTRAIN_COUNT_LAYERS=$work/count$ranks DTRAIN_SLOW_LAYER="$((calls[ranks] + 1)) $((75 * ranks))" LD_PRELOAD=$layers \
        together "slow$ranks" "$ranks" train --set data.file=small.h5 --set train.epochs=1 "${mlp[@]}"
done
DTRAIN_FAULT="rank=0 call=write path=dtrain-spool nth=1+ do=delay ms=1000 armed=1" DTRAIN_FAULT_LOG=$work/delayed LD_PRELOAD=$shim \
    together packed 2 train --set data.file=packed.h5 --set train.steps=2 "${mlp[@]}"
wait
ended slow1 "an evaluation longer than ten times train.timeout (1)"
ended slow2 "an evaluation longer than ten times train.timeout (2)"
ended packed "an unpacking longer than ten times train.timeout"
for ranks in 1 2; do
    slow=$(($(cat "count$ranks") - calls[ranks]))
    ((slow * 75 * ranks > 5000)) || fail "the evaluation on $ranks ranks has only $slow slow layers"
done
(($(grep -c ' fault$' delayed) > 5)) || fail "the unpacking has only $(grep -c ' fault$' delayed) slow blocks"

# ---- suspended ----------------------------------------------------------------------------------------------------------

begin() { # begin RUN ARGUMENT…: a run of three ranks that does not end by itself
    start 3 train --set "data.file=$data" --set train.epochs=5000 --set train.timeout=1 --set checkpoint.every='100 steps' \
        --set train.log_every='20 steps' --run "$@"
    until_true 30 has_steps "$1" 100 || fail "$1 does not get going"
    until_true 30 has_checkpoint "$1" || fail "$1 has no checkpoint"
    ranks=$(for rank in 0 1 2; do rank_pid $rank; done)
}
tell() { # tell SIGNAL: all ranks
    # shellcheck disable=SC2086
    kill "-$1" $ranks
}
none_runs() {
    local pid
    for pid in $ranks; do
        [[ ! -e /proc/$pid ]] || grep -q '^State:.*[ZX]' "/proc/$pid/status" || return 1
    done
}

begin suspended
for seconds in 2 3; do
    tell STOP
    sleep "$seconds" # that time goes by is what is to be survived
    before=$(tail -n 1 suspended/metrics.jsonl | grep -oE '"step":[0-9]+' | grep -oE '[0-9]+')
    tell CONT
    until_true 30 has_steps suspended $((before + 1000)) || fail "it does not go on after $seconds s"
done
kill -TERM "$job"
await
expect_code 75 "suspended as a whole for longer than train.timeout, twice, it goes on"

# The step in which it was suspended is not one that takes long, or twenty times as long would be allowed from there on,
# and $limit over before what stands still afterwards is noticed.
begin afterwards
tell STOP
sleep 4
before=$(tail -n 1 afterwards/metrics.jsonl | grep -oE '"step":[0-9]+' | grep -oE '[0-9]+')
tell CONT
until_true 30 has_steps afterwards $((before + 100)) || fail "it does not go on after 4 s"
stopped=$(rank_pid 1)
kill -STOP "$stopped"
await
expect_in "$err" "held up by rank 1 \(stopped while " "a rank stopped after the job was suspended is named"
kill -KILL "$stopped" 2>/dev/null

# ---- every rank goes ----------------------------------------------------------------------------------------------------

export OMPI_MCA_orte_abort_on_non_zero_status=0 OMPI_MCA_orte_allowed_exit_without_sync=1 # a launcher that looks away
begin left
stopped=$(rank_pid 1)
kill -STOP "$stopped"
others=$ranks
ranks=${ranks//$stopped/}
until_true 30 none_runs || fail "the others still run"
expect_in "$err" "held up by rank 1 \(stopped while " "the stopped rank is named"
ranks=$others
kill -CONT "$stopped"
until_true 30 none_runs && pass "every rank goes by itself, the stopped one when it goes on"
await
unset OMPI_MCA_orte_abort_on_non_zero_status OMPI_MCA_orte_allowed_exit_without_sync

begin orphans
launcher=$(sed -n 's/^PPid:\t//p' "/proc/$(rank_pid 0)/status")
kill -KILL "$launcher"
if until_true 30 none_runs; then pass "without a launcher every rank goes"; else fail "ranks are left without a launcher"; fi
await
((code != 0)) || fail "the run without a launcher says that all is well"
for run in left orphans; do
    run 1 verify "$run"
    expect_code 0 "the checkpoints of $run"
done
finish
