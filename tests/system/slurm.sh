#!/usr/bin/env bash
# launch/slurm.sbatch under a real Slurm of our own making: one node, four CPUs, everything in a directory of its own.
# The job is warned before its limit, saves, goes back into the queue and resumes there, until it is done.
. "$(dirname "$0")/../support/lib.sh"
need_data
PATH=$PATH:/usr/sbin:/sbin

user=$(id -un)
port=$((20000 + $$ % 20000))
mkdir state spool
cat >slurm.conf <<END
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
NodeName=$(hostname) NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
export SLURM_CONF=$work/slurm.conf
slurmctld -D >/dev/null 2>&1 &
slurmd -D >/dev/null 2>&1 &
node_is_idle() { [[ $(sinfo -h -t idle -o %n) ]]; }
until_true 30 node_is_idle || give_up "Slurm does not start: $(tail -n 3 ./*.log)"

export DTRAIN=$dtrain
cp "$source/launch/recipes/fashion-mlp.yaml" .
id=$(sbatch --parsable --ntasks=4 --time=1 --signal=B:USR1@60 --output=job.log "$source/launch/slurm.sbatch" \
    fashion-mlp.yaml --set "data.file=$data" --set train.epochs=1000 --set train.log_every="100 steps")
state() { squeue -h -j "$id" -o %T; }
is_pending() { [[ $(state) == PENDING ]]; }
is_gone() { [[ -z $(state) ]]; }
if until_true 150 grep -q 'back into the queue' job.log; then
    pass "warned, it goes back into the queue"
else
    fail "no warning" && show job.log
fi
expect_in job.log '^stopped run=runs/fashion-mlp .* ranks=4 ' "with a checkpoint"

# Slurm lets a job that went back wait for two minutes; we do not.
until_true 30 node_is_idle || fail "the job does not end"
until_true 30 is_pending || fail "the job is $(state), not pending"
sleep 3 # slurmd refuses a job that starts in the second in which it was last killed
scontrol update jobid="$id" StartTime=now
until_true 30 grep -q 'going on from' job.log || fail "it does not go on"
expect_in job.log '^going on from runs/fashion-mlp/checkpoints/' "it goes on by itself"
step=$(sed -nE 's/^stopped .* step=([0-9]+) .*/\1/p' job.log)
until_true 30 has_steps runs/fashion-mlp $((step + 100)) || fail "it makes no steps from $step on"
scancel --signal=TERM --batch "$id"
until_true 30 is_gone || fail "told to end, the job is still $(state)"
if (($(grep -c '^stopped run=' job.log) == 2)); then pass "told to end, it saves"; else fail "not saved" && show job.log; fi
"$dtrain" verify runs/fashion-mlp || fail "checkpoints"
finish
