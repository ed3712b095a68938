#!/usr/bin/env bash
# Where two runs part: fields of recipes and data, the step, who of the two agrees with what is computed here, the tensor.
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
train: {batch: 24, steps: 40, shards: 4, chain: 1, eval_every: 10 steps}
checkpoint: {every: 10 steps, keep: 0, best: test_loss}
report: {every: never}
END
run 2 train net.yaml --run good
# A bit of a weight, turned over amid a step behind step 20.
flipped() { # flipped RUN OPTION…
    LD_PRELOAD=$wrong DTRAIN_WRONG="weight 850 208896" run 1 train net.yaml --run "$@"
    expect_code 0 "a run with a bit of a weight turned over"
}
flipped fine --set checkpoint.every='1 steps'
flipped coarse --set train.chain=7
digest_of() { grep "\"series\":\"chain\",\"step\":$2," "$1/metrics.jsonl" | sed 's/,"link.*//'; }
parted=1
while [[ $(digest_of good $parted) == "$(digest_of fine $parted)" ]] && ((parted < 40)); do ((parted++)); done
((parted > 20 && parted < 40)) || give_up "the runs were to part behind step 20, not at step $parted"
tensor=$("$python" - "good/checkpoints/step-000000020.h5" "$parted" <<'END'
import h5py, sys
with h5py.File(sys.argv[1]) as f: print(sum(v.size for v in f["weights/dense1"].values()))
END
)
[[ $tensor == 50240 ]] || fail "the network is not what this test takes it for"

for ranks in 1 3; do
    run "$ranks" dispute good fine
    expect_code 1 "two runs that part, on $ranks ranks"
    expect_in "$out" "^digests: the same up to step $((parted - 1)), and different at step $parted$" "the step"
    expect_in "$out" "^good agrees with what was computed here from step $((parted - 1)), up to step $parted$" "who is right"
    expect_in "$out" "^fine parts from what was computed here between steps $((parted - 1)) and $parted$" "and who is not"
    expect_in "$out" '^  [0-9]+ of its 50176 elements differ; element ([0-9]+) is 0x[0-9a-f]{8} \(-?[0-9.e-]+\) in what was computed here, and 0x[0-9a-f]{8} \(.*\) in fine/' "the first element"
    expect_last "dispute a=good b=fine recipes=same data=same links=$parted same=$((parted - 1)) parted=$parted here=a at=$parted tensor=/weights/dense1/w element=[0-9]+" "the last line"
    cp "$out" "said$ranks"
done
cmp -s said1 said3 || fail "on other numbers of ranks it says something else: $(diff said1 said3)"
# the element and its values, from the files themselves
read -r element first second <<<"$(sed -nE 's/.*; element ([0-9]+) is (0x[0-9a-f]+) .*, and (0x[0-9a-f]+) .*/\1 \2 \3/p' said1)"
run 1 train net.yaml --run exact --set checkpoint.every='1 steps'
found=$("$python" - "exact/checkpoints/step-0000000$parted.h5" "fine/checkpoints/step-0000000$parted.h5" <<'END'
import h5py, sys
one, two = (h5py.File(path)["weights/dense1/w"][:].reshape(-1).view("<u4") for path in sys.argv[1:])
first = (one != two).argmax()
print(first, "0x%08x" % one[first], "0x%08x" % two[first])
END
)
if [[ "$element $first $second" == "$found" ]]; then pass "is what the checkpoints have"; else fail "it is $found, not $element $first $second"; fi

run 2 dispute coarse good
low=$(((parted - 1) / 7 * 7))
expect_in "$out" "^coarse parts from what was computed here between steps [0-9]+ and $((low + 7))$" "a coarse chain tells between which steps"
expect_last "dispute a=coarse b=good .* here=b at=[0-9]+ tensor=/weights/[a-z0-9/]+ element=[0-9]+" "and tensors are compared at the next checkpoint"
run 2 dispute fine coarse
expect_last "dispute a=fine b=coarse .* parted=-1 .*" "two that are wrong alike"
run 2 dispute good good
expect_code 0 "a run and itself"
run 1 dispute fine good --files
expect_last "dispute a=fine b=good .* parted=$parted here=- at=40 tensor=/weights/dense1/w element=[0-9]+" "with nothing computed"
run 1 dispute good/checkpoints/step-000000040.h5 fine/checkpoints/step-000000040.h5
expect_last "dispute .* links=1 same=0 parted=40 here=- at=40 tensor=/weights/.*" "two checkpoints"
expect_in "$err" 'nothing is computed here: .* which steps were evaluated' "which do not say when their runs evaluated"

run 1 train net.yaml --run rate --set optimizer.lr=0.004
run 2 dispute good rate
expect_code 1 "another recipe"
expect_in "$out" '^recipes: optimizer.lr is 0.003 and 0.004 \(good and rate\)$' "is named by its field"
run 1 train net.yaml --run data --set data.file=other.h5
run 1 dispute good data
expect_in "$out" '^data: of data data.train_x is uint8 \[264, 28, 28\], and was uint8 \[240, 28, 28\]' "other data, too"
run 2 dispute good fine --data other.h5
expect_in "$err" 'nothing is computed here: other.h5 is other data' "data that is not theirs"
expect_last "dispute .* here=- .*" "and files are compared all the same"
cp -r good torn && sed -i '/"series":"chain","step":12,/s/_low":[0-9]*/_low":5/' torn/metrics.jsonl
run 1 dispute good torn
expect_code 1 "a run that was changed"
expect_in "$err" 'torn: metrics.jsonl: the link of step 12 does not follow' "says so itself"

refused() { # refused REGEX WHAT ARGUMENT…
    run 2 dispute "${@:3}"
    expect_bad 2 "$1" "$2"
}
refused 'needs two runs' "one run" good
refused 'a third run, rate' "three" good fine rate
refused 'no such run directory' "none" good nothing
run 1 train net.yaml --run short --set train.chain=0 --set train.stop_after='3 steps'
run 1 train net.yaml --run longer --set train.chain=0 --set train.stop_after='4 steps'
refused 'no step in common' "nothing to compare" short longer
finish
