#!/usr/bin/env bash
# train.audit: a rank computes another's gradient again, which changes no bit of the run; one whose gradient is wrong is named
# before the step is taken, by a third where there are three.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 240 64
wrong=$build/tests/wrong.so
[[ -f $wrong ]] || give_up "no $wrong; build first"
cat >net.yaml <<'END'
data: {file: small.h5, mean: 72.94, std: 90.02}
model: {layers: [flatten, {dense: {out: 64, activation: relu}}, {batch_norm: {name: norm}}, {dropout: 0.2}, {dense: 10}]}
optimizer: {kind: adam, lr: 0.003}
train: {batch: 24, steps: 60, shards: 6, log_every: 20 steps}
checkpoint: {every: 10 steps, keep: 0}
report: {every: never}
END
run 1 train net.yaml --run plain
expect_code 0 "a run that audits nothing"
grep -q 'audits=' "$out" && fail "it says that it does"
digest=$(last_value digest)

# the same bits, audited or not; node_ranks 1 makes a node of each rank
for case in "1 0" "2 1" "3 0" "4 2"; do
    read -r ranks node <<<"$case"
    run "$ranks" train net.yaml --run "on$ranks$node" --set train.audit=0.5 --set "reduce.node_ranks=$node"
    expect_code 0 "half of the steps audited on $ranks ranks, $node to a node"
    [[ $(last_value digest) == "$digest" ]] || fail "it has another digest: $(tail -1 "$out")"
    audits=$(last_value audits)
    [[ $audits == 30 ]] || fail "$audits of 60 steps were audited"
done
run 1 train net.yaml --run alone --set train.audit=1 --set train.micro_batch=2 --set train.shards=2
expect_last 'done .* audits=60 audit_seconds=[0-9.]+ digest=.*' "every step on one rank, in pieces"
expect_in "$out" 'train.audit on one rank computes its own gradients twice' "which says what that finds"
run 3 train net.yaml --run floats --set train.audit=1 --set reduce.wire=f32 --set train.micro_batch=2
expect_last 'done .* audits=60 .*' "sums of floats, in pieces"

# A power of two is wrong once on rank 1, from a layer on that goes back amid a step (of 10 layers times the shards of the rank,
# and as many once more): of its own gradient, or of what it computes again. Nobody else computes so.
wrong_run() { # wrong_run RANKS NODE LAYER OPTION…
    rm -rf wrong
    LD_PRELOAD=$wrong DTRAIN_WRONG="product $3 - 1" run "$1" train net.yaml --run wrong --set train.audit=1 --set "reduce.node_ranks=$2" "${@:4}"
}
value='0x[0-9a-f]{8} \(-?[0-9.e+-]+\)'
for case in "2 0" "2 1"; do
    read -r ranks node <<<"$case"
    wrong_run "$ranks" "$node" 1475
    expect_bad 1 "step [0-9]+: rank [01] \(.*\) or rank [01] \(.*\) computes wrongly: of the gradient of [a-z0-9/]+, shards of rank [01], they have element [0-9]+ as $value and $value; the step is not taken" \
        "of two ranks ($node to a node) nobody knows which is wrong"
done
owner=0 other=0
for case in "1055 0" "1055 1" "1075 1"; do
    read -r layer node <<<"$case"
    wrong_run 3 "$node" "$layer"
    expect_bad 1 "step [0-9]+: rank 1 \(.*\) computes wrongly: .*, it has element [0-9]+ as $value, and ranks [02] \(.*\) and [02] \(.*\) as $value; the step is not taken; the newest checkpoint is of step [0-9]+" \
        "of three ranks ($node to a node) the others know which it is"
    if grep -q 'shards of rank 1' "$err"; then owner=1; else other=1; fi
done
((owner && other)) || fail "the gradient that was wrong was always $( ((owner)) && echo its own || echo another\'s)"
[[ -z $(find wrong/checkpoints -name '*.tmp') ]] || fail "a checkpoint was left unfinished"
run 3 train net.yaml --run wrong
expect_last "done .* digest=$digest" "gone on with from its newest checkpoint, it is the run it would have been"

# A weight of rank 1's replica loses a bit, where each rank has one of its own and sums are floats.
rm -rf wrong
LD_PRELOAD=$wrong DTRAIN_WRONG="weight 900 208896 1" run 3 train net.yaml --run wrong --set train.audit=1 --set reduce.path=flat --set reduce.wire=f32
expect_bad 1 'step [0-9]+: rank 1 \(.*\) computes wrongly' "a bit of a weight in one replica"
# not audited, nobody notices
rm -rf wrong
LD_PRELOAD=$wrong DTRAIN_WRONG="product 1055 - 1" run 3 train net.yaml --run wrong
expect_code 0 "without audits nobody notices"
[[ $(last_value digest) != "$digest" ]] || fail "and nothing was wrong"

cat >stream.yaml <<'END'
data: {file: text.h5, context: 8, windows: stream, vocabulary: 7, test_tokens: ""}
model: {layers: [{embedding: 8}, {lstm: 8}, {dense: 7}]}
train: {batch: 4, steps: 4, shards: 2, audit: 0.5}
END
"$python" -c 'import h5py, numpy
with h5py.File("text.h5", "w") as f: f["train/tokens"] = (numpy.arange(400) * 5 % 7).astype("u1")'
run 2 train stream.yaml
expect_bad 1 'train.audit is 0.5, but what recurrent layers carry along streams' "streams"
finish
