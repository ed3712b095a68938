#!/usr/bin/env bash
# Installs what is missing, builds and runs every test. The last line is "N passed, N failed, N skipped", those
# before it name what was skipped, and why.
#   tests/run.sh [--quick] [-s SUITE]... [-k PATTERN]
# --quick     unit tests only         -s SUITE   unit, avx2, fuzz, mpi, system, fault, source, ports; may be repeated
# -k PATTERN  tests whose name has PATTERN (of grep)
# Two builds: build/ as released runs everything, build/asan runs unit tests and fuzz targets under ASan and UBSan. Two
# more (suite ports) only train: of another compiler and of another MPI, whose bits are to be the release's.
set -euo pipefail
cd "$(dirname "$0")/.."

suites=() # none is all
pattern=
ports=
while (($#)); do
    case $1 in
        --quick) suites=(unit) ;;
        -s) if [[ ${2:?-s needs a suite} == ports ]]; then ports=yes; else suites+=("$2"); fi && shift ;;
        -k) pattern=${2:?-k needs a pattern} && shift ;;
        *) sed -n '2,7s/^# //p' "$0" && exit 2 ;;
    esac
    shift
done

. launch/packages.sh
need_packages "${packages_build[@]}" "${packages_test[@]}" "${packages_slurm[@]}"

failed_builds=0
ports_passed=0
logs=()

# configure_and_build DIRECTORY OPTION…
configure_and_build() {
    local directory=$1 again=()
    shift
    [[ -f $directory/build.ninja ]] && again=(--reconfigure)
    mkdir -p "$directory"
    if meson setup "${again[@]}" "$directory" -Dtests=true "$@" >"$directory/setup.log" 2>&1; then
        ninja -C "$directory" --quiet && return
    else
        cat "$directory/setup.log"
    fi
    echo "$directory: the build failed"
    failed_builds=$((failed_builds + 1))
    return 1
}

# run_tests DIRECTORY SUITE…: no suite is all of them
run_tests() {
    local directory=$1 log=$1/meson-logs/testlog.json options=() names=()
    shift
    for suite; do options+=(--suite "$suite"); done
    rm -f "$log"
    if [[ $pattern ]]; then
        mapfile -t names < <(meson test -C "$directory" --list "${options[@]}" 2>/dev/null | sed -n 's|.* / ||p' |
            grep -e "$pattern")
        ((${#names[@]})) || return 0
    fi
    meson test -C "$directory" --no-rebuild --print-errorlogs "${options[@]}" "${names[@]}" </dev/null ||
        [[ -f $log ]] || failed_builds=$((failed_builds + 1))
    logs+=("$log")
}

only_ports=
if ((${#suites[@]} == 0)) && [[ ! $pattern ]]; then
    only_ports=$ports
    ports=yes
fi
if configure_and_build build -Dbuildtype=release -Dwerror=true && [[ ! $only_ports ]]; then
    run_tests build "${suites[@]}"
fi
watched=() # suites that a sanitizer watches
for suite in unit fuzz; do
    ((${#suites[@]})) && [[ " ${suites[*]} " != *" $suite "* ]] || watched+=("$suite")
done
if ((${#watched[@]})) && [[ ! $only_ports ]]; then
    if configure_and_build build/asan -Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Dwerror=true; then
        run_tests build/asan "${watched[@]}"
    fi
fi

# try_port NAME COMPILER LAUNCHER: builds with it, runs, and has the bits of build/ in $release
try_port() {
    local begun=$SECONDS
    CC=$2 DTRAIN_MPIRUN=$3 tests/support/port.sh "build/$1" "" >"build/$1.result" 2>"build/$1.log"
    if [[ $(grep -E '^(ran|mlp|gpt|cnn)=' "build/$1.result") == "$release" ]]; then
        echo "ports / $1: OK, $((SECONDS - begun)) s"
        ports_passed=$((ports_passed + 1))
    else
        echo "ports / $1: FAIL; it has, and then build/:"
        cat "build/$1.log" "build/$1.result"
        echo "$release"
        failed_builds=$((failed_builds + 1))
    fi
}
if [[ $ports && -x build/src/dtrain ]]; then
    need_packages "${packages_ports[@]}"
    release=$(DTRAIN=$PWD/build/src/dtrain tests/support/short_runs.sh launch 2>build/short_runs.log)
    if [[ $release == *ran=yes* ]]; then
        try_port clang "$(command -v clang-14 clang | head -n 1)" mpirun
        try_port mpich mpicc.mpich mpirun.mpich
    else
        echo "ports: FAIL; the release build itself:" && cat build/short_runs.log && echo "$release"
        failed_builds=$((failed_builds + 1))
    fi
fi

python3 - "$failed_builds" "$ports_passed" "${logs[@]}" <<'END'
import json, os, sys

count = {"passed": int(sys.argv[2]), "failed": int(sys.argv[1]), "skipped": 0}
skipped = []  # what was not tested, and why, in the words of the tests
for log in sys.argv[3:]:
    if not os.path.exists(log):
        continue
    for line in open(log, encoding="utf-8"):
        test = json.loads(line)
        result, name = test["result"], test["name"].split(" / ")[-1] + (" under ASan" if "/asan/" in log else "")
        count["passed" if result in ("OK", "EXPECTEDFAIL") else "skipped" if result == "SKIP" else "failed"] += 1
        reasons = [said[9:] for said in test.get("stdout", "").splitlines() if said.startswith("skipped: ")]
        if result == "SKIP":
            skipped.append(f"{name} ({'; '.join(reasons) or 'it does not say why'})")
        else:
            skipped += [f"a part of {name}, {reason}" for reason in reasons]
for what in skipped:
    print(f"skipped: {what}")
print(", ".join(f"{number} {what}" for what, number in count.items()))
sys.exit(count["failed"] > 0 or count["passed"] == 0)
END
