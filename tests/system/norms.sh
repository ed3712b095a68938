#!/usr/bin/env bash
# Batch normalisation, layers in layers, dropout, computed scales and augmentation: all that could depend on how the
# work is divided, in one small network. The digest is the same on any number of ranks, through any stop.
. "$(dirname "$0")/../support/lib.sh"
need_data

cat >net.yaml <<END
name: net
data:
  file: $data
  normalize: computed
  augment: {crop_padding: 2, flip: yes}
model:
  layers:
    - batch_norm
    - flatten
    - dense: 24
    - batch_norm: {activation: relu}
    - residual:
        layers: [dense: 24, batch_norm: {momentum: 0.8}, relu, dropout: 0.1]
        shortcut: [dense: {out: 24, bias: no}]
        activation: relu
    - concat: [[], [layer_norm, dense: 8]]
    - dense: 10
train: {epochs: 1, batch: 200, shards: 4, log_every: 100, check_every: 10}
checkpoint: {every: 100}
END

first=
for ranks in 1 2 3 4; do
    run $ranks train net.yaml --run "ranks$ranks" --set train.stop_after=120
    expect_code 75 "120 steps on $ranks ranks"
    digest=$(last_value digest)
    [[ $first ]] || first=$digest
    if [[ $digest == "$first" ]]; then pass "digest $digest"; else fail "digest $digest on $ranks, $first on 1"; fi
done

run 3 train net.yaml --run ranks1
expect_code 0 "going on on 3 ranks"
run 2 train net.yaml --run whole
expect_code 0 "never stopped, on 2 ranks"
whole=$(last_value digest)
accuracy=$(last_value test_accuracy)
run 1 train net.yaml --run ranks4
if [[ $(last_value digest) == "$whole" ]]; then pass "digest $whole"; else fail "resumed on 1 rank: another digest"; fi
if awk "BEGIN {exit !($accuracy >= 0.7)}"; then pass "accuracy $accuracy"; else fail "accuracy $accuracy < 0.7"; fi
for ranks in 1 2 3; do
    run $ranks eval ranks1
    expect_last "eval loss=.* accuracy=$accuracy samples=10000 digest=$whole" "eval on $ranks ranks is training's"
done
line=$(tail -n 1 "$out")
run 2 eval ranks1 --data "$data"
if [[ $(tail -n 1 "$out") == "$line" ]]; then pass "scales are kept"; else fail "eval with --data differs"; fi
run 1 verify whole
expect_code 0 "verify"

# A change in a layer within a layer is seen, and may be asked for.
sed 's/momentum: 0.8/momentum: 0.7/' net.yaml >changed.yaml
run 2 train changed.yaml --run whole --set train.epochs=2
expect_bad 1 'model.layers.4.residual.layers.1.batch_norm.momentum is 0.7 but .* with 0.8' "another momentum"
run 2 train net.yaml --run whole --set train.epochs=2 --set model.layers.4.residual.layers.1.batch_norm.momentum=0.7
expect_code 0 "--set of a field of a layer in a layer"
run 2 train whole/recipe.yaml --run whole
expect_in "$out" 'is finished' "the resolved recipe is a recipe"

run 2 train net.yaml --run other --set data.channels=last
expect_bad 1 'data.augment .* pictures.*/train/x are \[28, 28\]' "augmentation of what is no picture"

"$python" - "$data" <<'END' || fail "the checkpoint as h5py reads it"
import sys, h5py, numpy

pixels = h5py.File(sys.argv[1], "r")["train/x"][:].astype(float)
with h5py.File("ranks2/checkpoints/step-000000120.h5", "r") as file:
    assert abs(file["state/input_mean"][0] - pixels.mean()) < 1e-9, file["state/input_mean"][0]
    assert abs(file["state/input_std"][0] - pixels.std()) < 1e-9, file["state/input_std"][0]
    mean, variance = (file["weights/batch_norm1"][name][:] for name in ("running_mean", "running_var"))
    assert file["weights/residual1/shortcut/dense1/w"].shape == (24, 24)
    assert file["weights/concat1/branch2/dense1/w"].shape == (24, 8)
    assert not file["optimizer/m/batch_norm1/running_mean"][:].any()
# what the first layer sees, lines mirrored as often as not: statistics of a column and of its mirror image are alike
scaled = (pixels - pixels.mean()) / pixels.std()
column = scaled.mean(axis=(0, 1))
assert numpy.abs(mean - (column + column[::-1]) / 2).max() < 0.15, mean - column
assert (variance > 0).all() and variance.max() < 3, variance
END
finish
