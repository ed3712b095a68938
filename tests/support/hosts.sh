# shellcheck shell=bash
# Several hosts in one machine, for tests; sourced after lib.sh. Each host is a name of its own (a UTS namespace), so Open
# MPI and dtrain take them for as many machines: between them messages go over TCP. With networks (lay_network) each has
# an address and a link of its own, too, which can be cut, and a /dev/shm of its own. The launcher runs on the
# first, as in a job. What is not like a cluster: they share cores and disks, so who waits gives way.
# shellcheck disable=SC2154,SC2034  # variables of lib.sh

# Needs root. Where namespaces are not to be had the test is skipped, and says which.
need_hosts() {
    need_open_mpi 4 "several hosts are made with the means of one launcher"
    unshare --uts hostname dtrain-host-test 2>/dev/null && return
    echo "skipped: several hosts (unshare --uts is not permitted here; be root)"
    exit 77
}

# on HOST COMMAND…: becomes the command there
on=$work/on
cat >"$on" <<'END'
#!/usr/bin/env bash
host=$1
shift
if [[ -e /run/netns/$DTRAIN_TEST_NET-$host ]]; then
    exec ip netns exec "$DTRAIN_TEST_NET-$host" unshare --uts --mount bash -c \
        'hostname "$0" && mount -t tmpfs shm /dev/shm && mkdir -p "$DTRAIN_TEST_SHARED" && exec "$@"' "$host" "$@"
fi
exec unshare --uts bash -c 'hostname "$0" && exec "$@"' "$host" "$@"
END
# mpirun's stand-in for ssh: AGENT HOST COMMAND…
agent=$work/agent
cat >"$agent" <<END
#!/usr/bin/env bash
host=\$1
shift
exec "$on" "\$host" bash -c "\$*"
END
chmod +x "$on" "$agent"
export DTRAIN_TEST_NET=dtrain-$$ DTRAIN_TEST_SHARED=$shared
link=lo

# lay_network HOST…: each is on a link to one bridge, in a network namespace of its own. False where that is not permitted.
lay_network() {
    local host number=0 wire=$DTRAIN_TEST_NET-wire
    ip netns add "$wire" 2>/dev/null || return
    trap 'take_network_away; clean_up' EXIT
    ip -n "$wire" link add bridge type bridge && ip -n "$wire" link set bridge up || return
    for host; do
        number=$((number + 1))
        ip netns add "$DTRAIN_TEST_NET-$host" &&
            ip -n "$wire" link add "$host" type veth peer name eth0 netns "$DTRAIN_TEST_NET-$host" &&
            ip -n "$wire" link set "$host" master bridge up &&
            ip -n "$DTRAIN_TEST_NET-$host" link set lo up &&
            ip -n "$DTRAIN_TEST_NET-$host" link set eth0 up &&
            ip -n "$DTRAIN_TEST_NET-$host" addr add "10.77.0.$number/24" dev eth0 || return
    done
    link=eth0
}
set_link() { ip -n "$DTRAIN_TEST_NET-wire" link set "$1" "$2"; } # HOST up|down
# end_host HOST: whatever runs there ends at once
end_host() {
    local pids
    mapfile -t pids < <(ip netns pids "$DTRAIN_TEST_NET-$1")
    ((${#pids[@]} == 0)) || kill -KILL "${pids[@]}" 2>/dev/null
}
take_network_away() {
    local name
    for name in $(ip netns list | grep -o "^$DTRAIN_TEST_NET-[^ ]*"); do
        end_host "${name#"$DTRAIN_TEST_NET-"}"
        ip netns del "$name"
    done
}

# start_on HOSTS ARGUMENT…: dtrain on hosts, given as "hostA:2 hostB:1" with the ranks of each, in the background. Output
# in $out and $err, the launcher's process in $job, as `start` of lib.sh does it.
start_on() {
    local hosts=$1 host ranks=0
    shift
    rm -f "$err.whole"
    for host in $hosts; do ranks=$((ranks + ${host#*:})); done
    OMPI_MCA_btl=self,vader,tcp OMPI_MCA_btl_tcp_if_include=$link OMPI_MCA_oob_tcp_if_include=$link \
        OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_plm_rsh_agent=$agent OMPI_MCA_orte_tmpdir_base=$work OMP_NUM_THREADS=1 MPIEXEC_TIMEOUT=$limit \
        setsid "$on" "${hosts%%:*}" "$mpirun" --leave-session-attached \
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
