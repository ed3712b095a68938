# shellcheck shell=bash
# What the shell tests share. A test sources this, checks with pass, fail and expect_…, and ends with `finish`. Failures
# are counted, not fatal, so one run shows them all.
# shellcheck disable=SC2034  # variables for whoever sources this
set -uo pipefail

source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${DTRAIN_BUILD:-$source/build}
dtrain=$build/src/dtrain
work=$(mktemp -d "${TMPDIR:-/tmp}/dtrain-test.XXXXXX")
out=$work/out
err=$work/err
code=0
failures=0
limit=${DTRAIN_LIMIT:-60} # seconds a run may take before it counts as hung
trap clean_up EXIT
. "$source/launch/ranks.sh"
prepare_ranks || exit
cd "$work" || exit 1

# Memory that ranks share is a file, and stays when they are killed: those of a test go with it.
shared=$(mktemp -d /dev/shm/dtrain-test.XXXXXX 2>/dev/null) || shared=$work
export OMPI_MCA_btl_vader_backing_directory=$shared OMPI_MCA_btl_sm_backing_directory=$shared OMPI_MCA_osc_sm_backing_directory=$shared
clean_up() {
    end_jobs
    rm -rf "$work" "$shared"
}

pass() { echo "ok    $*"; }
fail() {
    echo "FAIL  $*"
    failures=$((failures + 1))
}
give_up() {
    echo "FAIL  $*"
    exit 1
}
# skip REASON: the machine lacks what the test is about, or the rest of it; tests/run.sh lists the reason
skip() {
    ((failures == 0)) || exit 1
    echo "skipped: $*"
    exit 77
}
lacks() { echo "skipped: $*"; } # WHAT: REASON. One of the test's cases
# need_open_mpi VERSION WHY
need_open_mpi() { [[ $("$mpirun" --version) =~ \((Open MPI|OpenRTE)\)" $1." ]] || skip "$2 (only Open MPI $1 has them)"; }
finish() { exit $((failures > 0)); }

end_jobs() {
    local job
    for job in $(jobs -p); do
        disown "$job"
        kill -KILL -- "$job"
    done 2>/dev/null
}

# run N ARGUMENT…: dtrain on N ranks, one alone without mpirun. Output in $out and $err, exit code in $code (124: hung).
run() {
    local ranks=$1
    shift
    if ((ranks == 1)); then
        timeout -k 2 "$limit" "$dtrain" "$@" >"$out" 2>"$err" </dev/null
    else
        DTRAIN=$dtrain MPIEXEC_TIMEOUT=$limit timeout -k 2 $((limit + 5)) \
            "$source/launch/local.sh" -n "$ranks" "$@" >"$out" 2>"$err" </dev/null
    fi
    code=$?
    case $code in 110 | 241 | 255) code=124 ;; esac # MPIEXEC_TIMEOUT, as Open MPI 4, 5 and MPICH tell it
}

# start N ARGUMENT…: the same in the background: $job is its process, to be signalled and given to `await`.
start() {
    local ranks=$1
    shift
    DTRAIN=$dtrain MPIEXEC_TIMEOUT=$limit env --default-signal=INT \
        "$source/launch/local.sh" -n "$ranks" "$@" >"$out" 2>"$err" </dev/null &
    job=$!
}
await() {
    wait "$job"
    code=$?
}

# rank_pid N: the process of rank N of the run that `start` began
rank_pid() {
    local pid
    for pid in $(pgrep -x dtrain); do
        if [[ $(readlink "/proc/$pid/cwd") == "$work"* ]] &&
            grep -qzE "^(OMPI_COMM_WORLD_RANK|PMI_RANK)=$1$" "/proc/$pid/environ" 2>/dev/null; then
            echo "$pid"
            return
        fi
    done
    return 1
}

# slowly MILLISECONDS COMMAND…: every layer of its runs takes so much longer, so that the end does not come before what is to
# happen on the way to it, however fast the machine is
slowly() {
    local layers=$build/tests/layers.so milliseconds=$1
    shift
    [[ -f $layers ]] || give_up "no $layers; build first"
    DTRAIN_SLOW_LAYER="1 $milliseconds" LD_PRELOAD=$layers "$@"
}

# until_true SECONDS COMMAND…: waits for the command to succeed
until_true() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || return 1
        sleep 0.05
    done
}

show() { sed 's/^/      | /' "$@" | tail -n 12; }

expect_code() { # expect_code CODE WHAT
    if ((code == $1)); then
        pass "$2: exit code $1"
    else
        fail "$2: exit code $code, not $1" && show "$out" "$err"
    fi
}
expect_in() { # expect_in FILE REGEX WHAT
    if grep -qE -- "$2" "$1"; then
        pass "$3"
    else
        fail "$3: no line like /$2/" && show "$1"
    fi
}
expect_last() { # expect_last REGEX WHAT: the whole last line of standard output
    if tail -n 1 "$out" | grep -qxE -- "$1"; then
        pass "$2"
    else
        fail "$2: the last line is not /$1/" && show "$out" "$err"
    fi
}
# expect_one_line REGEX WHAT: standard error is one line, of dtrain, like this
expect_one_line() {
    if [[ $(wc -l <"$err") == 1 ]] && grep -qE -- "^dtrain: .*$1" "$err"; then
        pass "$2: $(head -c 200 "$err")"
    else
        fail "$2: standard error is not one line like /dtrain: .*$1/" && show "$err"
    fi
}
# expect_bad CODE REGEX WHAT: refused: this exit code and one line on standard error
expect_bad() {
    if ((code != $1)); then
        fail "$3: exit code $code, not $1" && show "$out" "$err"
    else
        expect_one_line "$2" "$3"
    fi
}

# last_value KEY: of the machine-readable last line. Where there is none, what is equal to no other value.
last_value() { tail -n 1 "$out" | tr ' ' '\n' | sed -n "s/^$1=//p" | grep . || echo "no-$1-$BASHPID-$SECONDS"; }

# figures: that line without what may differ from run to run; likewise
figures() {
    tail -n 1 "$out" | grep ' digest=' |
        sed -E 's/^[a-z]+ (run=[^ ]+ )?//; s/ (samples_per_s|tokens_per_s|seconds|ranks)=[^ ]+//g' ||
        echo "no-figures-$BASHPID-$SECONDS"
}

# clang_tool NAME: sets `tool` to the program of that name of version 14, whose findings the sources are free of
clang_tool() {
    for tool in "$1-14" "$1"; do
        ! "$tool" --version 2>/dev/null | grep -q 'version 14\.' || return 0
    done
    skip "$1 14 is not installed"
}

# python, with h5py: the system's, or the first in PATH
for python in /usr/bin/python3 python3; do
    ! "$python" -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("h5py"))' 2>/dev/null || break
done

# Fashion-MNIST as IDX files, where Debian's package has them unless told otherwise; imported once per build: $data.
idx=${DTRAIN_FASHION_MNIST:-/usr/share/datasets/fashion-mnist}
data=$build/test-data/fashion-mnist.h5
need_data() {
    [[ $data -nt $dtrain ]] && return
    [[ -d $idx ]] || skip "no Fashion-MNIST in $idx; DTRAIN_FASHION_MNIST names the directory"
    mkdir -p "${data%/*}"
    "$dtrain" import idx "$idx"/{train-images-idx3,train-labels-idx1,t10k-images-idx3,t10k-labels-idx1}-ubyte.gz \
        "$data" >import.log 2>&1 || give_up "import of Fashion-MNIST: $(cat import.log)"
}

# has_steps RUN N: the run's metrics know a step >= N
has_steps() { tail -n 1 "$1/metrics.jsonl" | grep -oE '"step": ?[0-9]+' | grep -oE '[0-9]+' | awk -v n="$2" '{exit $1 < n}'; }

# has_checkpoint RUN: one counts, which it does some steps after that of its state
has_checkpoint() { compgen -G "$1/checkpoints/*.h5" >/dev/null; }

# cut_data FILE TRAIN TEST: the first so many samples of each split of Fashion-MNIST
cut_data() {
    "$python" - "$data" "$@" <<'PYTHON' || give_up "no $1 of Fashion-MNIST's first samples"
import h5py, sys

with h5py.File(sys.argv[1], "r") as whole, h5py.File(sys.argv[2], "w") as cut:
    for split, samples in zip(("train", "test"), sys.argv[3:]):
        for part in "xy":
            cut[f"{split}/{part}"] = whole[f"{split}/{part}"][: int(samples)]
PYTHON
}
