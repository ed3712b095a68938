#!/usr/bin/env bash
# An audit computes pieces of a run again: on any number of ranks it agrees with a run that is what its recipe and data
# give; it finds the step in which a bit of a weight was turned over, and what was changed in the files afterwards; and it
# says of a run that cannot be audited what it lacks.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 240 64
cut_data other.h5 264 64
wrong=$build/tests/wrong.so
[[ -f $wrong ]] || give_up "no $wrong; build first"
cat >net.yaml <<'END'
data: {file: small.h5, mean: 72.94, std: 90.02}
model: {layers: [flatten, {dense: {out: 64, activation: relu}}, {batch_norm: {name: norm}}, {dense: 10}]}
optimizer: {kind: adam, lr: 0.003}
train: {batch: 24, steps: 60, shards: 4, chain: 4, log_every: 7 steps, eval_every: 10 steps}
checkpoint: {every: 12 steps, keep: 0, best: test_loss}
report: {every: never}
END
everything() { find "$1" -type f -exec md5sum {} + | sort; }
run 2 train net.yaml --run good
expect_code 0 "a run"
everything good >before
for ranks in 1 2 3 4; do
    run "$ranks" audit good --share 100%
    expect_code 0 "all of it computed again on $ranks ranks, by one that was computed on 2"
    expect_last "audit run=good steps=60 links=([0-9]+) agree=\1 seconds=[0-9.]+ found_probability=1" "all digests agree"
done
run 1 audit good --share 1% --seed 4
expect_last 'audit run=good steps=[0-9]+ links=[0-9]+ agree=[0-9]+ seconds=[0-9.]+ found_probability=0\.0[0-9]+' "a share of it"
expect_in "$out" '^--seed 4 draws 1 of [0-9]+ intervals' "which interval is drawn follows from the seed"
everything good >after
if cmp -s <(grep -v journal before) <(grep -v journal after) && [[ $(grep -c '"event":"audited"' good/journal.jsonl) == 5 ]]; then
    pass "nothing was written to the run but what was found, a line in its journal"
else
    fail "the run has changed: $(diff before after)"
fi
run 1 report good -o good.html
expect_in good.html '<dt>Computed again</dt><dd>all digests agree <small>a wrong step would have been found with probability 0\.0[0-9]+, [0-9]+ of 60 steps, .*; 5 audits, 0 of which' "and in its report"
expect_in good.html 'Done: ' "which still knows how the run ended"

# A bit of a weight, turned over in memory amid step 30 (of 8 layers times 4 shards; the first is redone twice at most):
# from there on the run is consistent with itself, its checkpoints and its chain.
LD_PRELOAD=$wrong DTRAIN_WRONG="weight 1000 208896" run 1 train net.yaml --run flipped
expect_code 0 "a run with a bit of a weight turned over"
run 1 verify flipped
expect_code 0 "whose checkpoints are whole"
run 3 audit flipped --share 100%
expect_code 1 "is found out"
expect_in "$err" 'flipped: between steps ([0-9]+) and ([0-9]+) it is not what its recipe and data give: the state of step \2 has digest [0-9a-f]{16} in ' \
    "between two steps"
expect_last 'audit run=flipped .*' "and still there is a last line"
last=$out last_err=$err out=$work/out.report err=$work/err.report
run 1 report flipped -o flipped.html
expect_in flipped.html '<strong>digests differ</strong> <small>first between steps [0-9]+ and [0-9]+, ' "and in the report"
out=$last err=$last_err
from=$(sed -nE 's/.*: between steps ([0-9]+) and.*/\1/p' "$err" | head -1)
to=$(sed -nE 's/.*: between steps [0-9]+ and ([0-9]+) .*/\1/p' "$err" | head -1)
[[ $(grep -c 'between steps' "$err") == 2 && $from -gt 20 && $to -lt 50 ]] || fail "one difference was to be found: $(cat "$err")"
links() { grep '"series":"chain"' "$1/metrics.jsonl" | grep -oE '"step":[0-9]+|digest_[a-z]+":[0-9]+' | paste - - -; }
parted=$(diff <(links good) <(links flipped) | sed -nE 's/^< "step":([0-9]+).*/\1/p' | head -1)
if ((to <= parted && parted - from <= 4)); then pass "where the chains of the two runs part"; else fail "the chains part at $parted"; fi
run 2 audit flipped --share 100% --to "$from"
expect_code 0 "of what was before it nothing is wrong"
run 2 audit flipped --share 100% --from "$(((to + 11) / 12 * 12))"
expect_code 0 "nor of what came after it, from a checkpoint behind it"

# Changed afterwards.
cp -r good tampered
sed -i -E '/"series":"chain","step":40,/s/"digest_low":[0-9]+/"digest_low":7/' tampered/metrics.jsonl
run 2 audit tampered --share 1%
expect_code 1 "a digest in metrics that was changed"
expect_in "$err" 'metrics.jsonl: the link of step 40 does not follow from that of step 36' "is named"
rm -r tampered && cp -r good tampered
sed -i '/"series":"chain","step":40,/d' tampered/metrics.jsonl
run 1 audit tampered --share 1%
expect_code 0 "a link that is missing"
expect_in "$err" '1 links of the chain are not in metrics.jsonl; 1 could not be compared' "is counted"
rm -r tampered && cp -r good tampered
cp flipped/checkpoints/step-000000048.h5 tampered/checkpoints/
run 1 audit tampered --share 1%
expect_code 1 "a checkpoint of another run"
expect_in "$err" 'the link of step 48 is [0-9a-f]{16} of digest [0-9a-f]{16} in metrics.jsonl, and .* in step-000000048.h5' "is not that of the chain"
rm -r tampered && cp -r good tampered
printf '%s\n' '{"series":"chain","step":1e300,"digest_high":0}' '{"series":"chain","step":-1}' \
    "$(printf '{"series":"chain","step":4,%070000d}' 0)" $'{"series":"chain\x1b[31m' >>tampered/metrics.jsonl
run 1 audit tampered
expect_code 0 "lines that are none"
expect_in "$err" '3 lines of metrics.jsonl are none' "are counted"
head -c 30000 good/checkpoints/step-000000060.h5 >tampered/checkpoints/step-000000060.h5
run 1 audit tampered
expect_code 1 "a newest checkpoint that is torn"

# What cannot be audited.
refused() { # refused REGEX WHAT ARGUMENT…
    local regex=$1 what=$2
    shift 2
    run 2 audit "$@"
    expect_bad 2 "$regex" "$what"
}
run 1 train net.yaml --run unlinked --set train.chain=0 --set checkpoint.best=none
refused 'unlinked has no chain of digests \(train.chain, .*--checkpoints' "a run without a chain" unlinked
run 2 audit unlinked --checkpoints --share 100%
expect_code 0 "whose checkpoints can be audited"
expect_last 'audit run=unlinked steps=60 links=5 agree=5 .*' "all of them"
refused 'other.h5 is other data than good was trained on: data.train_x' "other data" good --data other.h5
refused 'missing.h5' "no data" good --data missing.h5
refused 'no checkpoint that is whole here' "no run" .
rm -r tampered && cp -r good tampered && rm tampered/metrics.jsonl
refused 'metrics.jsonl.*--checkpoints' "a run without metrics" tampered
run 1 train net.yaml --run floats --set reduce.wire=f32
refused 'reduce.wire is f32' "sums of floats" floats
refused 'share is "0"' "no share" good --share 0
refused 'must be above --from' "a range that is none" good --from 40 --to 30
rm -r tampered && cp -r good tampered && find tampered/checkpoints -name 'step-0000000[0-3]*' -delete
run 1 audit tampered --from 44 --share 100%
refused 'would be computed, for there is no checkpoint between steps 0 and 48 .*keep_every.*--from 48' "a run that kept too few checkpoints" tampered --from 40 --most 1%

# Weights that the recipe does not give.
run 1 import weights good --into net.yaml --run given --set train.shards=4
if ((code == 0)); then
    run 1 train net.yaml --run given
    run 1 audit given --share 100%
    expect_code 1 "a run that was given its weights"
    expect_in "$err" 'did not begin with its recipe.s initial weights' "is not what its recipe gives"
    run 2 audit given --share 100% --given
    expect_code 0 "and is what it was made of them"
else
    fail "import weights: $(cat "$err")"
fi
# Sites, whose rounds are steps: what each keeps to itself is in checkpoints.
cat >sites.yaml <<'END'
data: {file: small.h5, mean: 72.94, std: 90.02}
model: {layers: [flatten, {dense: {out: 8, activation: relu}}, {dense: 10}]}
optimizer: {kind: sgd, lr: 0.05, momentum: 0.9}
train: {batch: 8, shards: 2, chain: 1}
sites: {simulate: 6, per_round: 3, rounds: 6, round: 3 steps, partition: dirichlet(0.5), wire: i8, optimizer: keep, control: true, weights: equal}
checkpoint: {every: 2 steps, keep: 0}
report: {every: never}
END
run 2 train sites.yaml --run sites
expect_code 0 "a run of sites"
run 3 audit sites --share 100%
expect_code 0 "is audited"
expect_last 'audit run=sites steps=6 links=6 agree=6 .*' "round by round"
finish
