#!/usr/bin/env bash
# A recipe under LSF, longer than any time limit: launch/lsf.sh RECIPE.yaml [ARGUMENT…]         submits itself
# Two minutes before the limit LSF warns with SIGUSR1; dtrain finishes its step, writes a checkpoint and exits with 75, with
# which LSF puts the job back into the queue (-Q 75). Options of bsub are in DTRAIN_BSUB, after those of here:
#   DTRAIN_BSUB="-n 32 -W 4:00 -q long" launch/lsf.sh RECIPE.yaml                   bkill -s TERM lets it save and stay away
set -uo pipefail

if [[ ! ${LSB_JOBID-} ]]; then
    (($# >= 1)) || { sed -n '2,5s/^# \?//p' "$0" >&2 && exit 2; }
    read -ra more <<<"${DTRAIN_BSUB-}"
    exec bsub -J dtrain -n 8 -W 1:00 -wt 2 -wa USR1 -r -Q 75 -o dtrain-%J.out "${more[@]}" "$(realpath "$0")" "$@"
fi
# shellcheck source=launch/job.sh
. "$(dirname "$(realpath "$0")")/job.sh" || exit 2
export DTRAIN=${DTRAIN:-${LS_SUBCWD:-$PWD}/dtrain}
# LSB_MCPU_HOSTS: "host slots host slots …"
DTRAIN_RANKS=${LSB_DJOB_NUMPROC-}
DTRAIN_CPUS_ON_NODE=$(tr ' ' '\n' <<<"${LSB_MCPU_HOSTS-}" | paste -d ' ' - - | awk -v host="$(hostname)" '$1 == host { print $2; exit }')
[[ ${LSB_JOBINDEX:-0} == 0 ]] || DTRAIN_ARRAY_INDEX=$LSB_JOBINDEX
batch "$@" || exit
[[ ! $again ]] || echo "stopped before the time limit; back into the queue"
[[ $code != 75 || $again ]] || code=0 # saved, and not to come back: -Q would bring it back
exit "$code"
