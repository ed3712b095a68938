#!/usr/bin/env bash
# Installs what is missing, builds and runs every test. The last line is "N passed, N failed, N skipped", those
# before it name what was skipped, and why.
#   tests/run.sh [--quick] [-s SUITE]... [-k PATTERN]
# --quick     unit tests only         -s SUITE   unit, avx2, fuzz, mpi, system, fault or source; may be repeated
# -k PATTERN  tests whose name has PATTERN (of grep)
# Two builds: build/ as released runs everything, build/asan runs unit tests and fuzz targets under ASan and UBSan.
set -euo pipefail
cd "$(dirname "$0")/.."

suites=()
pattern=
while (($#)); do
    case $1 in
        --quick) suites=(unit) ;;
        -s) suites+=("${2:?-s needs a suite}") && shift ;;
        -k) pattern=${2:?-k needs a pattern} && shift ;;
        *) sed -n '2,7s/^# //p' "$0" && exit 2 ;;
    esac
    shift
done

. launch/packages.sh
need_packages "${packages_build[@]}" "${packages_test[@]}" "${packages_slurm[@]}"

failed_builds=0
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

if configure_and_build build -Dbuildtype=release -Dwerror=true; then
    run_tests build "${suites[@]}"
fi
watched=() # suites that a sanitizer watches
for suite in unit fuzz; do
    ((${#suites[@]})) && [[ " ${suites[*]} " != *" $suite "* ]] || watched+=("$suite")
done
if ((${#watched[@]})); then
    if configure_and_build build/asan -Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Dwerror=true; then
        run_tests build/asan "${watched[@]}"
    fi
fi

python3 - "$failed_builds" "${logs[@]}" <<'END'
import json, os, sys

count = {"passed": 0, "failed": int(sys.argv[1]), "skipped": 0}
skipped = []  # what was not tested, and why, in the words of the tests
for log in sys.argv[2:]:
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
