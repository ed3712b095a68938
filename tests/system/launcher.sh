#!/usr/bin/env bash
# launch/local.sh: how many ranks it starts and where it binds them, on machines this one is not; and that of what mpirun
# says of itself nothing reaches the user.
. "$(dirname "$0")/../support/lib.sh"
. "$source/launch/cores.sh"

# machine NAME CPUS THREADS ALLOWED: a machine of so many processors, so many to a core, in directory NAME
machine() {
    local cpu first
    mkdir -p "$1/proc/self" "$1/sys/fs/cgroup"
    for ((cpu = 0; cpu < $2; cpu++)); do
        mkdir -p "$1/sys/devices/system/cpu/cpu$cpu/topology"
        first=$((cpu / $3 * $3))
        echo "$first-$((first + $3 - 1))" >"$1/sys/devices/system/cpu/cpu$cpu/topology/thread_siblings_list"
    done
    echo "0-$(($2 - 1))" >"$1/sys/devices/system/cpu/online"
    printf 'Name:\tbash\nCpus_allowed:\tff\nCpus_allowed_list:\t%s\n' "$4" >"$1/proc/self/status"
}
# counted NAME CORES WHOLE-OR-PART WHAT
counted() {
    local cores machine
    count_cores "$1"
    if [[ $cores == "$2" && $machine == "$3" ]]; then pass "$4"; else fail "$4: $cores, $machine, not $2, $3"; fi
}
# limited NAME GROUP DIRECTORY FILE=TEXT…: this process is in GROUP (a line of /proc/self/cgroup)
limited() {
    local name=$1 directory=$1/sys/fs/cgroup$3 file
    echo "$2" >"$name/proc/self/cgroup"
    shift 3
    mkdir -p "$directory"
    for file; do echo "${file#*=}" >"$directory/${file%%=*}"; done
}

machine plain 4 1 0-3
counted plain 4 whole "four cores"
machine threads 8 2 0-7
counted threads 4 whole "hyper-threads are not cores"
machine some 8 2 0-1,4
counted some 2 part "cores of this process, not of the machine"
machine second 16 1 0-15
limited second 0::/job/step /job cpu.max='250000 100000'
limited second 0::/job/step /job/step cpu.max='max 100000'
counted second 2 part "a quota of two and a half processors above the own group (version 2)"
machine container 16 1 0-15
limited container 0::/ '' cpu.max='50000 100000'
counted container 1 part "half a processor is one rank"
machine first 16 1 0-15
limited first 4:cpu,cpuacct:/docker/1 /cpu,cpuacct cpu.cfs_quota_us=300000 cpu.cfs_period_us=100000
counted first 3 part "a quota of three (version 1)"
limited first 4:cpu:/ /cpu cpu.cfs_quota_us=-1 cpu.cfs_period_us=100000
counted first 16 whole "no quota (version 1)"

# where FILE: a program that says where it may run
cat >where <<'END'
#!/bin/sh
sed -n 's/^Cpus_allowed_list:[^0-9]*/on /p' /proc/self/status
END
chmod +x where
# ranks_are N WHAT ARGUMENT…: so many ran
ranks_are() {
    local ranks=$1 what=$2
    shift 2
    DTRAIN=$work/where "$source/launch/local.sh" "$@" >"$out" 2>"$err"
    code=$?
    expect_code 0 "$what"
    [[ $(grep -c '^on ' "$out") == "$ranks" && ! -s $err ]] || { fail "$what: not $ranks ranks" && show "$out" "$err"; }
}
count_cores ""
export HWLOC_SYNTHETIC="Package:1 Core:1 PU:2" HWLOC_THISSYSTEM=1
ranks_are "$cores" "one core of two threads, as mpirun sees it"
ranks_are 2 "two ranks on it" -n 2
ranks_are 3 "three" -n 3
unset HWLOC_SYNTHETIC HWLOC_THISSYSTEM
last=$(taskset -pc $$ | grep -oE '[0-9]+$')
DTRAIN=$work/where taskset -c "$last" "$source/launch/local.sh" >"$out" 2>"$err"
if [[ $(<"$out") == "on $last" ]]; then
    pass "kept to one processor, there is one rank, and it stays there"
else
    fail "kept to processor $last" && show "$out" "$err"
fi

# What mpirun, and the library below it, were seen to say.
mkdir bin
cat >bin/mpirun <<'END'
#!/bin/sh
[ "$1" != --version ] || { echo "mpirun (Open MPI) 4.1.4" && exit; }
cat >&2 <<'TEXT'
[warn] Epoll MOD(1) on fd 33 failed.  Old events were 6; read change was 0 (none); write change was 2 (del); close change was 0 (none): Bad file descriptor
--------------------------------------------------------------------------
MPI_ABORT was invoked on rank 0 in communicator MPI COMMUNICATOR 3 DUP FROM 0
with errorcode 1.

NOTE: invoking MPI_ABORT causes Open MPI to kill all MPI processes.
You may or may not see output from other processes, depending on
exactly when Open MPI kills them.
--------------------------------------------------------------------------
dtrain: recipe.yaml:3: what is wrong
[warn] Epoll ADD(4) on fd 34 failed.  Old events were 0; read change was 0 (none); write change was 1 (add); close change was 0 (none): Bad file descriptor
--------------------------------------------------------------------------
Primary job  terminated normally, but 1 process returned
a non-zero exit code. Per user-direction, the job has been aborted.
--------------------------------------------------------------------------
--------------------------------------------------------------------------
mpirun detected that one or more processes exited with non-zero status, thus causing
the job to be terminated. The first process to do so was:

  Process name: [[12345,1],0]
  Exit code:    1
--------------------------------------------------------------------------
[host:01234] 3 more processes have sent help message help-mpi-api.txt / mpi-abort
[host:01234] Set MCA parameter "orte_base_help_aggregate" to 0 to see all help / error messages
TEXT
exit 1
END
chmod +x bin/mpirun
DTRAIN=$work/where DTRAIN_MPIRUN=$work/bin/mpirun "$source/launch/local.sh" >"$out" 2>"$err"
code=$?
expect_bad 1 'recipe.yaml:3: what is wrong$' "of what mpirun says nothing is left"

# An mpirun of another MPI than the program's starts as many programs that are alone. The words of such a
# one are set, and the program is alone.
(
    export PMI_SIZE=3
    if [[ $launcher == mpich ]]; then unset PMI_SIZE && export OMPI_COMM_WORLD_SIZE=3; fi
    timeout 60 "$dtrain" train "$source/launch/recipes/fashion-mlp.yaml" --run alone >"$out" 2>"$err"
)
code=$?
expect_bad 1 'the launcher started 3 ranks, but they cannot see each other: it is another MPI.s than dtrain' \
    "a launcher of another MPI"
if [[ -e alone ]]; then fail "a run was begun"; else pass "nothing was begun"; fi

# Told to stop before mpirun is ready for it: that kills it, and nothing has begun.
cat >bin/mpirun <<'END'
#!/bin/sh
[ "$1" != --version ] || exit
touch begun
exec sleep 60
END
DTRAIN=$work/where DTRAIN_MPIRUN=$work/bin/mpirun env --default-signal=INT "$source/launch/local.sh" >"$out" 2>"$err" &
job=$!
until_true 30 test -f begun || fail "it does not begin"
kill -INT "$job"
await
expect_code 75 "told to stop before anything has begun"

# ---- restarts: which ends of a run are worth another attempt -----------------------------------------------------------------
# ends: a program that ends the way of its attempt, one a line in `plan`
cat >ends <<'END'
#!/bin/bash
echo >>attempts
way=$(sed -n "$(wc -l <attempts)p" plan)
case $way in
    kill) kill -KILL $$ ;;
    stuck) echo "dtrain: no progress for 2 s (train.timeout): held up by rank 0" >&2 && exit 1 ;;
    wrong) echo "dtrain: recipe.yaml:3: what is wrong" >&2 && exit 1 ;;
    *) exit "$way" ;;
esac
END
chmod +x ends
# attempts_are N CODE WHAT WAY…: so many attempts of --max-restarts 1, the exit code of the last
attempts_are() {
    local attempts=$1 wanted=$2 what=$3
    rm -f attempts
    printf '%s\n' "${@:4}" >plan
    DTRAIN=$work/ends "$source/launch/local.sh" -n 1 --max-restarts 1 >"$out" 2>"$err"
    code=$?
    if [[ $code == "$wanted" && $(wc -l <attempts) == "$attempts" ]]; then
        pass "$what: $attempts, exit code $code"
    else
        fail "$what: $(wc -l <attempts) attempts and exit code $code, not $attempts and $wanted" && show "$err"
    fi
}
attempts_are 2 0 "a rank is killed" kill 0
attempts_are 2 0 "a rank stands still" stuck 0
attempts_are 2 137 "killed again: one restart was allowed" kill kill 0
expect_in "$err" 'local.sh: exit code 137 after 1 restarts; giving up' "and says so"
attempts_are 1 1 "bad input" wrong 0
attempts_are 1 2 "wrong use" 2 0
attempts_are 1 75 "stopped" 75 0

# A real run of which a rank is killed.
need_data
long=(train --set "data.file=$data" --set train.shards=2 --set train.steps=400 --set train.eval_every=never --set "checkpoint.every=50 steps")
DTRAIN=$dtrain slowly 2 "$source/launch/local.sh" -n 2 --max-restarts 1 "${long[@]}" --run killed >"$out" 2>"$err" </dev/null &
job=$!
has_checkpoint() { compgen -G "killed/checkpoints/step-*.h5"; }
until_true 120 has_checkpoint || fail "the run does not get going"
kill -KILL "$(rank_pid 1)"
await
expect_in "$err" 'local.sh: exit code 137: a rank or a host was lost; restart 1 of 1 in 1 s' "a rank of a run is killed"
expect_in "$out" '^going on from killed/checkpoints/' "it goes on from a checkpoint"
digest=$(last_value digest)
run 1 "${long[@]}" --run whole
expect_last "done run=whole step=400 .* digest=$digest" "to the end of the run nobody touched"

# And one of which the process that makes the checkpoints' files is killed: rank 0's child.
DTRAIN=$dtrain slowly 2 "$source/launch/local.sh" -n 2 --max-restarts 1 "${long[@]}" --run helpless >"$out" 2>"$err" </dev/null &
job=$!
has_helpless() { compgen -G "helpless/checkpoints/step-*.h5"; }
until_true 120 has_helpless || fail "the run does not get going"
kill -KILL "$(pgrep -P "$(rank_pid 0)")"
await
expect_in "$err" '^dtrain: the checkpoint of step [0-9]* was not written .*: the process that makes the file was killed' "its helper is killed"
expect_in "$err" 'local.sh: exit code 1: .*; restart 1 of 1 in 1 s' "that is worth another attempt"
expect_last "done run=helpless step=400 .* digest=$digest" "which ends as the run nobody touched"

# One job of a machine at a time binds its ranks: mpirun counts cores from the first.
count_cores ""
if [[ $machine == whole && $cores -gt 1 ]]; then
    everywhere=$(sed -n 's/^Cpus_allowed_list:[^0-9]*/on /p' /proc/self/status)
    # shellcheck disable=SC2016  # the inner shell is to expand them
    flock -w 30 /sys/devices/system/cpu bash -c 'DTRAIN=$0 "$1" 9<&-' "$work/where" "$source/launch/local.sh" >"$out"
    if [[ $(grep -cx "$everywhere" "$out") == "$cores" ]]; then
        pass "beside another job ranks are not bound"
    else
        fail "beside another job ranks are bound" && show "$out"
    fi
else
    lacks "ranks beside another job: there is one core here, or a part of a machine"
fi
finish
