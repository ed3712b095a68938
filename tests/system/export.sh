#!/usr/bin/env bash
# Exported models: weights keep their bits, what runs elsewhere computes what dtrain predict says, for every kind of layer
# and every way of scaling, and what a format cannot carry is refused by name, with nothing left behind.
. "$(dirname "$0")/../support/lib.sh"
. "$source/tests/support/judges.sh"

"$python" - <<'END'
import h5py, numpy as np

r = np.random.default_rng(1)


def put(name, x, y):
    with h5py.File(name, "w") as f:
        n = len(x) - 100
        f["train/x"], f["train/y"], f["test/x"], f["test/y"] = x[:n], y[:n], x[n:], y[n:]


N = 260
channels = np.array([5, 0.1, 2]).reshape(3, 1, 1), np.array([1, 2, -3]).reshape(3, 1, 1)
put("first.h5", (r.normal(size=(N, 3, 12, 10)) * channels[0] + channels[1]).astype("f4"), r.integers(0, 4, N))
put("last.h5", (r.normal(size=(N, 12, 10, 4)) * 5 + 3).astype("f4"), r.integers(0, 4, N))
put("series.h5", r.normal(size=(N, 16, 6)).astype("f4"), r.integers(0, 4, N))
put("line.h5", r.normal(size=(N, 32)).astype("f4"), r.integers(0, 2, N))
gaps = r.normal(size=(N, 4)) * [1, 10, 100, 1] + [0, 5, -7, 1]
gaps[r.random(size=gaps.shape) < 0.2] = np.nan
put("gaps.h5", gaps.astype("f4"), r.integers(0, 2, N))
put("far.h5", r.normal(size=(N, 5)) * 0.01 + 1e6 * np.arange(1, 6), r.normal(size=(N, 3)) * 2e5 + 1e6)
labels = r.integers(0, 3, N)
parts = {"image": r.normal(90, 30, (N, 8, 10)).astype("u1"), "meta_a": r.normal(40, 9, N).astype("f4") + 30 * (labels == 1),
         "meta_b": (r.normal(size=(N, 3)) * [1, 100, 1e4] + [0, 5, 9e3]).astype("f4"), "x1": r.normal(size=(N, 2, 3)).astype("f4"),
         "far": r.normal(size=(N, 2)) * 0.01 + 1e6}
parts["meta_b"][::7, 1] = np.nan
with h5py.File("parts.h5", "w") as f:
    for split, rows in (("train", slice(0, 160)), ("test", slice(160, None))):
        f[split + "/y"] = labels[rows]
        for name, values in parts.items():
            f[split + "/" + name] = values[rows]
with h5py.File("rows.h5", "w") as f:
    t = r.integers(0, 20, (N, 12))
    for i in range(N):
        t[i, r.integers(1, 13) :] = -1
    f["train/tokens"], f["train/y"] = t[:160], r.integers(0, 3, 160)
    f["test/tokens"], f["test/y"] = t[160:], r.integers(0, 3, 100)
open("text.txt", "w").write("the quick brown fox jumps over the lazy dog\n" * 60)
END
run 1 import text text.txt text.h5 --tokens bpe --vocab 270
expect_code 0 "a text"

# recipe NAME DATA LAYERS
recipe() {
    cat >"$1.yaml" <<END
name: $1
data: {file: $2}
model: {layers: [$3]}
optimizer: {kind: adam, lr: 0.01}
train: {batch: 20, steps: 12, eval_every: 0}
END
}
rows="rows.h5, context: 12, objective: class, vocabulary: 20"
text="text.h5, context: 16"
recipe first "first.h5, normalize: standardise, channels: first" \
    'transpose: [1, 2, 0], conv2d: {out: 6, kernel: 3x2, stride: 2x1, dilation: 1x2, activation: gelu}, group_norm: 3, residual: {layers: [conv2d: {out: 6, groups: 3, activation: leaky_relu, slope: 0.2}, batch_norm], activation: relu}, upsample: {factor: 2, method: linear}, avg_pool: {kernel: 3x3, stride: 2, padding: same}, max_pool: {kernel: 3, stride: 2, padding: 1}, concat: [[], [conv2d: {out: 3, kernel: 1, bias: false}, tanh], [upsample: 2, max_pool: 2]], layer_norm: {shift: false}, global_max_pool, dense: {out: 8, activation: silu}, dropout: 0.3, dense: 4'
recipe last "last.h5, normalize: min_max" \
    'conv2d: {out: 6, padding: valid, activation: sigmoid}, batch_norm: {scale: false}, relu, avg_pool: 2, rms_norm, swiglu: 5, leaky_relu: 0.3, upsample: 3, global_avg_pool, softmax, gelu, batch_norm, dense: 4'
recipe series series.h5 \
    'conv1d: {out: 8, kernel: 3, stride: 2, activation: relu}, batch_norm, attention: {heads: 4, kv_heads: 2, causal: false, rotary: true}, avg_pool: {kernel: 3, stride: 1, padding: same}, upsample: {factor: 2, method: linear}, gru: {units: 7, layers: 2}, simple_rnn: 5, max_pool: 2, silu, token_pool: mean, dense: 4'
recipe line line.h5 'conv1d: {out: 4, kernel: 5, padding: valid, dilation: 2}, lstm: {units: 6, last: true, bias: false}, sigmoid, dense: 1'
recipe line2 line.h5 'gru: {units: 4, last: true}, reshape: [2, 2], flatten, dense: 1'
recipe gaps "gaps.h5, normalize: standardise, missing: mean" 'dense: {out: 8, activation: relu}, dense: 2'
recipe far "far.h5, normalize: standardise, target: {normalize: standardise}" 'dense: {out: 16, activation: tanh}, dense: 3'
recipe far2 "far.h5, normalize: min_max, target: {normalize: min_max, normalize_by: all}" 'dense: 16, tanh, dense: 3'
recipe rows "$rows" 'embedding: {width: 8, positions: learned}, attention: {heads: 2, causal: false}, token_pool: mean, dense: 3'
recipe rows2 "$rows" 'bert: {layers: 1, heads: 2, width: 8, classes: 3}'
recipe rows3 "$rows" 'lstm: {units: 6, last: true, layers: 2}, dense: 3'
recipe gpt "$text" 'gpt: {layers: 2, heads: 2, width: 16, dropout: 0.1}'
recipe nano "$text" 'gpt: {layers: 1, heads: 2, width: 16, bias: false, tied: false, hidden: 24}'
recipe llama "$text" 'gpt: {layers: 1, heads: 4, kv_heads: 2, width: 16, norm: rms_norm, mlp: swiglu, positions: rotary}'
recipe rnn "$text" 'rnn: {layers: 2, width: 12}'
recipe plain "last.h5, mean: 3, std: 5" \
    'conv2d: {out: 6, stride: 2, activation: silu}, conv2d: {out: 6, padding: 1, dilation: 1, activation: leaky_relu}, batch_norm: {activation: relu}, max_pool: {kernel: 2, padding: same}, upsample: 2, residual: {layers: [conv2d: 6, layer_norm], activation: relu}, concat: [[], [avg_pool: {kernel: 3, stride: 1, padding: same}]], dropout: 0.2, transpose: [1, 0, 2], reshape: [6, 6, 12], global_avg_pool, tanh, dense: 4'
recipe plain2 series.h5 'conv1d: {out: 5, kernel: 3, padding: valid}, max_pool: 2, lstm: {units: 6, layers: 2}, simple_rnn: {units: 4, last: true}, flatten, dense: {out: 6, activation: sigmoid}, dense: 4'
keras=(plain plain2 line3)
recipe line3 line.h5 'lstm: {units: 3, last: true}, concat: [[dense: 3], [dense: 3, tanh, dense: 3]], leaky_relu: 0.1, dense: 1'
two="parts.h5, train_x: {image: /train/image, x1: /train/x1}, test_x: {image: /test/image, x1: /test/x1}, normalize: standardise"
recipe two "$two" 'concat: [[input: image, reshape: [8, 10, 1], conv2d: {out: 3, activation: relu}, flatten], [input: x1, lstm: {units: 4, last: true}], []], dense: {out: 8, activation: tanh}, dense: 3'
recipe whole "$two" 'dense: {out: 8, activation: tanh}, concat: [[], [dense: 86, input: x1, flatten]], dense: 3'
keras+=(two)
all="image: /SPLIT/image, meta: [/SPLIT/meta_a, /SPLIT/meta_b], far: /SPLIT/far"
recipe three "parts.h5, train_x: {${all//SPLIT/train}}, test_x: {${all//SPLIT/test}}, normalize: standardise, missing: mean" \
    'concat: [[input: image, flatten, dense: 5], [input: meta, concat: [[], [relu]]], [residual: {layers: [dense: 86]}], [input: far]], dense: {out: 8, activation: tanh}, dense: 3'
names=(whole three "${keras[@]}" first last series line line2 gaps far far2 rows rows2 rows3 gpt nano llama rnn)

"$dtrain" train --help-recipe | sed -nE 's/^([a-z_0-9]+): .*/\1/p' >kinds
cat -- *.yaml >recipes
while read -r kind; do
    [[ $kind != unembed ]] || continue # presets end with it
    grep -qE "\b$kind\b" recipes || fail "no model here has a layer of the kind $kind: nothing says that it is exported"
done <kinds
(($(wc -l <kinds) > 30)) || fail "there are $(wc -l <kinds) kinds of layers"

for name in "${names[@]}"; do
    loss=softmax_cross_entropy
    [[ $name != line* ]] || loss=binary_cross_entropy
    [[ $name != far* ]] || loss=mean_squared_error
    run 1 train "$name.yaml" --run "$name" --set model.loss="$loss"
    ((code == 0)) || give_up "training $name: $(cat "$err")"
    for format in safetensors npz onnx pytorch; do
        run 1 export "$name" --to "$format" "$name.${format/pytorch/pt}"
        ((code == 0)) || grep -q 'built without' "$err" || fail "export of $name: $(cat "$err")"
    done
    if [[ " ${keras[*]} " == *" $name "* ]]; then
        for file in "$name.keras.h5" "$name.keras"; do
            run 1 export "$name" --to keras "$file"
            ((code == 0)) || fail "export of $name to Keras: $(cat "$err")"
        done
    fi
    judge same "$name" "$name" || fail "$name: safetensors and npz have other bits than the checkpoint"
    run 2 predict "$name" -o "$name.predicted.h5"
    ((code == 0)) || give_up "prediction of $name: $(cat "$err")"
    judge inputs "$name" "$(sed -nE 's/^data: \{file: ([^,}]*).*/\1/p' "$name.yaml")" || fail "no inputs of $name"
done
pass "${#names[@]} models are exported, and their weights keep their bits"
judge_all "${names[@]}"
judge_keras keras "${keras[@]}"
judge_keras keras3 "${keras[@]}"

# What is carried: windows of 8 tokens, one after the other, are windows of 16.
carried='embedding: 6, lstm: {units: 5, layers: 2}, gru: 4, lstm: {units: 3, bias: false}, simple_rnn: 6, dense: 270'
recipe carried "text.h5, context: 8, windows: stream" "$carried"
sed 's/context: 8, windows: stream/context: 16, windows: random/; s/name: carried/name: long/' carried.yaml >long.yaml
run 1 train carried.yaml --run carried
expect_code 0 "a model that carries its state"
checkpoints=(carried/checkpoints/*.h5)
run 1 import weights "${checkpoints[-1]}" --into long.yaml --run long --set train.shards=1
expect_code 0 "the same over twice as many tokens"
run 1 predict long -o carried.predicted.h5
expect_code 0 "what it says"
run 1 export long --to safetensors carried.safetensors
judge inputs carried text.h5 || fail "no inputs"
run 1 export carried --to onnx carried.onnx --state
if ((code != 0)) && grep -q 'built without' "$err"; then
    lacks "ONNX: $(<"$err")"
elif need_runtime; then
    expect_code 0 "states are exported"
    if node "$source/tests/support/judge_state.js" "$runtime" carried >said 2>&1 && judge compare state carried >>said 2>&1; then
        pass "ONNX Runtime goes on from what a window left" && show said
    else
        fail "states" && show said
    fi
    ! can_check || judge check carried || fail "onnx.checker on states"
fi
run 1 export gpt --to onnx none.onnx --state
expect_bad 1 'no recurrent layer that carries' "no state to carry"
run 1 export carried --to npz none.npz --state
expect_bad 2 'state goes with --to onnx' "a format without"

# GPT-2, by names and arithmetic of its own.
for name in gpt nano; do
    run 1 export "$name" --to gpt2 "$name.gpt2"
    expect_code 0 "export of $name as GPT-2"
    if judge gpt2 "$name" && judge compare gpt2 "$name" >said 2>&1; then pass "$(<said)"; else fail "$name as GPT-2" && show said; fi
done
run 1 import text text.txt again.h5 --tokens bpe --vocab-json gpt.gpt2/vocab.json --merges gpt.gpt2/merges.txt
expect_code 0 "its tokenizer is read again"
same_tokens() {
    "$python" -c 'import h5py, sys
a, b = (h5py.File(name) for name in sys.argv[1:])
sys.exit(not all((a[at][:] == b[at][:]).all() for at in ("train/tokens", "test/tokens")))' "$@"
}
if same_tokens text.h5 again.h5; then pass "the exported tokenizer makes the same tokens"; else fail "the exported tokenizer makes other tokens"; fi
run 1 export gpt --to keras gpt.h5.h5
expect_bad 1 'layer embedding1 \(embedding\): it learns positions' "what Keras has no layer for"
[[ ! -e gpt.h5.h5 ]] || fail "a refused export left something"
run 1 export plain --to keras plain.hdf5
expect_bad 2 'plain.hdf5: .*ending .keras or .h5' "a name that Keras takes for another format"
run 1 export gpt --to keras gpt.keras
expect_bad 1 'layer embedding1 \(embedding\): it learns positions' "what Keras has no layer for, as .keras"
compgen -G 'gpt.keras*' && fail "a refused export left something"
run 1 export llama --to gpt2 llama.gpt2
expect_bad 1 'layer embedding1 \(embedding\): it learns no positions' "what is no GPT-2"
[[ ! -e llama.gpt2 ]] || fail "a refused export left something"

# Whole or not at all; twice the same; nothing of others is replaced.
run 1 export gpt --to safetensors twice.safetensors
if cmp -s twice.safetensors gpt.safetensors; then pass "the same model is the same file"; else fail "two exports of one model differ"; fi
run 1 export gpt --to pytorch gpt.pt
expect_bad 2 'gpt.pt is a directory with something in it' "a directory that is there"
run 1 export three --to keras three.h5
expect_bad 1 'input .image.: data.missing is mean' "what Keras has no place for is told by the input's name"
run 1 export whole --to keras whole.h5
expect_bad 1 'layer concat1/branch2/input1 \(input\): it takes a part of what a layer gives' "so is a part of a hidden row"
run 1 export gpt --to tensorflow gpt.tf
expect_bad 2 'no format "tensorflow".*safetensors' "a format there is not"
run 1 export text.h5 --to npz text.npz
expect_bad 1 'text.h5' "a file that is no checkpoint"
run 1 export gpt --to onnx
expect_bad 2 'export needs' "no destination"
mkdir closed
(ulimit -f 8 && "$dtrain" export gpt --to safetensors closed/gpt.safetensors >"$out" 2>"$err")
code=$?
if ((code != 0)) && [[ -z $(ls closed) ]]; then pass "a disk that is full: $(head -c 120 "$err")"; else fail "a disk that is full: code $code, left $(ls closed)"; fi

# The example of the help.
need_data
run 1 train "$source/launch/recipes/fashion-mlp.yaml" --set data.file="$data" --set train.stop_after='20 steps' --set train.eval_every=0
read -ra example < <("$dtrain" export --help | sed -n '/^example/{n;s/^ *dtrain //;p}')
run 1 "${example[@]}"
expect_code 0 "${example[*]}"
[[ -s fashion-mlp.safetensors ]] || fail "the example of the help wrote nothing"
finish
