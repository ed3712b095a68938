#!/usr/bin/env bash
# Three short runs with the baseline's kernels, each on 1 and on 3 ranks: KEY=VALUE lines on standard output.
#   DTRAIN=PROGRAM DTRAIN_MPIRUN=LAUNCHER tests/support/short_runs.sh DIRECTORY-OF-LOCAL.SH
# ran             yes, if each gave the same digest on 1 and on 3 ranks
# mlp, gpt, cnn   those digests: the first two need products and kernels of our own, the last convolutions too
set -uo pipefail
source=$(cd "$(dirname "$0")/../.." && pwd)
launch=$(realpath "$1")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit
idx=${DTRAIN_FASHION_MNIST:-/usr/share/datasets/fashion-mnist}
{
    "$launch/local.sh" -n 1 import idx "$idx"/{train-images-idx3,train-labels-idx1,t10k-images-idx3,t10k-labels-idx1}-ubyte.gz fashion.h5
    "$launch/local.sh" -n 1 import text "$source/LICENSE" text.h5 --tokens char
} >&2 || { echo "ran=no: import" && exit 1; }
cat >mlp.yaml <<'END'
{data: {file: fashion.h5, mean: 72.94, std: 90.02}, model: {layers: [flatten, {dense: {out: 64, activation: gelu}}, {layer_norm: {}}, {dense: 10}], loss: softmax_cross_entropy}, optimizer: {kind: adam, lr: 0.001}, train: {batch: 30, stop_after: 20 steps}}
END
cat >gpt.yaml <<'END'
{data: {file: text.h5, context: 16}, model: {layers: [{gpt: {layers: 2, heads: 2, width: 32, dropout: 0.1}}]}, optimizer: {kind: adamw, lr: 0.001, weight_decay: 0.1, clip_norm: 1}, train: {batch: 6, steps: 40, stop_after: 20 steps}}
END
cat >cnn.yaml <<'END'
{data: {file: fashion.h5, mean: 72.94, std: 90.02}, model: {layers: [{conv2d: {out: 8, kernel: 3, activation: relu}}, {max_pool: 2}, {conv2d: {out: 16, kernel: 3, activation: relu}}, flatten, {dense: 10}], loss: softmax_cross_entropy}, optimizer: {kind: adam, lr: 0.001}, train: {batch: 30, stop_after: 20 steps}}
END
ran=yes
for recipe in mlp gpt cnn; do
    for ranks in 1 3; do
        "$launch/local.sh" -n $ranks train $recipe.yaml --run $recipe-$ranks --set train.shards=3 \
            --set compute.isa=baseline >out 2>err
        code=$?
        digest[ranks]=$(sed -n 's/.* digest=//p' out)
        if ((code != 75)) || [[ ! ${digest[ranks]} ]]; then
            ran="no: $recipe on $ranks ranks ended with $code: $(head -n 1 err)"
            cat out err >&2
        fi
    done
    echo "$recipe=${digest[3]}"
    [[ ${digest[1]} == "${digest[3]}" || $ran != yes ]] || ran="no: $recipe has another digest on 1 rank, ${digest[1]}"
done
echo "ran=$ran"
