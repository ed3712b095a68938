#!/usr/bin/env bash
# One build of dtrain on whatever system this is: configured, built, run, tested. What came of it goes to standard output
# as KEY=VALUE lines, the programs' own words to standard error. For tests/portable.sh and tests/run.sh.
#   CC=COMPILER tests/support/port.sh BUILD "SUITE…" OPTION…      OPTION: of meson setup
# built   yes, or the first line that says why not
# ran, mlp, gpt, cnn   as short_runs.sh has it
# SUITE   tests passed of those that were not skipped; failed=NAMES, skipped=NAMES. Without suites none are built
# A prefix among the options: the build is installed and what was installed is run.
set -uo pipefail
source=$(cd "$(dirname "$0")/../.." && pwd)
build=$1
suites=$2
shift 2



begun=$SECONDS
mkdir -p "$build"
build=$(realpath "$build")
again=()
[[ ! -f $build/build.ninja ]] || again=(--reconfigure)
if ! meson setup "${again[@]}" "$build" "$source" -Dtests="$([[ $suites ]] && echo true || echo false)" -Dwerror=true "$@" >"$build/setup.log" 2>&1; then
    echo "built=no: $(grep -m 1 'ERROR' "$build/setup.log")"
    exit 1
fi
sed -n 's/^ *\(MPI\|HDF5\|oneDNN\) *: */with \1: /p' "$build/setup.log" >&2
if ! ninja -C "$build" >"$build/build.log" 2>&1; then
    echo "built=no: $(grep -m 1 -E 'error|undefined' "$build/build.log")"
    exit 1
fi
echo "built=yes"

# What a user has: the tree's scripts and the build's program, or what was installed.
launch=$source/launch
export DTRAIN=$build/src/dtrain
for option; do
    [[ $option == --prefix=* ]] || continue
    unset DTRAIN
    if ! meson install -C "$build" >"$build/install.log" 2>&1; then
        echo "ran=no: $(tail -n 1 "$build/install.log")"
        exit 1
    fi
    launch=${option#*=}/share/dtrain/launch
done
# That of the MPI it was built with, as the tests have it.
[[ ! $suites ]] || DTRAIN_MPIRUN=$(meson introspect --tests "$build" | python3 -c '
import json, sys
print(next(test["env"]["DTRAIN_MPIRUN"] for test in json.load(sys.stdin) if "DTRAIN_MPIRUN" in test["env"]))')
export DTRAIN_MPIRUN=${DTRAIN_MPIRUN:-mpirun}

"$source/tests/support/short_runs.sh" "$launch"

for suite in $suites; do
    meson test -C "$build" --no-rebuild --suite "$suite" --timeout-multiplier 3 </dev/null >"$build/test-$suite.log" 2>&1
    python3 - "$suite" "$build/meson-logs/testlog.json" <<'END'
import json, sys

tests = [json.loads(line) for line in open(sys.argv[2], encoding="utf-8")]
counted = [test for test in tests if test["result"] != "SKIP"]
failed = [test["name"].split(" / ")[-1] for test in counted if test["result"] != "OK"]
skipped = [test["name"].split(" / ")[-1] for test in tests if test["result"] == "SKIP"]
print(f"{sys.argv[1]}={len(counted) - len(failed)}/{len(counted)}")
if failed:
    print("failed=" + " ".join(failed))
if skipped:
    print("skipped=" + " ".join(skipped))
END
    cp "$build/meson-logs/testlog.json" "$build/test-$suite.json"
done
echo "took=$((SECONDS - begun)) s"
