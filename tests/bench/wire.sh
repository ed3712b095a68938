#!/usr/bin/env bash
# What order-free sums cost: tests/bench/wire.sh [ROUNDS]. Samples/s of the training loop, runs alternate, medians, a Markdown table.
#   i32/f32  the integer wire beside the float one, shards = ranks = 2, batch 256
#   S=8/S=1  eight shards beside one, on one rank, batch 256: what it costs to allow eight ranks later
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${1:-7}
[[ -f data/fashion-mnist.h5 && -x dtrain ]] || { echo "wire.sh: launch/quickstart.sh first: it builds ./dtrain and gets the data" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

rate() { # NAME RANKS SHARDS WIRE
    rm -rf "$work/run"
    launch/local.sh -n "$2" train --run "$work/run" --set train.batch=256 --set train.epochs=6 --set train.shards="$3" \
        --set reduce.wire="$4" --set train.eval_every=never --set checkpoint.every=never |
        sed -n 's/^done .*samples_per_s=\([0-9]*\) .*/\1/p' >>"$work/$1"
}
median() { sort -n "$work/$1" | awk '{v[NR] = $1} END {print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2}'; }
row() { awk -v n="$1" -v a="$(median "$2")" -v b="$(median "$3")" 'BEGIN {printf "| %s | %.0f | %.0f | %.3f |\n", n, a, b, a / b}'; }

for ((i = 0; i < rounds; i++)); do
    rate i32 2 2 i32
    rate f32 2 2 f32
    rate eight 1 8 i32
    rate one 1 1 i32
done
echo "| pair | first, samples/s | second, samples/s | ratio |"
echo "| --- | ---: | ---: | ---: |"
row "i32 / f32, 2 ranks, 2 shards" i32 f32
row "8 shards / 1 shard, 1 rank, i32" eight one
