#!/usr/bin/env bash
# dtrain on this machine: launch/local.sh [-n RANKS] ARGUMENT…      (RANKS: as many as there are cores to use)
# Any number of ranks on any number of cores, as any user, in a container or not. Ctrl-C, SIGTERM and SIGUSR1 let the run
# finish its step and write a checkpoint; the exit code is dtrain's (75: the same command goes on).
set -euo pipefail

here=$(dirname "$(realpath "$0")")
# shellcheck source=launch/cores.sh
. "$here/cores.sh"
count_cores ""
ranks=$cores
if [[ ${1-} == -n ]]; then
    ranks=${2-}
    [[ $ranks =~ ^[1-9][0-9]*$ ]] || { echo "local.sh: -n ${ranks:-(nothing)}: it must be a number of ranks" >&2; exit 2; }
    shift 2
fi
program=${DTRAIN:-$here/../dtrain}
[[ -x $program || ${DTRAIN-} ]] || program=$here/../../../bin/dtrain # installed: this is share/dtrain/launch
[[ -x $program ]] || { echo "local.sh: no ${DTRAIN:-$here/../dtrain}; launch/quickstart.sh builds it" >&2; exit 2; }

# shellcheck source=launch/ranks.sh
. "$here/ranks.sh"
prepare_ranks
# With cores to spare a rank may have threads (compute.threads): they need more than its one.
binding=none
[[ $machine != whole ]] || ((ranks > cores || 2 * ranks <= cores)) || binding=core
start_of "$ranks" "$binding"

exec 3> >(trap '' INT TERM USR1 HUP && exec sed -u -f "$here/launcher.sed" >&2)
filter=$!

# mpirun passes over in silence that its output finds no room, or no reader; tee says so, and reads on.
pass_on() {
    trap '' INT TERM USR1 HUP PIPE XFSZ
    LC_ALL=C tee --output-error=warn /dev/null 2>&1 >&5 5>&- |
        sed -u "s/^tee: '\?standard output'\?: \(.*\)/dtrain: standard output cannot be written: \1; lines of it are lost/" >&2
    exit "${PIPESTATUS[0]}"
} 5>&1
if [[ -t 1 ]]; then
    exec 4>&1
    copy=
else
    exec 4> >(pass_on)
    copy=$!
fi

# mpirun answers SIGINT and SIGTERM by killing the ranks a second later, but passes SIGUSR1 on. So it gets a session of
# its own, out of Ctrl-C's way, and every signal reaches it as SIGUSR1.
told=0
trap 'told=$((told + 1)); kill -USR1 "$job" 2>/dev/null' INT TERM USR1 HUP
setsid "${start[@]}" "$program" "$@" 2>&3 3>&- >&4 4>&- &
job=$!
exec 3>&- 4>&-
while kill -0 "$job" 2>/dev/null; do
    wait "$job" || true # a signal ends this wait early
done
lost=0
[[ ! $copy ]] || wait "$copy" || lost=1
wait "$filter" || true
code=0
wait "$job" || code=$?
((code != 0)) || code=$lost
[[ $launcher != mpich ]] || ((code < 3 || code > 31)) || code=$((code + 128)) # a rank's signal, as Open MPI and shells tell it
((code != 138 || told != 1)) || code=75 # mpirun dies of a SIGUSR1 before it is ready for one: nothing has begun
exit "$code"
