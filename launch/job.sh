#!/usr/bin/env bash
# What the scripts of this directory share: one attempt at a run on the ranks somebody gave it, how it is told to stop, and
# what follows from how it ended. local.sh and those of the schedulers source it; by itself it trains on whatever
# hosts mpirun knows of (mpijob.yaml):   launch/job.sh RECIPE.yaml [ARGUMENT…]
# Exit codes are dtrain's: 0 done, 1 an error that will repeat, 2 wrong use, 75 stopped (the same command goes on), and
# 128 and more of a rank or host that was lost.
# shellcheck disable=SC2034  # variables for whoever sources this
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
# shellcheck source=launch/cores.sh
. "$here/cores.sh"
# shellcheck source=launch/ranks.sh
. "$here/ranks.sh"

# find_program: $program
find_program() {
    program=${DTRAIN:-$here/../dtrain}
    [[ -x $program || ${DTRAIN-} ]] || program=$here/../../../bin/dtrain # installed: this is share/dtrain/launch
    [[ -x $program ]] || { echo "${0##*/}: no ${DTRAIN:-$here/../dtrain}; launch/quickstart.sh builds it" >&2 && return 2; }
}

# mpirun passes over in silence that its output finds no room, or no reader; tee says so, and reads on.
pass_on() {
    trap '' INT TERM USR1 USR2 HUP URG PIPE XFSZ
    LC_ALL=C tee --output-error=warn /dev/null 2>&1 >&5 5>&- |
        sed -u "s/^tee: '\?standard output'\?: \(.*\)/dtrain: standard output cannot be written: \1; lines of it are lost/" >&2
    exit "${PIPESTATUS[0]}"
} 5>&1

# told SIGNAL: what traps do. mpirun answers SIGINT and SIGTERM by killing the ranks a second later, but passes SIGUSR1 on.
# So it gets a session of its own, out of Ctrl-C's way, and every signal reaches it as SIGUSR1.
told=0
away= # somebody wants the job gone: it does not come back by itself
tell() {
    told=$((told + 1))
    case $1 in INT | TERM | HUP) away=yes ;; esac
    [[ ! $job ]] || kill -USR1 "$job" 2>/dev/null || true
    [[ ! $pause ]] || kill "$pause" 2>/dev/null || true
}
job=
pause=
hear_signals() {
    local signal
    # shellcheck disable=SC2064  # now
    for signal in INT TERM HUP USR1 USR2 URG; do trap "tell $signal" "$signal"; done
}

# attempt ARGUMENT…: dtrain with these on the ranks of "${start[@]}"; its exit code in $code. $words has what was said of
# ranks and hosts that were lost.
attempt() {
    local filter copy='' lost=0 before=$told
    words=$(mktemp "${TMPDIR:-/tmp}/dtrain-words.XXXXXX") || return 2
    exec 3> >(trap '' INT TERM USR1 USR2 HUP URG && exec sed -u -f "$here/launcher.sed" -e "/$lost_words\|$unbegun_words/w $words" >&2)
    filter=$!
    if [[ -t 1 ]]; then
        exec 4>&1
    else
        exec 4> >(pass_on)
        copy=$!
    fi
    setsid "${start[@]}" "$program" "$@" 2>&3 3>&- >&4 4>&- &
    job=$!
    exec 3>&- 4>&-
    while kill -0 "$job" 2>/dev/null; do
        wait "$job" || true # a signal ends this wait early
    done
    [[ ! $copy ]] || wait "$copy" || lost=1
    wait "$filter" || true
    code=0
    wait "$job" || code=$?
    job=
    ((code != 0)) || code=$lost
    [[ $launcher != mpich ]] || ((code < 3 || code > 31)) || code=$((code + 128)) # a rank's signal, as Open MPI and shells tell it
    ((code != 138 || told != before + 1)) || code=75 # mpirun dies of a SIGUSR1 before it is ready for one: nothing has begun
    if ((code == 1)) && [[ -s $words ]]; then lost_one=yes; else lost_one=; fi
    if ((code == 75)) && [[ -s $words ]]; then unbegun=yes; else unbegun=; fi
    rm -f "$words"
}
# What is said with exit code 1 where a rank, a host, or the process that makes checkpoints did not go on.
lost_words='^dtrain: \(no progress for [0-9.]* s\|the launcher of this job is gone\|the ranks did not all start\|the checkpoint of step [0-9]* was not written .*: the process that makes the file was killed\)'

# What dtrain says with exit code 75 when it was to stop before its first step.
unbegun_words='^dtrain: stopped by .* before there was anything to save'

# is_worth_another: whether an attempt that ended so may end otherwise the next time. Bad input, a full disk, a loss that is no
# number (1), wrong use (2) and a program that does not start (126, 127) will repeat; a rank that was killed or crashed,
# a launcher that crashed or lost a host (128 and more), and a rank that stood still will not.
is_worth_another() { ((code >= 128)) || [[ $lost_one ]]; }

# train_with_restarts MOST ARGUMENT…: attempts until one is not worth another, or MOST restarts came one after the other
# without the run having made 1 minute of its way; waits 1 s before the first, twice as long before each that follows.
train_with_restarts() {
    local most=$1 restarts=0 begun wait_for=1
    shift
    while :; do
        begun=$SECONDS
        attempt "$@"
        [[ $told == 0 ]] || return 0
        is_worth_another || return 0
        ((SECONDS - begun < ${DTRAIN_RESTART_AFTER:-60})) || restarts=0 wait_for=1
        ((restarts < most)) || {
            ((most == 0)) || echo "${0##*/}: exit code $code after $restarts restarts; giving up" >&2
            return 0
        }
        restarts=$((restarts + 1))
        echo "${0##*/}: exit code $code: a rank or a host was lost; restart $restarts of $most in $wait_for s" >&2
        sleep "$wait_for" &
        pause=$!
        wait "$pause" || true
        pause=
        [[ $told == 0 ]] || { code=75 && return 0; }
        wait_for=$((wait_for < 32 ? 2 * wait_for : 60))
    done
}

# batch ARGUMENT…: training as a job of a scheduler, on the ranks it gave mpirun. A warning (USR1, USR2, URG) lets the run
# save and come back, a cancellation (TERM, INT) save and stay away. %a in arguments is the index of a job in an array.
# $again: the job is to go back into the queue.
batch() {
    find_program && prepare_ranks hosts || return
    set -- "${@//%a/${DTRAIN_ARRAY_INDEX-%a}}"
    hear_signals
    start_of "${DTRAIN_RANKS:-}" "$(binding_of "${DTRAIN_CPUS_ON_NODE:-0}" "${OMP_NUM_THREADS:-1}")"
    train_with_restarts "${DTRAIN_MAX_RESTARTS:-3}" train "$@"
    again=
    [[ $code != 75 || $away ]] || again=yes
    is_getting_on "$@" || again='' code=1
}

# is_getting_on ARGUMENT…: not where three jobs in a row with these arguments were over before their first step, as where a time
# limit is shorter than a start: the next would be, too. They are counted in a file of the working directory.
is_getting_on() {
    local file before=0
    file=.dtrain-unbegun-$(printf '%s\0' "$@" | cksum | tr ' ' -)
    if [[ ! $again || ! $unbegun ]]; then
        rm -f "$file"
        return 0
    fi
    read -r before 2>/dev/null <"$file" || before=0
    if [[ $before =~ ^[12]$ ]] && ((before == 2)); then
        rm -f "$file"
        echo "${0##*/}: the third job in a row that was over before the run's first step; giving up: it needs more time" >&2
        return 1
    fi
    [[ $before == 1 ]] || before=0
    echo $((before + 1)) 2>/dev/null >"$file" || echo "${0##*/}: $PWD: cannot be written; jobs that begin nothing are not counted" >&2
}

# binding_of CPUS THREADS: core where the scheduler keeps this job to its CPUS processors of this machine; where it does not,
# another job may have been given the cores that mpirun would count from the first. Ranks with threads need more than one.
binding_of() {
    local cores machine
    count_cores ""
    if (($2 == 1 && $1 > 0 && cores <= $1)); then echo core; else echo none; fi
}

# sum_of LIST: of Slurm's "4(x2),3", 11. SLURM_NTASKS is what was asked for at first, also of a job that comes back smaller.
sum_of() {
    local part parts sum=0
    IFS=, read -ra parts <<<"$1"
    for part in "${parts[@]}"; do
        if [[ $part =~ ^([0-9]+)\(x([0-9]+)\)$ ]]; then
            sum=$((sum + BASH_REMATCH[1] * BASH_REMATCH[2]))
        elif [[ $part =~ ^[0-9]+$ ]]; then
            sum=$((sum + part))
        fi
    done
    ((sum == 0)) || echo "$sum"
}

# ends_in TIME: [days-][[hours:]minutes:]seconds as DTRAIN_END_TIME, from now, unless it is set
ends_in() {
    local text=$1 days=0 seconds=0 part parts
    [[ ! ${DTRAIN_END_TIME-} && $text =~ ^([0-9]+-)?[0-9]+(:[0-9]+)*$ ]] || return 0
    [[ $text != *-* ]] || days=${text%%-*} text=${text#*-}
    IFS=: read -ra parts <<<"$text"
    for part in "${parts[@]}"; do seconds=$((60 * seconds + 10#$part)); done
    export DTRAIN_END_TIME=$(($(date +%s) + 86400 * days + seconds))
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
    (($# >= 1)) || { sed -n '2,6s/^# \?//p' "$0" >&2 && exit 2; }
    batch "$@" || exit
    exit "$code"
fi
