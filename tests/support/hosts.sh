# shellcheck shell=bash
# Several hosts in one machine, for tests; sourced after lib.sh. Each host is a name of its own (a UTS namespace), so Open
# MPI and dtrain take them for as many machines: between them messages go over TCP, and each has node-shared memory of
# its own. The launcher runs on the first, as in a job. What is not like a cluster: they share cores and
# disks, so who waits gives way.
# shellcheck disable=SC2154,SC2034  # variables of lib.sh

# Needs root. Where namespaces are not to be had the test is skipped, and says which.
need_hosts() {
    need_open_mpi 4 "several hosts are made with the means of one launcher"
    unshare --uts hostname dtrain-host-test 2>/dev/null && return
    echo "skipped: several hosts (unshare --uts is not permitted here; be root)"
    exit 77
}

# mpirun's stand-in for ssh: AGENT HOST COMMAND…
agent=$work/agent
cat >"$agent" <<'END'
#!/usr/bin/env bash
host=$1
shift
exec unshare --uts bash -c 'hostname "$0" && exec bash -c "$*"' "$host" "$@"
END
chmod +x "$agent"

# start_on HOSTS ARGUMENT…: dtrain on hosts, given as "hostA:2 hostB:1" with the ranks of each, in the background. Output
# in $out and $err, the launcher's process in $job, as `start` of lib.sh does it.
start_on() {
    local hosts=$1 host ranks=0
    shift
    rm -f "$err.whole"
    for host in $hosts; do ranks=$((ranks + ${host#*:})); done
    # shellcheck disable=SC2016  # the inner shell is to expand them
    OMPI_MCA_btl=self,vader,tcp OMPI_MCA_btl_tcp_if_include=lo OMPI_MCA_oob_tcp_if_include=lo \
        OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_plm_rsh_agent=$agent OMPI_MCA_orte_tmpdir_base=$work OMP_NUM_THREADS=1 MPIEXEC_TIMEOUT=$limit \
        setsid unshare --uts bash -c 'hostname "$0" && exec "$@"' "${hosts%%:*}" "$mpirun" --leave-session-attached \
        --host "${hosts// /,}" -n "$ranks" --bind-to none "$dtrain" "$@" \
        2> >(sed -u -f "$source/launch/launcher.sed" >"$err" && : >"$err.whole") >"$out" </dev/null &
    job=$!
}
# heard: what `start_on` began has said on standard error is in $err, once its last process has ended
heard() {
    until_true 20 test -e "$err.whole" || fail "standard error does not end"
}

# run_on HOSTS ARGUMENT…: the same to its end; exit code in $code (124: hung)
run_on() {
    start_on "$@"
    await
    heard
    ((code != 110)) || code=124
}

# launcher_crashed: the launcher of the run that ended, not a rank, died of a signal of its own and said where
launcher_crashed() { ((code >= 128)) && grep -q "^\\[[^]:]*:$job\\] \\*\\*\\* Process received signal" "$err"; }

# on_host_of PID: the processes of this test on the host of PID: dtrain's ranks, Open MPI's daemon or launcher
on_host_of() {
    local namespace pid
    namespace=$(readlink "/proc/$1/ns/uts") || return 1
    for pid in $(pgrep -x 'dtrain|orted|mpirun'); do
        [[ $(readlink "/proc/$pid/ns/uts") != "$namespace" ]] || echo "$pid"
    done
}
