#!/usr/bin/env bash
# What checkpoints cost a run: tests/bench/checkpoints.sh [ROUNDS] [SECONDS] [EVERY]
# A network whose state is about a gigabyte (weights and Adam's moments) on two ranks, a checkpoint every EVERY (20 s)
# beside none, ROUNDS (5) of SECONDS (65) each, alternating; medians. Prints ratios and never fails. Everything that is
# said comes from metrics.jsonl of the runs: throughput with all that stands still counted in, and what stood still.
# Beside it what a copy of as many bytes takes here, and what the disk takes (dd); needs 2.5 GB on it and 5 GB of memory.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
rounds=${1:-5} seconds=${2:-65} every=${3:-20 s}
dtrain=${DTRAIN:-$top/dtrain} data=${DATA:-$top/data/fashion-mnist.h5} python=${PYTHON:-/usr/bin/python3}
[[ -x $dtrain && -f $data ]] || { echo "checkpoints.sh: needs a built dtrain (DTRAIN) and fashion-mnist.h5 (DATA)" >&2 && exit 2; }
work=$(mktemp -d "${TMPDIR:-/var/tmp}/dtrain-bench-XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

trial() { # trial RUN EVERY
    rm -rf "$1"
    DTRAIN=$dtrain "$top/launch/ranks.sh" 2 "$dtrain" train "$top/launch/recipes/fashion-mlp.yaml" --run "$1" \
        --set "data.file=$data" --set train.batch=16 --set train.shards=2 --set train.eval_every=never \
        --set train.log_every='1 step' --set train.check_every=0 --set checkpoint.keep=1 --set "checkpoint.every=$2" \
        --set 'model.layers=[flatten, dense: {out: 8192, activation: relu}, dense: {out: 8192, activation: relu}, dense: 10]' \
        --set "train.stop_after=$seconds s" >"$1.log" 2>&1 || (($? == 75)) || { cat "$1.log" >&2 && return 1; }
    "$python" - "$1" <<'PYTHON'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1] + "/metrics.jsonl")]
rows = [row for row in rows if row.get("series") == "train"]
steps, spent = rows[-1]["step"] - rows[0]["step"], rows[-1]["seconds"] - rows[0]["seconds"]
stood = [row["checkpoint_mean"] for row in rows[1:] if "checkpoint_mean" in row]
print(16 * steps / spent, sum(stood))
PYTHON
}

for ((round = 0; round < rounds; round++)); do
    read -r rate stood < <(trial with "$every")
    count=$(grep -c '"checkpoint"' with/journal.jsonl 2>/dev/null || echo 0)
    read -r bare _ < <(trial without never)
    echo "$rate $bare $stood $count" | tee -a rounds
done
bytes=$(stat -c %s with/checkpoints/*.h5 | tail -n 1)
echo "the disk, by dd with O_DIRECT and fsync:"
dd if=/dev/zero of=disk bs=4M count=$((bytes >> 22)) oflag=direct conv=fsync 2>&1 | tail -n 1
"$python" - "$bytes" <<'PYTHON'
import statistics, sys, time
import numpy
bytes_ = int(sys.argv[1])
source, target = numpy.ones(bytes_ // 4, numpy.float32), numpy.ones(bytes_ // 4, numpy.float32)
took = []
for _ in range(5):
    began = time.monotonic()
    numpy.copyto(target, source)
    took.append(time.monotonic() - began)
copy = statistics.median(took)
rows = [[float(x) for x in line.split()] for line in open("rounds")]
ratio = statistics.median(row[0] / row[1] for row in rows)
stalls = [row[2] / row[3] for row in rows if row[3] > 0]
print(f"state {bytes_ / 1e9:.2f} GB; throughput with checkpoints / without: {ratio:.4f} (each {[round(r[0] / r[1], 4) for r in rows]})")
if stalls:
    print(f"training stands still for {statistics.median(stalls):.3f} s a checkpoint, {statistics.median(stalls) / copy:.2f} of a memcpy of the state by one core ({copy:.3f} s)")
PYTHON
