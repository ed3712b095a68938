#!/usr/bin/env bash
#$ -N dtrain
#$ -cwd
#$ -V
#$ -S /bin/bash
#$ -pe mpi 8
#$ -l s_rt=00:58:00,h_rt=01:00:00
#$ -notify
#$ -r y
#$ -j y
#$ -o dtrain.out
# A recipe under Grid Engine, longer than any time limit: qsub launch/sge.sh RECIPE.yaml [ARGUMENT…]
# At s_rt Grid Engine warns with SIGUSR1 (and before it kills, by -notify, with SIGUSR2); dtrain finishes its step, writes a
# checkpoint and exits with 75; exit code 99 then has the job run again from the queue. qsub's own options come first; the
# parallel environment (mpi) is named by each site: qsub -pe orte 32 launch/sge.sh …    qdel lets it save too, and stay away.
set -uo pipefail

# Grid Engine runs a copy of this script, in the directory it was submitted from (-cwd).
launch=${DTRAIN_LAUNCH:-${SGE_O_WORKDIR:-$PWD}/launch}
# shellcheck source=launch/job.sh
. "$launch/job.sh" || exit 2
export DTRAIN=${DTRAIN:-${SGE_O_WORKDIR:-$PWD}/dtrain}
DTRAIN_RANKS=${NSLOTS-} DTRAIN_ARRAY_INDEX=${SGE_TASK_ID-%a}
DTRAIN_CPUS_ON_NODE=$(awk -v host="$(hostname)" 'index($1, host) == 1 || index(host, $1) == 1 { n += $2 } END { print n + 0 }' "${PE_HOSTFILE:-/dev/null}")
batch "$@" || exit
[[ ! $again ]] || { echo "stopped before the time limit; back into the queue" && exit 99; }
exit "$code"
