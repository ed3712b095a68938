# shellcheck shell=bash
# shellcheck disable=SC2034  # variables for whoever sources this
# The cores this process may use, for the scripts of this directory, which source it. nproc is no answer: it counts
# hyper-threads, on which mpirun refuses to bind, and before coreutils 9.8 knows nothing of a container's share.

# numbers_of LIST: "0-2,5" as one number a line
numbers_of() {
    local part parts
    IFS=, read -ra parts <<<"$1"
    for part in "${parts[@]}"; do
        seq "${part%-*}" "${part#*-}"
    done
}

# keep_less QUOTA PERIOD: processors' worth of time in a period, both in microseconds; less than so far is what counts
keep_less() {
    [[ $1 =~ ^[0-9]+$ && $2 =~ ^[1-9][0-9]*$ ]] || return 0 # "max" and -1: no limit
    local whole=$(($1 / $2))
    ((whole > 0)) || whole=1
    ((whole >= quota)) || quota=$whole
}

# count_quota ROOT: $quota, the whole processors that the control groups above this process leave it, of either version
count_quota() {
    local hierarchy controllers path directory period limit
    while IFS=: read -r hierarchy controllers path; do
        if [[ $hierarchy == 0 ]]; then
            directory=$1/sys/fs/cgroup
        elif [[ ,$controllers, == *,cpu,* ]]; then
            directory=$1/sys/fs/cgroup/$controllers
            [[ -d $directory ]] || directory=$1/sys/fs/cgroup/cpu
        else
            continue
        fi
        while :; do # from its own group up to the root, which in a container is the container's
            [[ ! -r $directory$path/cpu.max ]] ||
                { read -r limit period <"$directory$path/cpu.max" && keep_less "$limit" "$period"; }
            [[ ! -r $directory$path/cpu.cfs_quota_us ]] ||
                keep_less "$(<"$directory$path/cpu.cfs_quota_us")" "$(<"$directory$path/cpu.cfs_period_us")"
            [[ $path == */* ]] || break
            path=${path%/*}
        done
    done <"$1/proc/self/cgroup"
}

# count_cores ROOT: of the machine whose / is ROOT ("": this one) $cores, at least 1, and $machine: "whole" when they are
# all it has. Where they are not, mpirun must bind no rank: it counts from the machine's first core, as it would for
# everybody else's run there.
count_cores() {
    local root=$1 allowed=0 online=0 cpu siblings name value quota=1000000
    local -A seen=()
    [[ -r $root/proc/self/status ]] && while read -r name value; do
        [[ $name == Cpus_allowed_list: ]] || continue
        for cpu in $(numbers_of "$value"); do
            siblings=$cpu # where the kernel does not say which threads share a core
            for name in thread_siblings_list core_cpus_list; do
                [[ ! -r $root/sys/devices/system/cpu/cpu$cpu/topology/$name ]] ||
                    read -r siblings <"$root/sys/devices/system/cpu/cpu$cpu/topology/$name"
            done
            seen[$siblings]=1
            allowed=$((allowed + 1))
        done
    done <"$root/proc/self/status"
    cores=${#seen[@]}
    ((cores > 0)) || cores=$(env -u OMP_NUM_THREADS nproc)
    [[ ! -r $root/sys/devices/system/cpu/online ]] ||
        online=$(numbers_of "$(<"$root/sys/devices/system/cpu/online")" | wc -l)
    [[ ! -r $root/proc/self/cgroup ]] || count_quota "$root"
    machine=whole
    ((allowed >= online && quota >= cores)) || machine=part
    ((quota >= cores)) || cores=$quota
}
