#!/usr/bin/env bash
# Targets of 1e6 Pa beside others of 1e-6, and inputs of any unit: a model learns them scaled, its errors are told in
# their own units, and the scales are the same bits on any ranks, through any stop. The truth is NumPy's.
. "$(dirname "$0")/../support/lib.sh"

"$python" - <<'END' || give_up "no data files"
import h5py, numpy
rng = numpy.random.default_rng(3)
def part(n):
    x = rng.uniform(-1, 1, (n, 3))
    p = 101325 + 1e6 * (x[:, 0] - x[:, 1] * x[:, 2])  # pascal
    v = 1e-6 * (x[:, 0] * x[:, 1] + 0.3 * x[:, 2])    # cubic metres
    t = 1.7e9 + numpy.round(10 * x[:, 2]) / 4         # seconds since 1970
    return numpy.c_[x[:, 0] * 5e3, x[:, 1] * 1e-9, x[:, 2] + 273.15], numpy.c_[p, v, t]
with h5py.File("d.h5", "w") as f:
    for split, n in (("train", 2000), ("test", 500)):
        x, y = part(n)
        f[f"{split}/x"], f[f"{split}/y"] = x, y
        f[f"{split}/steps"] = numpy.round(y[:, 0] / 1e5).astype("i8")
END
cat >net.yaml <<'END'
data:
  file: d.h5
  normalize: standardise
  target: {normalize: standardise}
model:
  loss: mean_squared_error
  layers: [dense: {out: 32, activation: tanh}, dense: 3]
optimizer: {lr: 0.01}
train: {epochs: 12, batch: 50, shards: 3, log_every: 100}
END
# below NUMBER LIMIT WHAT
below() {
    if [[ $1 =~ ^[0-9.e+-]+$ && $2 =~ ^[0-9.e+-]+$ ]] && awk "BEGIN {exit !($1 < $2)}"; then
        pass "$3: $1"
    else
        fail "$3: $1, not below $2"
    fi
}

run 1 train net.yaml --run one
expect_code 0 "targets of very different sizes"
digest=$(last_value digest) loss=$(last_value test_loss)
below "$loss" 0.02 "all of them are learned, in squares of their deviations"
run 1 train net.yaml --run plain --set data.target.normalize=none
below 1e9 "$(last_value test_loss)" "without scaling nothing is learned"
for ranks in 2 3; do
    run "$ranks" train net.yaml --run "ranks$ranks" --set train.stop_after=77
    expect_code 75 "stopped on $ranks ranks"
    run $((4 - ranks)) train net.yaml --run "ranks$ranks"
    expect_last "done .* test_loss=$loss .* digest=$digest" "gone on with on $((4 - ranks)), the bits are the same"
done

# What is minimised is told as it is, the absolute error in the targets' units: of a model that gives 0, the mean.
still=(--set optimizer.lr=1e-30 --set train.steps=1 --set 'model.layers=[dense: {out: 3, init: zeros}]')
for kind in standardise min_max given none; do
    settings=(--set "data.target.normalize=$kind")
    [[ $kind != given ]] ||
        settings+=(--set 'data.target.mean=[1e5, 0, 1.7e9]' --set 'data.target.std=[1e6, 1e-6, 2]' \
            --set data.normalize=given --set 'data.mean=[0, 1e-10, 273.15]' --set data.std=3)
    run 2 train net.yaml --run "still-$kind" "${still[@]}" "${settings[@]}"
    run 3 eval "still-$kind"
    expect_code 0 "a model that gives 0, $kind"
    echo "$kind $(last_value loss) $(sed -n 's/.* mae=//p' "$out")" >>figures
done
run 2 train net.yaml --run still-all "${still[@]}" --set data.target.normalize_by=all --set data.normalize_by=all
run 3 train net.yaml --run still-ends "${still[@]}" --set data.normalize=min_max
"$python" - <<'END' || fail "scales and figures are not NumPy's"
import glob, h5py, numpy
file = h5py.File("d.h5")
x, y, test = (file[name][:] for name in ("train/x", "train/y", "test/y"))
ends = lambda a: (a.min(0), a.max(0) - a.min(0))
given = (numpy.array([1e5, 0, 1.7e9]), numpy.array([1e6, 1e-6, 2]))
truth = {"standardise": (y.mean(0), y.std(0)), "min_max": ends(y), "given": given, "none": (numpy.zeros(3), numpy.ones(3))}
# numpy's own sums round, too: by 1e-16 of the mean, which is 1e9 deviations away
near = lambda a, b, std: bool((abs(numpy.asarray(a) - b) <= 1e-12 * abs(numpy.asarray(b)) + 1e-6 * std).all())
state = lambda run: h5py.File(glob.glob(f"still-{run}/checkpoints/*.h5")[0])["state"]
for line in open("figures"):
    kind, loss, mae = line.split()
    mean, std = truth[kind]
    assert abs(float(loss) / (0.5 * (((test - mean) / std) ** 2).sum(1).mean()) - 1) < 1e-6, line
    assert abs(float(mae) / abs(test - mean).mean() - 1) < 1e-6, line
    if kind == "none":
        assert "target_mean" not in state(kind)
        continue
    assert near(state(kind)["target_mean"], mean, std) and near(state(kind)["target_std"], std, std), kind
assert near(state("given")["input_mean"], [0, 1e-10, 273.15], 1e-12) and list(state("given")["input_std"]) == [3, 3, 3]
assert near(state("standardise")["input_mean"], x.mean(0), x.std(0)) and near(state("standardise")["input_std"], x.std(0), x.std(0))
assert near(state("ends")["input_mean"], ends(x)[0], ends(x)[1]) and near(state("ends")["input_std"], ends(x)[1], ends(x)[1])
for name, values in (("input", x), ("target", y)):
    assert near(state("all")[name + "_mean"], [values.mean()], values.std()) and near(state("all")[name + "_std"], [values.std()], values.std())
END

# Integers are values when they are scaled; and what is given is given anew to a run that goes on, if it is named.
integers=(--set data.train_y=/train/steps --set data.test_y=/test/steps --set 'model.layers=[dense: {out: 32, activation: tanh}, dense: 1]')
run 2 train net.yaml --run integers "${integers[@]}" --set data.target.normalize=min_max
below "$(last_value test_loss)" 0.001 "integers are learned, in squares of their range"
run 2 train net.yaml --run still-given "${still[@]}" --set train.steps=2 --set data.target.normalize=given \
    --set 'data.target.mean=[1e5, 0, 1.7e9]' --set data.target.std=1e9 --set data.normalize=given \
    --set 'data.mean=[0, 1e-10, 273.15]' --set data.std=3
expect_last 'done .* test_loss=[0-9.]+ .*' "other scales, named"
run 1 eval still-given
below "$(last_value loss)" 0.0001 "are those it goes on with"

run 2 train net.yaml --run bad --set data.target.normalize=given --set 'data.target.mean=[1, 2]'
expect_bad 1 'data.target.mean has 2 numbers but /train/y has 3 channels; give one for each, or one for all' "two means"
run 2 train net.yaml --run bad --set data.normalize=given --set 'data.std=[1, 2, 3]' --set 'data.mean=[1, 2]'
expect_bad 1 'data.mean has 2 numbers but data.std has 3; give as many of both' "two means and three deviations"
run 2 train net.yaml --run bad --set data.normalize_by=all --set data.normalize=none
expect_bad 1 'data.normalize_by is all but data.normalize is none, which does not use it' "what is not used"
run 2 train net.yaml --run bad --set model.loss=softmax_cross_entropy
expect_bad 1 'data.target.normalize is standardise but model.loss is softmax_cross_entropy' "classes are not scaled"
sed 's/target: {normalize: standardise}/target: {normalize: min_max}/' net.yaml >other.yaml
run 2 train other.yaml --run ranks2 --set train.epochs=13
expect_bad 1 'data.target.normalize is min_max but the checkpoint was trained with standardise' "another scale"
finish
