#!/usr/bin/env bash
# Transformers: presets are the plain layers the resolved recipe shows; the same bits on 1 to 4 ranks, with replicas of
# their own, and through a stop in the middle of an epoch; and they learn.
. "$(dirname "$0")/../support/lib.sh"
licence=/usr/share/common-licenses/GPL-3
[[ -s $licence ]] || give_up "no $licence (Debian's base-files)"
run 1 import text "$licence" text.h5 --tokens char
expect_code 0 "the text"

# recipe NAME LAYERS DATA STEPS
recipe() {
    cat >"$1.yaml" <<END
data: {file: text.h5, context: 24, $3}
model: {layers: [$2]}
optimizer: {kind: adamw, lr: 0.003, weight_decay: 0.1, clip_norm: 1}
train: {batch: 22, steps: $4, shards: 4, log_every: 50, eval_every: $4}
END
}

# trains NAME: the same bits whoever computes them; $wanted is the figures
trains() {
    local ranks
    wanted=''
    for ranks in 1 2 3 4; do
        run "$ranks" train "$1.yaml" --run "$1-$ranks" --set reduce.node_ranks=$((ranks == 4 ? 2 : 0))
        expect_code 0 "$1 on $ranks ranks"
        [[ $wanted ]] || wanted=$(figures)
        if [[ $(figures) == "$wanted" ]]; then pass "$wanted"; else fail "$1 on $ranks ranks: $(figures)"; fi
    done
    run 3 train "$1.yaml" --run "$1-stopped" --set train.stop_after=31
    expect_code 75 "$1 stopped"
    run 2 train "$1.yaml" --run "$1-stopped"
    if [[ $(figures) == "$wanted" ]]; then pass "$1 resumed"; else fail "$1 resumed: $(figures), not $wanted"; fi
    run 3 eval "$1-1"
    expect_last "eval loss=$(sed -n 's/.*test_loss=\([^ ]*\).*/\1/p' <<<"$wanted") .*" "$1: eval"
}

# below NAME KEY LIMIT: a figure of the last line is less
below() {
    if awk -v value="$(last_value "$2")" -v limit="$3" 'BEGIN {exit !(value < limit)}'; then
        pass "$1: $2=$(last_value "$2")"
    else
        fail "$1: $2=$(last_value "$2"), not below $3"
    fi
}

recipe gpt 'gpt: {layers: 2, heads: 2, width: 32, dropout: 0.1}' 'objective: next' 80
trains gpt
gpt=$wanted
recipe llama 'gpt: {layers: 2, heads: 4, kv_heads: 2, width: 32, mlp: swiglu, norm: rms_norm, positions: rotary, bias: false, tied: false}' \
    'windows: random' 80
trains llama
recipe bert 'bert: {layers: 2, heads: 2, width: 32}' 'objective: masked' 80
trains bert

# More steps: far better than knowing how frequent each character is (3.1 on this text).
run 2 train gpt.yaml --run gpt-1 --set train.steps=600
expect_code 0 "more steps"
below "gpt" test_loss 2.6

# The preset is what the resolved recipe shows, and that is a recipe.
grep -q 'block2_mlp' gpt-2/recipe.yaml || fail "the resolved recipe does not show the preset's layers"
run 1 train gpt-2/recipe.yaml --run gpt-again
if [[ $(figures) == "$gpt" ]]; then
    pass "a resolved recipe is the run"
else
    fail "a resolved recipe is another run: $(figures)"
fi

# Sequences with a class, some of them shorter.
"$python" - <<'END'
import h5py, numpy

random = numpy.random.default_rng(2)
with h5py.File("rows.h5", "w") as file:
    for part, rows in ("train", 800), ("test", 200):
        x = random.integers(1, 9, (rows, 8)).astype("int16")
        count = random.integers(3, 9, rows)
        x[numpy.arange(8)[None, :] >= count[:, None]] = 0
        file[part + "/tokens"], file[part + "/y"] = x, ((x == 5).sum(1) > 0).astype("uint8")
END
cat >rows.yaml <<'END'
data: {file: rows.h5, context: 8, objective: class, vocabulary: 9, pad: 0}
model: {layers: [bert: {layers: 2, heads: 2, width: 32, classes: 2}]}
optimizer: {kind: adamw, lr: 0.003}
train: {batch: 40, epochs: 8, shards: 3}
END
run 2 train rows.yaml --run rows
expect_last 'done .* test_accuracy=(0\.9|1).*' "classes of sequences that are filled up"
wanted=$(figures)
run 3 train rows.yaml --run rows-3
if [[ $(figures) == "$wanted" ]]; then pass "on 3 ranks"; else fail "on 3 ranks: $(figures), not $wanted"; fi

# What cannot be meant.
run 2 train gpt.yaml --run bad --set 'model.layers=[gpt: {layers: 2, heads: 3, width: 32}]'
expect_bad 1 'width is 32 and heads 3; heads must divide width' "heads that do not divide"
run 2 train gpt.yaml --run bad --set 'model.layers=[embedding: 8, {attention: 2}, flatten, {dense: 65}]'
expect_bad 1 'but a sample has 24 labels' "places that are gone"
finish
