#!/usr/bin/env bash
# Metrics and journal while a run goes on: metrics.h5 opens with h5py at any moment and holds whole rows, lines are strict
# JSON, and what a run stopped and resumed records is one story.
. "$(dirname "$0")/../support/lib.sh"

need_data
cut_data small.h5 4000 500

settings=(--set data.file=small.h5 --set train.log_every=1 --set train.shards=2 --set metrics.tensorboard=true)
start 2 train "${settings[@]}" --run run --set train.epochs=400 --set train.stop_after=7s
until_true 30 test -s run/metrics.h5 || give_up "no metrics.h5 of a run that goes on: $(cat "$err")"
"$python" - run "$job" <<'END' || fail "metrics.h5 read while it is written"
import h5py, json, os, sys, time

run, job = sys.argv[1], int(sys.argv[2])
opened, lengths = 0, set()
while os.path.exists(f"{run}/lock") or not opened:
    with h5py.File(f"{run}/metrics.h5", "r") as file:
        columns = {name: values[:] for name, values in file["train"].items()}
    rows = {len(values) for values in columns.values()}
    assert len(rows) == 1, rows  # no column is ahead of another
    steps = columns["step"]
    assert all(steps[i] == i + 1 for i in range(len(steps))), steps
    assert (columns["loss"] > 0).all()
    opened += 1
    lengths.update(rows)
assert opened > 100 and len(lengths) > 1, (opened, lengths)
print(f"opened {opened} times, with {sorted(lengths)} rows")
END
await
expect_code 75 "the run that was read meanwhile"
if [[ -e run/metrics.h5.part ]]; then fail "metrics.h5.part stays"; else pass "what metrics.h5 was made from is gone"; fi

steps=$(last_value step)
run 3 train "${settings[@]}" --run run --set train.shards=2 --set train.epochs=400 --set train.stop_after=20
expect_bad 1 'cannot share' "three ranks for two shards"
run 1 train "${settings[@]}" --run run --set train.epochs=400 --set train.stop_after=20
expect_code 75 "the same run, taken up"
cat >check.py <<'END'
import json, sys

def strict(text):
    raise ValueError(f"{text} is no JSON")

steps = int(sys.argv[1])
rows = [json.loads(line, parse_constant=strict) for line in open("run/metrics.jsonl")]
train = [row for row in rows if row["series"] == "train"]
assert [row["step"] for row in train] == list(range(1, steps + 21))
seconds = [row["seconds"] for row in train]
assert seconds == sorted(seconds) and seconds[0] > 0, "the seconds of a run go on where it was taken up"
assert all(row["memory_max"] > 1e6 and row["memory_min"] <= row["memory_mean"] <= row["memory_max"] for row in train)
events = [json.loads(line, parse_constant=strict) for line in open("run/journal.jsonl")]
names = [event["event"] for event in events if event["event"] != "warning"]
assert names[0] == "started" and names[-1] == "ended" and names.count("started") == 2, names
first, second = [event for event in events if event["event"] == "started"]
assert first["step"] == 0 and first["ranks"] == 2 and second["step"] == steps and second["ranks"] == 1, (first, second)
assert first["parameters"] == 101770 and first["flops_per_sample"] == 409088 and first["peak_flops"] > 1e9, first
last = events[-1]
assert last["outcome"] == "stopped" and last["why"] == "stop_after" and last["digest"] == sys.argv[2], last
assert any(event["event"] == "checkpoint" and event["step"] == steps + 20 for event in events), names
END
if "$python" check.py "$steps" "$(last_value digest)"; then pass "rows and journal"; else fail "rows and journal"; fi

# TensorBoard's events: whole to a reader of its own, and no step twice, though the run was taken up where it had gone on for
# longer before.
events() { # events RUN WHAT
    if "$python" "$source/tests/support/read_events.py" "$1" >said 2>&1; then pass "$2: $(cat said)"; else fail "$2: $(tail -n 1 said)"; fi
}
events run "events of a run that was taken up"
run 1 train "${settings[@]}" --run back --set checkpoint.every=10 --set train.stop_after=10
cp -r back/checkpoints kept
run 1 train "${settings[@]}" --run back --set checkpoint.every=10 --set train.stop_after=25
rm -r back/checkpoints && mv kept back/checkpoints
run 1 train "${settings[@]}" --run back --set checkpoint.every=10 --set train.stop_after=5
expect_last '.* step=15 .*' "a run that went back to step 10 ends at step 15"
events back "its events"
printf 'torn' >>"$(echo back/events.out.tfevents.*)"
run 1 train "${settings[@]}" --run back --set train.stop_after=5
events back "events whose last record was torn"
if "$python" -c 'import tensorboard' 2>/dev/null; then
    "$python" - back <<'END' || fail "TensorBoard's own reader"
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

board = EventAccumulator(sys.argv[1]).Reload()
steps = [event.step for event in board.Scalars("train/loss")]
assert steps == list(range(1, 21)), steps
END
else
    lacks "TensorBoard's own reader: it is not installed"
fi

# A journal that cannot be written ends nothing.
mkdir -p full
mkfifo full/journal.jsonl
mkdir full/checkpoints
touch full/.dtrain-run
run 1 train "${settings[@]}" --run full --set train.stop_after=3
expect_code 75 "a run whose journal is a pipe"
expect_in "$err" 'journal.jsonl: is a named pipe' "says so"
finish
