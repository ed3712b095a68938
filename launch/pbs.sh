#!/usr/bin/env bash
#PBS -N dtrain
#PBS -l select=1:ncpus=8:mpiprocs=8
#PBS -l walltime=01:00:00
#PBS -j oe
#PBS -V
# A recipe under PBS (OpenPBS, PBS Pro), longer than any time limit: launch/pbs.sh RECIPE.yaml [ARGUMENT…]     submits itself
# PBS warns nobody: dtrain is told when the job's walltime ends (DTRAIN_END_TIME), stops early enough with a checkpoint and
# exits with 75; a job like this one is then submitted. Its output is appended to dtrain.out. Options of qsub are in DTRAIN_QSUB:
#   DTRAIN_QSUB="-l select=4:ncpus=32:mpiprocs=32 -l walltime=12:00:00" launch/pbs.sh RECIPE.yaml      qdel lets it save and stay away
set -uo pipefail

submit() {
    local more
    read -ra more <<<"${DTRAIN_QSUB-}"
    qsub "${more[@]}" "$DTRAIN_LAUNCH/pbs.sh"
}
if [[ ! ${PBS_JOBID-} ]]; then
    (($# >= 1)) || { sed -n '7,10s/^# \?//p' "$0" >&2 && exit 2; }
    export DTRAIN_LAUNCH DTRAIN_ARGUMENTS
    DTRAIN_LAUNCH=$(dirname "$(realpath "$0")")
    DTRAIN_ARGUMENTS=$(printf '%q ' "$@") # qsub -V takes the environment along; a script of PBS has no arguments
    submit
    exit
fi
cd "${PBS_O_WORKDIR:-.}" || exit 2
exec >>dtrain.out 2>&1
# shellcheck source=launch/job.sh
. "$DTRAIN_LAUNCH/job.sh" || exit 2
eval "set -- $DTRAIN_ARGUMENTS"
export DTRAIN=${DTRAIN:-$PWD/dtrain}
walltime=${PBS_WALLTIME-} # Torque has it, in seconds
[[ $walltime ]] || walltime=$(qstat -f "$PBS_JOBID" | sed -n 's/^ *Resource_List.walltime = //p')
unset DTRAIN_END_TIME # of the job that submitted this one
ends_in "$walltime"
DTRAIN_RANKS=$(wc -l <"$PBS_NODEFILE")
DTRAIN_CPUS_ON_NODE=$(grep -cx -e "$(hostname)" -e "$(hostname).*" "$PBS_NODEFILE")
DTRAIN_ARRAY_INDEX=${PBS_ARRAY_INDEX-%a}
batch "$@" || exit
if [[ $again ]]; then
    echo "stopped before the time limit; submitted again"
    unset DTRAIN_END_TIME
    submit || exit 1
fi
exit "$code"
