#!/usr/bin/env bash
# export.sh [STEPS]: what independent programs make of exported models, against dtrain predict, on a thousand real test
# samples each: the recipes of the README after STEPS steps (200) of training. It prints, for each model and program,
# the largest difference as a share of the outputs' range, and fails where that is above 1e-5. It needs the data of
# data/fetch.sh (DTRAIN_SHAKESPEARE names shakespeare.h5), and npm, Python's onnx and PyTorch for the judges.
. "$(dirname "$0")/../support/lib.sh"
. "$source/tests/support/judges.sh"
limit=1800
steps=${1:-200}
shakespeare=${DTRAIN_SHAKESPEARE:-$source/data/shakespeare.h5}

need_data
cut_data fashion.h5 6000 1000
declare -A file recipe # of each model
file=([mlp]=fashion.h5 [cnn]=fashion.h5 [resnet]=fashion.h5)
recipe=([mlp]=fashion-mlp [cnn]=fashion-cnn [resnet]=fashion-resnet [lstm]=shakespeare-lstm [gpt]=shakespeare-gpt
    [bert]=shakespeare-bert [pendulum]=pendulum)
if [[ -r $shakespeare ]]; then
    "$python" - "$shakespeare" <<'END'
import sys, h5py

with h5py.File(sys.argv[1]) as whole, h5py.File("text.h5", "w") as cut:
    whole.copy("vocab", cut)
    cut["train/tokens"] = whole["train/tokens"][:200000]
    cut["test/tokens"] = whole["test/tokens"][:64000]
    for split in ("train", "test"):
        for name, value in whole[f"{split}/tokens"].attrs.items():
            cut[f"{split}/tokens"].attrs[name] = value
END
    file+=([lstm]=text.h5 [gpt]=text.h5 [bert]=text.h5)
else
    lacks "lstm, gpt and bert: there is no $shakespeare"
fi
if "$build/data/pendulum" pendulum.h5 >"$out" 2>"$err"; then
    file+=([pendulum]=pendulum.h5)
else
    lacks "pendulum: $build/data/pendulum does not make its data"
fi
for name in "${!file[@]}"; do
    more=()
    [[ $name != lstm ]] || more=(--set data.windows=random) # an exported one begins each sample from zeros
    run 1 train "$source/launch/recipes/${recipe[$name]}.yaml" --run "$name" --set data.file="${file[$name]}" --set train.stop_after="$steps steps" \
        --set train.eval_every=0 --set checkpoint.every=0 "${more[@]}"
    ((code == 75)) || give_up "training $name: $(cat "$err")"
    for format in safetensors onnx pytorch; do
        run 1 export "$name" --to "$format" "$name.${format/pytorch/pt}"
        expect_code 0 "export of $name to $format"
    done
    run 1 predict "$name" -o "$name.predicted.h5"
    expect_code 0 "prediction of $name: $(tail -n 1 "$out")"
    judge inputs "$name" "${file[$name]}" || fail "no inputs of $name"
done
judge_all "${!file[@]}"
for name in mlp cnn resnet; do
    run 1 export "$name" --to keras "$name.keras.h5"
    expect_code 0 "export of $name to Keras"
done
judge_keras keras mlp cnn resnet
finish
