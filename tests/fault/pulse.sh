#!/usr/bin/env bash
# What the ranks of one machine know of another's: a machine that is at work for long is waited for, and when one has
# said why the job ends the others go in silence.
. "$(dirname "$0")/../support/lib.sh"
. "$source/tests/support/hosts.sh"
need_hosts
need_data
shim=$build/tests/faultshim.so
[[ -f $shim ]] || give_up "no $shim; build first"
"$python" - "$data" <<'END' || give_up "no compressed data"
import h5py, sys
with h5py.File(sys.argv[1]) as whole, h5py.File("packed.h5", "w") as packed:
    for split, rows in (("train", 60000), ("test", 64)):
        packed.create_dataset(f"{split}/x", data=whole[f"{split}/x"][:rows], chunks=(64, 28, 28), compression=1)
        packed[f"{split}/y"] = whole[f"{split}/y"][:rows]
END

# Rank 0 alone takes 7.5 s to unpack. The other machine has nothing to do, and would wait for ten times half a second.
DTRAIN_FAULT="rank=0 call=write path=dtrain-spool nth=1+ do=delay ms=1250 armed=1" DTRAIN_FAULT_LOG=$work/delayed LD_PRELOAD=$shim \
    run_on "hostA:1 hostB:2" train --set data.file=packed.h5 --set train.steps=2 --set train.timeout=0.5 --set train.shards=4 --run packed
expect_code 0 "a machine waits for another's unpacking"
(($(grep -c ' fault$' delayed) > 4)) || fail "the unpacking has only $(grep -c ' fault$' delayed) slow blocks"

# What one machine says makes the ranks of all go, whatever the launcher does.
export OMPI_MCA_orte_abort_on_non_zero_status=0 OMPI_MCA_orte_allowed_exit_without_sync=1
start_on "hostA:1 hostB:2" train --set "data.file=$data" --set train.epochs=500 --set train.timeout=1 --set train.shards=4 \
    --set train.log_every='20 steps' --run stuck
until_true 60 has_steps stuck 60 || fail "it does not get going"
stopped=$(rank_pid 2)
kill -STOP "$stopped"
others_are_gone() { ! rank_pid 0 && ! rank_pid 1; }
until_true 60 others_are_gone || fail "the others go on"
kill -KILL "$stopped"
kill -TERM "$job" # a launcher that looks away waits for ever
await
expect_in "$err" 'held up by rank 2 \(stopped while ' "the machine that has the culprit speaks"
[[ $(grep -c '^dtrain: ' "$err") == 1 ]] || { fail "another speaks too" && show "$err"; }
finish
