#!/usr/bin/env bash
# launch/slurm.sbatch under a real Slurm of our own making: one node, eight CPUs, everything in a directory of its own.
# A job is warned before its limit, saves, goes back into the queue and resumes there on other ranks, to the digest of the
# run nobody touched. Others are put back, lose a rank, are cancelled, are an array, or want a run that another has.
. "$(dirname "$0")/../support/lib.sh"
need_data
need_open_mpi 4 "mpirun starts the job's ranks on its own node"
PATH=$PATH:/usr/sbin:/sbin
command -v slurmctld slurmd sbatch >/dev/null || skip "Slurm (slurmctld, slurmd, slurm-client) is not installed"

user=$(id -un)
port=$((20000 + $$ % 20000))
mkdir state spool
cat >slurm.conf <<CONF
ClusterName=test
SlurmctldHost=$(hostname)(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/none
CredType=cred/none
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerParameters=sched_interval=1
SlurmdParameters=config_overrides
ReturnToService=2
NodeName=$(hostname) NodeAddr=127.0.0.1 CPUs=8 State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$work/slurm.conf
slurmctld -D >/dev/null 2>&1 &
slurmd -D >/dev/null 2>&1 &
trap 'timeout 10 scancel --user="$user" 2>/dev/null; clean_up' EXIT
node_is_idle() { [[ $(sinfo -h -t idle,mix -o %n) ]]; }
until_true 30 node_is_idle || give_up "Slurm does not start: $(tail -n 3 ./*.log)"

export DTRAIN=$dtrain
cp "$source/launch/recipes/fashion-mlp.yaml" .
long=(--set "data.file=$data" --set train.shards=4 --set train.log_every="100 steps" --set train.eval_every=never)
state() { squeue -h -j "$1" -o %T 2>/dev/null; }
is_pending() { [[ $(state "$1") == PENDING ]]; }
is_gone() { [[ -z $(state "$1") ]]; }
# submit LOG OPTION… -- ARGUMENT…
submit() {
    local log=$1 options=()
    shift
    while [[ $1 != -- ]]; do options+=("$1") && shift; done
    sbatch --parsable --output="$log" "${options[@]}" "$source/launch/slurm.sbatch" fashion-mlp.yaml "${long[@]}" "${@:2}"
}
# start_now ID UPDATE…: a job that went back into the queue waits for two minutes; we do not.
start_now() {
    until_true 120 is_pending "$1" || [[ $(state "$1") == RUNNING ]] || fail "job $1 is $(state "$1"), not pending"
    is_pending "$1" || return
    [[ $# == 1 ]] || scontrol update jobid="$1" "${@:2}" || fail "job $1: scontrol update ${*:2}"
    sleep 2 # slurmd refuses a job that starts in the second in which it was last killed
    scontrol update jobid="$1" StartTime=now
}

# ---- all at once: one to its limit, one that is disturbed, an array -----------------------------------------------------------
warned=$(submit warned.log --ntasks=3 --time=1 --signal=B:USR1@20 -- --run warned --set train.epochs=1000)
disturbed=$(submit disturbed.log --ntasks=2 --time=10 -- --run disturbed --set train.epochs=1000 --set checkpoint.every="50 steps")
array=$(submit 'array-%a.log' --array=1-2 --ntasks=1 --time=10 -- --run 'array-%a' --set 'seed=%a' --set train.steps=200)

has_checkpoint() { compgen -G "$1/checkpoints/step-*.h5"; }
until_true 120 has_checkpoint disturbed || fail "the job to be disturbed does not get going"
scontrol requeue "$disturbed"
start_now "$disturbed"
# Slurm looks every half a minute who is to be warned. On a slow machine that may be before the first step: once more then.
has_lines() { (($(grep -c "$2" "$1") >= $3)); }
for attempt in 1 2 3; do
    until_true 150 has_lines warned.log 'back into the queue' "$attempt"
    ! grep -q '^stopped run=warned' warned.log || break
    start_now "$warned" TimeLimit=$((attempt + 1))
done
if grep -q 'back into the queue' warned.log; then
    pass "warned, it goes back into the queue"
else
    fail "no warning" && show warned.log
fi
expect_in warned.log '^stopped run=warned .* ended=signal .* ranks=3 ' "with a checkpoint"
step=$(sed -nE 's/^stopped .* step=([0-9]+) .*/\1/p' warned.log)
start_now "$warned" NumTasks=2 NumCPUs=2 TimeLimit=10
until_true 120 grep -q 'going on from' disturbed.log || fail "what was put back does not go on"
expect_in disturbed.log '^going on from disturbed/' "put back by scontrol requeue, which kills at once, it goes on by itself"
rank_of() { # RUN: one of its ranks
    local pid
    for pid in $(pgrep -x dtrain); do
        if [[ $(readlink "/proc/$pid/cwd") == "$work" ]] && grep -qzx -- "$1" "/proc/$pid/cmdline" &&
            grep -qzx OMPI_COMM_WORLD_RANK=1 "/proc/$pid/environ"; then
            echo "$pid" && return
        fi
    done
}
until_true 120 has_lines disturbed.log '^epoch .* step' 2
kill -KILL "$(rank_of disturbed)"
until_true 120 grep -q 'a rank or a host was lost; restart 1 of 3' disturbed.log || fail "no restart after a rank was killed"
until_true 120 has_lines disturbed.log '^going on from' 2 || fail "it does not go on after a rank was killed"
expect_in disturbed.log 'restart 1 of 3 in 1 s' "a rank is killed: started again in the same job"
until_true 120 grep -q '^going on from warned' warned.log || fail "the warned job does not go on"
until_true 120 has_lines disturbed.log '^epoch ' $(($(grep -c '^epoch ' disturbed.log) + 1)) # there is something to save
scancel --signal=TERM --batch "$disturbed"
until_true 120 is_gone "$disturbed" || fail "told to end, the job is still $(state "$disturbed")"
if has_lines disturbed.log '^stopped run=disturbed' 1 && ! grep -q 'back into the queue' disturbed.log; then
    pass "cancelled, it saves and stays away"
else
    fail "cancelled: not saved, or not away" && show disturbed.log
fi
scancel --signal=TERM --batch "$warned"
until_true 120 is_gone "$warned" || fail "the warned job is still $(state "$warned")"
expect_in warned.log '^stopped run=warned .* ranks=2 ' "on another number of tasks"
last=$(sed -nE 's/^stopped .* step=([0-9]+) .*/\1/p' warned.log | tail -n 1)
((last > step)) || fail "no step was made after $step"

# ---- to the end, in one allocation with two steps -----------------------------------------------------------------------------
finish_it=(train fashion-mlp.yaml "${long[@]}" --set train.epochs=1000 --set train.steps=$((last + 40000)) --run warned)
# shellcheck disable=SC2016  # the inner shell is to expand them
salloc -Q -n 2 --time=10 bash -c '
    srun -Q --overlap -n 1 "$@" >first.log 2>&1 &
    for ((i = 0; i < 600; i++)); do ! grep -q "^epoch " first.log || break && sleep 0.1; done
    srun -Q --overlap -n 1 "$@" >second.log 2>&1
    echo "$?" >second.code
    scancel --signal=USR1 "$SLURM_JOB_ID.0"
    wait' allocation "$source/launch/ranks.sh" 1 "$dtrain" "${finish_it[@]}" >"$out" 2>&1 || fail "the allocation: $(<"$out")"
expect_in second.log 'is in use|holds it|another job|already' "a second step on the run directory is refused"
[[ $(cat second.code) == [1-9]* ]] || fail "the second step was not refused: $(cat second.code)"
expect_in first.log '^stopped run=warned .*ended=signal' "which the first one does not notice"
last=$(sed -nE 's/^stopped .* step=([0-9]+) .*/\1/p' first.log)
final=(train fashion-mlp.yaml "${long[@]}" --set train.epochs=1000 --set train.steps=$((last + 100)))
run 1 "${final[@]}" --run warned
expect_last "done run=warned step=$((last + 100)) .*" "it comes to an end"
digest=$(last_value digest)
run 2 "${final[@]}" --run untouched
expect_last "done run=untouched .* digest=$digest" "with the digest of the run nobody touched"

until_true 120 is_gone "$array" || fail "the array is still $(state "$array")"
if grep -q '^done run=array-1 step=200 ' array-1.log && grep -q '^done run=array-2 step=200 ' array-2.log; then
    pass "each job of an array has a run of its own"
else
    fail "the array" && show array-*.log
fi
if srun --mpi=list 2>&1 | grep -q pmix; then
    rm -rf ranked
    srun -Q --mpi=pmix -n 2 "$dtrain" train fashion-mlp.yaml "${long[@]}" --set train.steps=20 --run ranked >"$out" 2>"$err"
    expect_last 'done run=ranked step=20 .* ranks=2 .*' "srun --mpi=pmix starts ranks"
else
    lacks "srun --mpi=pmix: this Slurm has $(srun --mpi=list 2>&1 | tail -n +2 | tr -d '\t' | tr '\n' ' ')"
fi
finish
