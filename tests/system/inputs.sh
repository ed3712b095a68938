#!/usr/bin/env bash
# Inputs that have names: written in either way, moved and mirrored alone, and taken by every command that works with a
# trained model.
. "$(dirname "$0")/../support/lib.sh"

"$python" - <<'PYTHON' || give_up "no data"
import h5py, numpy

rng = numpy.random.default_rng(5)
label = rng.integers(0, 4, 500)
image = numpy.clip(rng.normal(60, 20, (500, 6, 8)) + 90 * (label % 2)[:, None, None] * (numpy.arange(8) < 3), 0, 255).astype("u1")
meta = (rng.normal(size=(500, 3)) * [1, 10, 100] + (label // 2)[:, None] * [1, 0, 50]).astype("f4")
with h5py.File("data.h5", "w") as file:
    for split, first, end in ("train", 0, 400), ("test", 400, 500):
        file[f"{split}/image"], file[f"{split}/meta"], file[f"{split}/y"] = image[first:end], meta[first:end], label[first:end]
with h5py.File("other.h5", "w") as file:  # the test data under other names, in two pieces
    file["pixels"], file["a"], file["b"] = image[400:], meta[400:, 0], meta[400:, 1:]
with h5py.File("whole.h5", "w") as file:
    file["image"], file["meta"], file["train/y"] = image, meta, label
PYTHON
cat >recipe.yaml <<'YAML'
name: inputs
data: {file: data.h5, normalize: standardise, DATA}
model:
  layers:
    - concat: [[{input: image}, {reshape: [6, 8, 1]}, {conv2d: {out: 3, kernel: 3, activation: relu}}, flatten], [{input: meta}, {dense: {out: 4, activation: tanh}}]]
    - dense: 4
train: {epochs: 2, batch: 40, shards: 4}
checkpoint: {every: never}
YAML
with() { sed "s#DATA#$1#" recipe.yaml; }
map='{image: /train/image, meta: /train/meta}' test_map='{image: /test/image, meta: /test/meta}'
with "train_x: $map, test_x: $test_map" >old.yaml
with "inputs: $map, test_inputs: $test_map" >new.yaml
with "file: whole.h5, inputs: {image: /image, meta: /meta}, split: {test: 0.2}" | sed 's/file: data.h5, //' >cut.yaml

# ---- syntax ----

run 1 train old.yaml --run old
expect_last 'done .* digest=[0-9a-f]{16}' "maps in train_x and test_x"
wanted=$(last_value digest)
run 2 train new.yaml --run new
expect_last "done .* digest=$wanted" "in inputs and test_inputs: the same"
if [[ -s old/recipe.yaml ]] && cmp -s <(sed 's/^run:.*//' old/recipe.yaml) <(sed 's/^run:.*//' new/recipe.yaml); then pass "and the same recipe"; else fail "another recipe"; fi
run 2 train cut.yaml --run cut
expect_last 'done .* test_accuracy=.*' "one map is enough with data.split"
with "inputs: $map, test_x: $test_map, train_x: $map" >both.yaml
run 1 train both.yaml --run both
expect_bad 1 'data.inputs is another name of data.train_x, which is there too' "both"

# ---- one of several is moved ----

augmented=(--set data.augment.crop_padding=2 --set data.augment.flip=true)
alone() { with "$1, augment: {crop_padding: 2, flip: true}" | sed 's/- concat:.*/- reshape: [6, 8, 1]/; s/normalize: standardise/mean: 60, std: 40/'; }
alone "train_x: /train/image, test_x: /test/image" >plain.yaml
alone "inputs: {image: /train/image, meta: /train/meta}, test_inputs: $test_map" | sed 's/- reshape/- input: image\n    - reshape/' >part.yaml
for recipe in plain part; do
    sed -i 's/- dense: 4/- conv2d: {out: 3, kernel: 3}\n    - flatten\n    - dense: 4/' $recipe.yaml
    run 2 train $recipe.yaml --run $recipe
    expect_last 'done .* digest=[0-9a-f]{16}' "pictures are moved: $recipe"
    last_value digest >$recipe.said
done
if cmp -s plain.said part.said; then pass "the one input that is a picture moves as it does alone"; else fail "an input moves otherwise" && show plain.said part.said; fi
run 1 train new.yaml "${augmented[@]}" --run moved
moved=$(last_value digest)
run 3 train new.yaml "${augmented[@]}" --set data.augment.input=image --run moved3
expect_last "done .* digest=$moved" "on three ranks, and by its name"
[[ $moved != "$wanted" ]] || fail "nothing was moved"
run 1 train new.yaml "${augmented[@]}" --set data.augment.input=meta --run bad
# shellcheck disable=SC2016  # names are in back quotes
expect_bad 1 'data.augment.input is `meta`, but .* has no such input that is a picture' "an input that is no picture"
with "inputs: {image: /train/image, meta: /train/meta, twin: /train/image}, test_inputs: {image: /test/image, meta: /test/meta, twin: /test/image}" >twins.yaml
run 1 train twins.yaml "${augmented[@]}" --run bad
# shellcheck disable=SC2016  # names are in back quotes
expect_bad 1 'the inputs `image` and `twin` are both pictures; data.augment.input says which' "two pictures"
run 1 train new.yaml --set data.augment.input=image --run bad
# shellcheck disable=SC2016  # names are in back quotes
expect_bad 1 'data.augment.input is `image`, but nothing is moved or mirrored' "a name for nothing"
run 1 train new.yaml --set data.augment.crop_padding=7 --run bad
expect_bad 1 'crop_padding is 7 but samples of .* are 6 x 8 pixels' "further than it is wide"

# ---- a trained model at work ----

run 2 eval new
expect_last 'eval loss=.* accuracy=.*' "eval"
run 1 predict new -o own.h5
said=$(last_value digest)
run 3 predict new --data 'other.h5:{image: /pixels, meta: [/a, /b]}' -o other.h5.out.h5
expect_last "predict samples=100 .* digest=$said" "predict from other datasets, by name"
run 2 predict new --data 'other.h5:{meta: [/a, /b], image: /pixels}' -o bad.h5
# shellcheck disable=SC2016  # names are in back quotes
expect_bad 1 'input 1 is to be `image`, \[6, 8\], which .* was trained on, but is meta' "inputs in another order"
run 1 inspect new
expect_in "$out" 'train_x: .*image: /train/image, meta: /train/meta' "inspect"
run 1 merge new moved -o merged.h5
expect_code 0 "merge"
run 2 eval merged.h5
expect_last 'eval loss=.*' "what was merged is evaluated"
run 1 eval new
loss=$(last_value loss)
run 1 export new --to safetensors new.safetensors
run 1 import weights new.safetensors --into new.yaml --run again
expect_code 0 "import weights"
run 1 eval again
expect_last "eval loss=$loss .*" "has what was exported"
finish
