#!/usr/bin/env bash
# --profile and --trace: where the time of a run went.
. "$(dirname "$0")/../support/lib.sh"
need_data

check_trace() { # RANKS FILE
    if python3 - "$@" <<'END'; then
import collections, json, sys

ranks = int(sys.argv[1])
events = [e for e in json.load(open(sys.argv[2]))["traceEvents"] if e["ph"] == "X"]
assert {e["pid"] for e in events} == set(range(ranks))
for rank in range(ranks):
    mine = [e for e in events if e["pid"] == rank]
    assert all(e["dur"] >= 0 and e["ts"] >= 0 for e in mine)
    count = collections.Counter((e["cat"], e["name"]) for e in mine)
    assert count["phase", "update"] == 40, count
    assert count["forward", "dense1"] == count["backward", "dense2"] == count["loss", "loss"] >= 40 * 3 // ranks, count
    assert count["phase", "checkpoint"] == 2, count  # the weights are looked through, and it is made
    compute = [e for e in mine if e["name"] == "compute"]
    for inner in mine:  # layers run within the phase they are part of, up to the rounding of the times
        if inner["cat"] == "forward":
            assert any(o["ts"] <= inner["ts"] + 0.01 and inner["ts"] + inner["dur"] <= o["ts"] + o["dur"] + 0.01 for o in compute)
END
        pass "the trace holds every rank's spans"
    else
        fail "the trace of $1 ranks"
    fi
}

short=(--set "data.file=$data" --set train.stop_after="40 steps" --set train.shards=3)
for ranks in 1 3; do
    run "$ranks" train "${short[@]}" --run "plain$ranks"
    wanted=$(last_value digest)
    run "$ranks" train "${short[@]}" --run "traced$ranks" --set checkpoint.every=never --trace trace.json
    expect_code 75 "a traced run on $ranks"
    expect_last "stopped .* digest=$wanted" "gives the digest of one that is not"
    expect_in "$out" '^profile of 40 steps:' "a table is printed"
    expect_in "$out" '^    forward   dense1 .* GF/s .*% of peak$' "it rates the products of a layer"
    check_trace "$ranks" trace.json
done

cut_data small.h5 600 64
# 5.1 million parameters on 8 ranks: what is planned is what the processes grow by, within 10 MB a rank (buffers of the
# libraries, their code), where a copy of the weights a rank would be 20.
cat >large.yaml <<END
name: large
data: {file: small.h5, mean: 73, std: 90}
model:
  layers: [flatten, {dense: {out: 1900, activation: relu}}, {dense: {out: 1900, activation: relu}}, {dense: 10}]
  loss: softmax_cross_entropy
train: {batch: 16, shards: 8, stop_after: 2, eval_every: never}
END
unset MALLOC_PERTURB_ # meson sets it: then the C library writes to what it gives, and that is memory in use
run 8 train large.yaml --run large --profile
expect_code 75 "a large model on 8 ranks"
expect_in "$out" '^  planned [0-9.]+ MB, 12.0 bytes a parameter but for' "weights and moments are there once"
cp "$out" large.profile
read -r planned grown < <(sed -nE 's/^  planned ([0-9.]+) MB.*grown by ([0-9.]+) MB$/\1 \2/p' "$out")
if awk -v p="$planned" -v g="$grown" 'BEGIN {exit !(g > 0.95 * p && g < p + 80)}'; then
    pass "it takes $grown MB where $planned are planned"
else
    fail "it takes $grown MB where $planned are planned"
fi

# And so with sites, which keep their moments, and of which two are trained at a time.
run 4 train large.yaml --run sites --profile --set train.stop_after=never --set train.shards=2 --set sites.count=4 --set sites.rounds=1 \
    --set sites.round='1 step' --set sites.outer.kind=nesterov --set sites.outer.momentum=0.9 --set sites.optimizer=keep
expect_code 0 "four sites"
expect_in "$out" '^  rounds of sites +[0-9.]+ +[0-9.]+ +[0-9.]+$' "what rounds take is a row of the table"
read -r planned grown < <(sed -nE 's/^  planned ([0-9.]+) MB.*grown by ([0-9.]+) MB$/\1 \2/p' "$out")
if awk -v p="$planned" -v g="$grown" 'BEGIN {exit !(g > 0.95 * p && g < p + 40)}'; then
    pass "it takes $grown MB where $planned are planned"
else
    fail "sites take $grown MB where $planned are planned" && show "$out"
fi

# A rank has room for the gradient of the largest layer, 3.6 million parameters, beside its message; for that of all where a shard is
# computed in pieces, which are added up in floats.
own_gradient() { sed -nE 's/^  gradient +[0-9.]+ +([0-9.]+) .*/\1/p' "$1"; }
layer=$(own_gradient large.profile)
run 1 train large.yaml --run pieces --profile --set train.micro_batch=1
expect_code 75 "shards in pieces"
whole=$(own_gradient "$out")
if awk -v l="$layer" -v w="$whole" 'BEGIN {exit !(l > 14.3 && l < 14.6 && w > 20.4 && w < 20.6)}'; then
    pass "a rank has $layer MB for the largest layer, $whole MB where it needs all"
else
    fail "a rank has $layer MB for the largest layer, $whole MB where it needs all"
fi

run 2 bench --set "data.file=$data" --steps 10
expect_code 0 "a bench on 2 ranks"
expect_in "$out" '^products .* GF/s a rank' "it measures products"
expect_in "$out" '^peak +float32 .* GF/s a core' "and their limit"
expect_in "$out" '^update .* us .* us \([0-9.]+ x\)' "it compares the ways a gradient can go"
expect_in "$out" '^profile of 10 steps' "and profiles the recipe"
[[ -z $(find . -name 'dtrain-bench*') ]] || fail "the bench leaves $(ls)"
run 2 bench --steps none
expect_bad 2 '--steps is "none"' "a number of steps that is none"

run 2 train "${short[@]}" --run denied --trace nowhere/trace.json
expect_bad 1 'the trace: nowhere/trace.json.* cannot be made: No such file' "a trace that cannot be written"
[[ -z $(find denied -name 'step-*.h5' 2>/dev/null) ]] || fail "it is said after training"
finish
