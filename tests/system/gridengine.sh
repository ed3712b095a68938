#!/usr/bin/env bash
# launch/sge.sh under a real Grid Engine of our own making: one host, eight slots, everything in a directory of its own. A job
# is warned at its soft limit, saves, goes back into the queue and resumes there on other ranks; deleted, it saves and
# stays away; whoever goes on comes to the digest of the run nobody touched. And a job array.
. "$(dirname "$0")/../support/lib.sh"
need_data
need_open_mpi 4 "mpirun starts the job's ranks on its own host"
PATH=$PATH:/usr/sbin:/sbin
tools=/usr/lib/gridengine
command -v sge_qmaster sge_execd qsub qconf "$tools/spoolinit" >/dev/null ||
    skip "Grid Engine (gridengine-master, gridengine-exec, gridengine-client) is not installed"
getent hosts "$(hostname)" >/dev/null || skip "Grid Engine (nothing says what the address of this host is)"
((EUID == 0)) || skip "Grid Engine's daemons are root's; be root"

# ---- a cell ----------------------------------------------------------------------------------------------------------------
host=$(hostname)
export SGE_ROOT=$work/sge SGE_CELL=default SGE_QMASTER_PORT=$((20000 + $$ % 20000)) SGE_EXECD_PORT=$((20001 + $$ % 20000))
mkdir -p sge/default/common spool/qmaster/job_scripts spool/db spool/execd
for part in bin lib util utilbin; do ln -s "/var/lib/gridengine/$part" "sge/$part"; done
cat >sge/default/common/bootstrap <<CONF
admin_user none
default_domain none
ignore_fqdn true
spooling_method berkeleydb
spooling_lib libspoolb
spooling_params $work/spool/db
binary_path /usr/sbin
qmaster_spool_dir $work/spool/qmaster
security_mode none
listener_threads 2
worker_threads 2
scheduler_threads 1
CONF
echo "$host" >sge/default/common/act_qmaster
echo "$host localhost" >sge/default/common/host_aliases
share=/usr/share/gridengine
sed "s|^execd_spool_dir.*|execd_spool_dir $work/spool/execd|; s|^min_uid.*|min_uid 0|; s|^min_gid.*|min_gid 0|
     s|^load_report_time.*|load_report_time 00:00:02|" "$share/default-configuration" >configuration
{
    "$tools/spoolinit" berkeleydb libspoolb "$work/spool/db" init && "$tools/spooldefaults" configuration configuration &&
        "$tools/spooldefaults" complexes "$share/util/resources/centry" && "$tools/spooldefaults" usersets "$share/util/resources/usersets" &&
        "$tools/spooldefaults" managers "$(id -un)"
} >cell.log 2>&1 || give_up "no cell of Grid Engine: $(tail -n 3 cell.log)"
end_cell() {
    timeout 10 qdel -f -u "$(id -un)"
    timeout 10 qconf -ke all
    timeout 10 qconf -km
    local pid
    for pid in $(pgrep 'sge_(qmaster|execd|shepherd)'); do
        ! grep -qzxF "SGE_ROOT=$SGE_ROOT" "/proc/$pid/environ" || kill -KILL "$pid"
    done
    clean_up
} >/dev/null 2>&1
trap end_cell EXIT
sge_qmaster >>cell.log 2>&1 || give_up "sge_qmaster: $(tail -n 3 cell.log)"
until_true 30 qconf -sh || give_up "sge_qmaster does not start: $(tail -n 3 cell.log spool/qmaster/messages)"
# shellcheck disable=SC2016  # Grid Engine knows these
printf '%s\n' 'pe_name mpi' 'slots 8' 'user_lists NONE' 'xuser_lists NONE' 'start_proc_args NONE' 'stop_proc_args NONE' \
    'allocation_rule $pe_slots' 'control_slaves TRUE' 'job_is_first_task FALSE' 'urgency_slots min' 'accounting_summary FALSE' 'qsort_args NONE' >environment
qconf -sq | sed "s/^qname .*/qname all.q/; s/^hostlist .*/hostlist $host/; s/^slots .*/slots 8/; s/^pe_list .*/pe_list mpi/; s/^rerun .*/rerun TRUE/; s/^load_thresholds .*/load_thresholds NONE/; s/^notify .*/notify 00:00:30/; s|^shell  *.*|shell /bin/bash|" >queue
qconf -ssconf | sed 's/^schedule_interval .*/schedule_interval 0:0:1/; s/^flush_\(submit\|finish\)_sec .*/flush_\1_sec 1/' >scheduler
qconf -ah "$host" >>cell.log 2>&1
{ qconf -as "$host" && qconf -Ap environment && qconf -Aq queue && qconf -Msconf scheduler; } >>cell.log 2>&1 ||
    give_up "no queue of Grid Engine: $(tail -n 3 cell.log)"
sge_execd >>cell.log 2>&1 || give_up "sge_execd: $(tail -n 3 cell.log)"
host_reports() { qstat -f | grep -q '^all\.q@.* lx-amd64 *$'; }
until_true 60 host_reports || give_up "sge_execd does not report: $(qstat -f)"

# ---- jobs ------------------------------------------------------------------------------------------------------------------
export DTRAIN=$dtrain DTRAIN_LAUNCH=$source/launch OMPI_MCA_rmaps_base_oversubscribe=1
cp "$source/launch/recipes/fashion-mlp.yaml" .
arguments=(fashion-mlp.yaml --set "data.file=$data" --set train.shards=4 --set train.log_every="20 steps" --set train.eval_every=never)
# submit LOG OPTION… -- ARGUMENT…: prints the job's number
submit() {
    local log=$1 options=()
    shift
    while [[ $1 != -- ]]; do options+=("$1") && shift; done
    qsub -terse -o "$log" "${options[@]}" "$source/launch/sge.sh" "${arguments[@]}" "${@:2}" 2>>qsub.err | sed 's/\..*//'
}
state() { qstat | awk -v job="$1" '$1 == job { print $5; exit }'; }
is_in_state() { [[ $(state "$1") =~ ^($2)$ ]]; }
is_gone() { [[ -z $(state "$1") ]]; }
step_of() { grep -oE "^(stopped|done) run=.* step=[0-9]+" "$1" | tail -n 1 | sed 's/.*step=//'; }

# To its limit and back, on other ranks. On a machine that is slow today nothing may be made within the limit: then it comes back.
job=$(slowly 2 submit limited.log -pe mpi 3 -l s_rt=0:0:10,h_rt=1:0:0 -- --run limited --set train.epochs=1000)
until_true 120 is_in_state "$job" r || fail "the job does not run: $(qstat) $(cat qsub.err)"
qmod -d all.q >/dev/null # what goes back into the queue waits there
for _ in 1 2 3; do
    until_true 120 is_in_state "$job" 'Rq|qw|Rqw' || fail "at its limit the job is $(state "$job"), not back in the queue"
    [[ $(step_of limited.log) == [1-9]* ]] && break
    qmod -e all.q >/dev/null
    until_true 120 is_in_state "$job" 'Rr|r' || fail "what went back does not run: $(state "$job")"
    qmod -d all.q >/dev/null
done
expect_in limited.log '^stopped run=limited .*ended=(signal|time_limit) .* ranks=3 ' "warned at its limit, it saves"
expect_in limited.log 'back into the queue' "and asks to run again"
qalter -pe mpi 2 -l s_rt=1:0:0,h_rt=2:0:0 "$job" >/dev/null || fail "qalter"
qmod -e all.q >/dev/null
goes_on() { [[ $(grep -c '^going on from limited/' limited.log) -ge 1 ]] && tail -n 3 limited.log | grep -q '^epoch '; }
until_true 120 goes_on || fail "back from the queue it does not go on: $(state "$job")"

# Deleted: it saves within what -notify gives it, and does not come back.
qdel "$job" >/dev/null
until_true 120 is_gone "$job" || fail "the deleted job is $(state "$job")"
expect_in limited.log '^stopped run=limited .* ranks=2 ' "there, on other ranks, and deleted, it saves"
last=$(step_of limited.log)

# To the end, beside an array.
whole=(--set train.epochs=1000 --set train.steps=$((last + 40)))
job=$(submit last.log -pe mpi 1 -- --run limited "${whole[@]}")
# shellcheck disable=SC2016  # likewise
array=$(submit 'array.$TASK_ID.log' -pe mpi 1 -t 1-2 -- --run 'array-%a' --set 'seed=%a' --set train.steps=40)
until_true 120 is_gone "$job" || fail "the last job is $(state "$job")"
until_true 120 is_gone "$array" || fail "the array is $(state "$array")"
run 1 train "${arguments[@]}" "${whole[@]}" --run whole
digest=$(last_value digest)
expect_in last.log "^done run=limited step=$((last + 40)) .* ranks=1 .* digest=$digest" "the digest of the run nobody touched"
for task in 1 2; do
    expect_in "array.$task.log" "^done run=array-$task step=40 " "task $task of an array has a run of its own"
done
finish
