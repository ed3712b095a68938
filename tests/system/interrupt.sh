#!/usr/bin/env bash
# Told to stop, a run writes a checkpoint and exits with 75; the same command goes on, on any number of ranks.
. "$(dirname "$0")/../support/lib.sh"
need_data

arguments=(--set "data.file=$data" --set train.shards=4 --set train.epochs=4 --set reduce.wire=i32 --set train.log_every="50 steps")

run 2 train "${arguments[@]}" --run untouched
expect_code 0 "the run nobody touched"
wanted=$(last_value digest)

# interrupted NAME SIGNAL RANKS WHOM: stops a run, resumes it on another number of ranks
interrupted() {
    local name=$1 signal=$2 ranks=$3 whom=$4 step
    start "$ranks" train "${arguments[@]}" --run "$name"
    until_true 30 has_steps "$name" 200 || fail "$name does not get to step 200"
    case $whom in
        launcher) kill "-$signal" "$job" ;;
        rank*) kill "-$signal" "$(rank_pid "${whom#rank}")" ;;
    esac
    await
    expect_code 75 "$signal to $whom of $ranks ranks"
    expect_last 'stopped .* ended=signal .*' "$signal to $whom: it says why it ended"
    expect_last "stopped run=$name step=[0-9]+ epoch=[0-9]+ .* ranks=$ranks shards=4 digest=[0-9a-f]{16}" "it says where"
    step=$(last_value step)
    ((step < 7500)) || fail "it was done before it could be stopped"
    [[ -f $(printf '%s/checkpoints/step-%09d.h5' "$name" "$step") ]] || fail "no checkpoint of step $step"
    run $((5 - ranks)) train "${arguments[@]}" --run "$name"
    expect_code 0 "the same command on $((5 - ranks)) ranks"
    expect_in "$out" "going on from $name/checkpoints/step-0*$step.h5" "goes on from there"
    expect_last "done run=$name step=7500 epoch=4 .*" "to the end"
    digests+=("$(last_value digest)")
}

digests=()
interrupted term TERM 3 launcher
interrupted int INT 2 launcher
interrupted usr1 USR1 4 launcher
interrupted one-rank TERM 3 rank2
interrupted first-rank INT 2 rank0
if [[ $(printf '%s\n' "${digests[@]}" | grep -cx "$wanted") == 5 ]]; then
    pass "all end with the digest of the run nobody touched"
else
    fail "digests ${digests[*]}, untouched $wanted"
fi

# As often as one run allows. A signal must not disturb the arithmetic it comes in the middle of.
step=0 interruptions=0
while ((step < 6000)); do
    start 2 train "${arguments[@]}" --run often
    until_true 30 has_steps often $((step + 100)) || fail "it does not get to step $((step + 100))"
    kill -USR1 "$job"
    await
    expect_code 75 "interruption $interruptions" || show "$err"
    ((code == 75)) || break
    step=$(last_value step)
    interruptions=$((interruptions + 1))
done
((interruptions >= 4)) || fail "interrupted only $interruptions times"
run 3 train "${arguments[@]}" --run often
expect_last "done run=often step=7500 .* digest=$wanted" "interrupted $interruptions times: the same digest"

run 2 train "${arguments[@]}" --run timed --set train.stop_after="100 steps"
expect_code 75 "stop_after"
expect_last "stopped run=timed step=100 .*" "stops where it says"
run 8 train "${arguments[@]}" --run timed
expect_bad 1 '8 ranks cannot share 4 shards' "more ranks than shards"

# On the metrics' twin: every step once, in order, as if nothing had happened.
"$python" - <<'END' || fail "metrics of an interrupted run"
import json

for name in ("untouched", "term", "one-rank"):
    steps = [row["step"] for row in map(json.loads, open(f"{name}/metrics.jsonl")) if row["series"] == "train"]
    assert steps == sorted(set(steps)) and steps[-1] == 7500, (name, steps[:5], steps[-5:])
END
finish
