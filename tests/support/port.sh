#!/usr/bin/env bash
# One build of dtrain on whatever system this is: configured, built, run, tested. What came of it goes to standard output
# as KEY=VALUE lines, the programs' own words to standard error. For tests/portable.sh and tests/run.sh.
#   CC=COMPILER tests/support/port.sh BUILD "SUITE…" OPTION…      OPTION: of meson setup
# built   yes, or the first line that says why not
# ran     yes, if three short runs gave the same digest on 1 and on 3 ranks
# NAME    that digest of each: mlp, and gpt for kernels of our own, cnn for oneDNN's convolutions; on the baseline
# SUITE   tests passed of those that were not skipped; failed=NAMES
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
if ! meson setup "${again[@]}" "$build" "$source" -Dtests=true -Dwerror=true "$@" >"$build/setup.log" 2>&1; then
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
DTRAIN_MPIRUN=$(meson introspect --tests "$build" | python3 -c '
import json, sys
print(next(test["env"]["DTRAIN_MPIRUN"] for test in json.load(sys.stdin) if "DTRAIN_MPIRUN" in test["env"]))')
export DTRAIN_MPIRUN

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit
idx=/usr/share/datasets/fashion-mnist
{
    "$launch/local.sh" -n 1 import idx "$idx"/{train-images-idx3,train-labels-idx1,t10k-images-idx3,t10k-labels-idx1}-ubyte.gz fashion.h5
    "$launch/local.sh" -n 1 import text "$source/LICENSE" text.h5 --tokens char
} >&2 || { echo "ran=no: import" && exit 1; }
cat >mlp.yaml <<'END'
{data: {file: fashion.h5, mean: 72.94, std: 90.02}, model: {layers: [flatten, {dense: {out: 64, activation: gelu}}, {layer_norm: {}}, {dense: 10}], loss: softmax_cross_entropy}, optimizer: {kind: adam, lr: 0.001}, train: {batch: 30, stop_after: 20 steps}}
END
cat >gpt.yaml <<'END'
{data: {file: text.h5, context: 16}, model: {layers: [{gpt: {layers: 2, heads: 2, width: 32, dropout: 0.1}}]}, optimizer: {kind: adamw, lr: 0.001, weight_decay: 0.1, clip_norm: 1}, train: {batch: 6, steps: 40, stop_after: 20 steps}}
END
cat >cnn.yaml <<'END'
{data: {file: fashion.h5, mean: 72.94, std: 90.02}, model: {layers: [{conv2d: {out: 8, kernel: 3, activation: relu}}, {max_pool: 2}, {conv2d: {out: 16, kernel: 3, activation: relu}}, flatten, {dense: 10}], loss: softmax_cross_entropy}, optimizer: {kind: adam, lr: 0.001}, train: {batch: 30, stop_after: 20 steps}}
END
ran=yes
for recipe in mlp gpt cnn; do
    for ranks in 1 3; do
        "$launch/local.sh" -n $ranks train $recipe.yaml --run $recipe-$ranks --set train.shards=3 \
            --set compute.isa=baseline >out 2>err
        code=$?
        digest[ranks]=$(sed -n 's/.* digest=//p' out)
        if ((code != 75)) || [[ ! ${digest[ranks]} ]]; then
            ran="no: $recipe on $ranks ranks ended with $code: $(head -n 1 err)"
            cat out err >&2
        fi
    done
    echo "$recipe=${digest[3]}"
    [[ ${digest[1]} == "${digest[3]}" || $ran != yes ]] || ran="no: $recipe has another digest on 1 rank, ${digest[1]}"
done
echo "ran=$ran"

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
