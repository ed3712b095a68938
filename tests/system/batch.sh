#!/usr/bin/env bash
# Batches at their ends: one with fewer samples than a normalisation needs, one of more than there are, one that no
# machine has the memory for. What cannot train is refused before the first step, with what would do.
. "$(dirname "$0")/../support/lib.sh"

"$python" - <<'PYTHON' || give_up "no data"
import h5py, numpy

rng = numpy.random.default_rng(3)
with h5py.File("data.h5", "w") as data:
    for split, rows in (("train", 600), ("test", 200)):
        x = rng.standard_normal((rows, 4, 4, 1)).astype("f4")
        data[f"{split}/x"] = x
        data[f"{split}/y"] = ((x[:, 0, 0, 0] > 0) * 2 + (x[:, 1, 1, 0] > 0)).astype("u1")
PYTHON

# trial RANKS RUN LAYERS ARGUMENT…
trial() {
    local ranks=$1 run=$2 layers=$3
    shift 3
    run "$ranks" train --run "$run" --set data.file=data.h5 --set data.normalize=given --set data.mean=0 --set data.std=1 \
        --set "model.layers=[$layers]" --set optimizer.lr=0.01 --set train.epochs=2 "$@"
}
dense='flatten, dense: 16, batch_norm: {activation: relu}, dense: 4'

# A batch normalisation of one value a channel gives 0 whatever the value was, and trains at chance.
trial 1 one "$dense" --set train.batch=32 --set train.shards=32
expect_bad 1 'batch_norm1: a batch of 32 samples in 32 shards has a piece of 1 sample, .* try train.batch=[0-9]+ or train.shards=[0-9]+' \
    "a row a shard"
[[ ! -e one/recipe.yaml ]] || fail "a run that was refused has a recipe"
grep -oE 'train\.(batch|shards)=[0-9]+' "$err" >remedies
[[ $(wc -l <remedies) == 2 ]] || fail "no two remedies: $(cat remedies)"
while read -r remedy; do
    trial 3 "one-$remedy" "$dense" --set train.batch=32 --set train.shards=32 --set "$remedy"
    expect_code 0 "what it says would do: $remedy"
done <remedies
trial 1 micro "$dense" --set train.batch=32 --set train.shards=2 --set train.micro_batch=1
expect_bad 1 'batch_norm1: a batch of 32 samples in 2 shards, cut by train.micro_batch, .* train.micro_batch=0' "by micro-batches"
trial 1 last "$dense" --set train.batch=599 --set train.shards=2
expect_bad 1 'batch_norm1: the last batch of an epoch, 1 of 600 samples, in 2 shards' "the last batch of an epoch"
trial 1 nested "flatten, residual: [dense: 16, batch_norm: {}], dense: 4" --set train.batch=32 --set train.shards=32
expect_bad 1 'residual1/batch_norm1: a batch of 32' "in a residual"
trial 1 places "conv2d: {out: 3, kernel: 3}, batch_norm: {}, flatten, dense: 4" --set train.batch=32 --set train.shards=32
expect_code 0 "the places of a picture are values too"
trial 1 fewer "$dense" --set train.batch=8 --set train.shards=3
expect_code 0 "shards of two and three"
for layer in 'group_norm: 16' 'residual: [dense: 1, layer_norm: {}, dense: 16]' 'residual: [dense: 1, rms_norm: {}, dense: 16]'; do
    trial 1 single "flatten, dense: 16, $layer, dense: 4" --set train.batch=32 --set train.shards=1
    expect_bad 1 '_norm1: it normalises single values' "$layer after a dense layer"
done

# A batch of more samples than there are is a batch of all: the same bits, in the same memory.
for layers in "$dense" "conv2d: {out: 3, kernel: 3, activation: relu}, flatten, dense: 4"; do
    rm -rf all huge
    trial 1 all "$layers" --set train.batch=600 --set train.shards=3
    wanted=$(figures)
    (ulimit -v 3000000 && trial 1 huge "$layers" --set train.batch=1000000000 --set train.shards=3 && exit "$code")
    code=$?
    expect_code 0 "a full batch, in 3 GB of addresses"
    if [[ $(figures) == "$wanted" ]]; then
        pass "the same figures: $wanted"
    else
        fail "a full batch: $(figures), not $wanted" && show "$err"
    fi
done
trial 3 huge-3 "$layers" --set train.batch=1000000000 --set train.shards=3
if [[ $(figures) == "$wanted" ]]; then pass "on 3 ranks too"; else fail "on 3 ranks: $(figures), not $wanted"; fi
run 2 eval huge
expect_in "$out" '^eval loss=' "its checkpoint is evaluated"

# More than the machine has is refused with figures, not killed; and what the message says would fit does.
wide="flatten, dense: {out: 1000000, activation: relu}, dense: 4"
(ulimit -v 1200000 && trial 1 wide "$wide" --set train.batch=600 && exit "$code")
code=$?
expect_bad 1 '600 samples at once take [0-9.]+ GB .* there are [0-9.]+ GB for a rank; .*train.micro_batch=[0-9]+ would fit' \
    "activations beyond the memory"
micro=$(grep -oE 'train.micro_batch=[0-9]+' "$err") || fail "no micro-batch is said to fit"
(ulimit -v 1200000 && trial 1 wide "$wide" --set train.batch=600 --set "$micro" --set train.steps=1 && exit "$code")
code=$?
if ((code == 0)) || grep -qE 'a rank needs [0-9.]+ GB' "$err"; then
    pass "with $micro it fits, or is told what else is needed"
else
    fail "with $micro: exit code $code" && show "$err"
fi
finish
