#!/usr/bin/env bash
# dtrain on this machine: launch/local.sh [-n RANKS] [--max-restarts N] ARGUMENT…  (RANKS: as many as there are cores to use)
# Any number of ranks on any number of cores, as any user, in a container or not. Ctrl-C, SIGTERM and SIGUSR1 let the run
# finish its step and write a checkpoint; the exit code is dtrain's (75: the same command goes on). With --max-restarts
# a run of which a rank was killed or stood still is started again, at most so many times in a row; an error that would
# repeat (1, 2) ends it.
set -euo pipefail

# shellcheck source=launch/job.sh
. "$(dirname "$(realpath "$0")")/job.sh"
count_cores ""
ranks=$cores
restarts=0
while [[ ${1-} == -n || ${1-} == --max-restarts ]]; do
    if [[ $1 == -n ]]; then
        ranks=${2-}
        [[ $ranks =~ ^[1-9][0-9]*$ ]] || { echo "local.sh: -n ${ranks:-(nothing)}: it must be a number of ranks" >&2; exit 2; }
    else
        restarts=${2-}
        [[ $restarts =~ ^[0-9]+$ ]] || { echo "local.sh: --max-restarts ${restarts:-(nothing)}: it must be a number" >&2; exit 2; }
    fi
    shift 2
done
find_program
prepare_ranks ""
# With cores to spare a rank may have threads (compute.threads): they need more than its one. mpirun counts cores from the
# first, as the next job here would: one at a time binds, and the lock lasts as long as any of its processes.
binding=none
if [[ $machine == whole ]] && ((ranks <= cores && 2 * ranks > cores)) && { exec 9</sys/devices/system/cpu; } 2>/dev/null; then
    if flock -n 9; then binding=core; else exec 9<&-; fi
fi
start_of "$ranks" "$binding"
hear_signals
train_with_restarts "$restarts" "$@"
exit "$code"
