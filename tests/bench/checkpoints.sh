#!/usr/bin/env bash
# What checkpoints cost a run: tests/bench/checkpoints.sh [MODEL [ROUNDS [SECONDS [EVERY]]]]
# A state of a gigabyte (weights and Adam's moments) on two ranks, a checkpoint every EVERY (20 s) beside none, ROUNDS (5)
# of SECONDS (65) each, alternating; medians. MODEL is gpt, a transformer as wide and deep as GPT-2's small one, whose steps
# are computing, or mlp, two wide layers and few samples, whose steps are reading and writing memory: nothing suffers more
# from a checkpoint that passes through the same memory. Prints ratios and never fails. Everything that is said comes from
# metrics and journal of the runs: throughput with all that stands still counted in, and what each checkpoint took: what
# stood still, and by what steps beside it were longer than those before, which machines that are slower in one minute
# than in the next change less. Beside it what a copy of as many bytes takes here, and what the disk takes (dd); needs
# 2.5 GB on it and 7 GB of memory.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
model=${1:-gpt} rounds=${2:-5} seconds=${3:-65} every=${4:-20 s}
dtrain=${DTRAIN:-$top/dtrain} python=${PYTHON:-/usr/bin/python3}
case $model in
gpt)
    recipe=shakespeare-gpt data=${DATA:-$top/data/shakespeare.h5} batch=4
    sets=(data.context=128 train.steps=1000000 'model.layers=[gpt: {layers: 12, heads: 12, width: 768, bias: false}]')
    ;;
mlp)
    recipe=fashion-mlp data=${DATA:-$top/data/fashion-mnist.h5} batch=16
    sets=('model.layers=[flatten, dense: {out: 8192, activation: relu}, dense: {out: 8192, activation: relu}, dense: 10]')
    ;;
*) echo "checkpoints.sh: MODEL is gpt or mlp, not $model" >&2 && exit 2 ;;
esac
[[ -x $dtrain && -f $data ]] || { echo "checkpoints.sh: needs a built dtrain (DTRAIN) and ${data##*/} (DATA)" >&2 && exit 2; }
work=$(mktemp -d "${TMPDIR:-/var/tmp}/dtrain-bench-XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

trial() { # trial RUN EVERY
    rm -rf "$1"
    DTRAIN=$dtrain "$top/launch/ranks.sh" 2 "$dtrain" train "$top/launch/recipes/$recipe.yaml" --run "$1" "${sets[@]/#/--set=}" \
        --set "data.file=$data" --set "train.batch=$batch" --set train.shards=2 --set train.eval_every=never \
        --set train.log_every='1 step' --set train.check_every=0 --set checkpoint.keep=1 --set "checkpoint.every=$2" \
        --set "train.stop_after=$seconds s" >"$1.log" 2>&1 || (($? == 75)) || { cat "$1.log" >&2 && return 1; }
    "$python" - "$1" <<'PYTHON'
import json, sys
lines = lambda name: (json.loads(line) for line in open(f"{sys.argv[1]}/{name}"))
rows = [row for row in lines("metrics.jsonl") if row.get("series") == "train"]
print((rows[-1]["step"] - rows[0]["step"]) / (rows[-1]["seconds"] - rows[0]["seconds"]))
for row in lines("journal.jsonl"):
    if row["event"] == "checkpoint" and row["work"] > 0:  # the last one, at the end, is made while nothing else happens
        print(row["stood"], row["slowed"], row["work"])
PYTHON
}

for ((round = 0; round < rounds; round++)); do
    { read -r rate && tee -a prices; } < <(trial with "$every")
    read -r bare < <(trial without never)
    echo "$rate $bare" >>rounds
done
bytes=$(stat -c %s with/checkpoints/*.h5 | tail -n 1)
echo "the disk, by dd with O_DIRECT and fsync:"
dd if=/dev/zero of=disk bs=4M count=$((bytes >> 22)) oflag=direct conv=fsync 2>&1 | tail -n 1
"$python" - "$bytes" "$every" <<'PYTHON'
import statistics, sys, time
import numpy
bytes_, every = int(sys.argv[1]), sys.argv[2]
source, target = numpy.ones(bytes_ // 4, numpy.float32), numpy.ones(bytes_ // 4, numpy.float32)
took = []
for _ in range(5):
    began = time.monotonic()
    numpy.copyto(target, source)
    took.append(time.monotonic() - began)
copy = statistics.median(took)
table = lambda name: [[float(x) for x in line.split()] for line in open(name)]
ratios = [with_ / without for with_, without in table("rounds")]
stood, slowed, work = (statistics.median(column) for column in zip(*table("prices")))
print(f"state {bytes_ / 1e9:.2f} GB; throughput with checkpoints / without: {statistics.median(ratios):.4f} "
      f"(each {[round(ratio, 4) for ratio in ratios]})")
print(f"a checkpoint, median of {len(table('prices'))}: stands still {stood:.3f} s, {stood / copy:.2f} of a memcpy of the state by one core "
      f"({copy:.3f} s); makes steps longer by {slowed:.3f} s; rank 0's helpers work {work:.3f} s")
amount, unit = every.split()
period = float(amount) * {"s": 1, "min": 60}[unit]
print(f"of every {every}: {100 * (stood + slowed) / period:.2f} %")
PYTHON
