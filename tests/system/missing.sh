#!/usr/bin/env bash
# Missing values: refused with their place, or the training mean stands in for them, or their rows are left out; the same
# bits on any ranks, through any stop. And what training saw of every column is in checkpoints.
. "$(dirname "$0")/../support/lib.sh"

"$python" - <<'END' || give_up "no data files"
import h5py, numpy
rng = numpy.random.default_rng(8)
nan = numpy.nan
def part(n):
    x = rng.normal(0, 1, (n, 4)) + [0, 5, -3, 0.5]
    return x.astype("f4"), numpy.c_[x[:, 0] * x[:, 1], x[:, 2] - x[:, 3]].astype("f4")
def save(name, train, test):
    with h5py.File(name + ".h5", "w") as f:
        for split, (x, y) in (("train", train), ("test", test)):
            f[split + "/x"], f[split + "/y"] = x, y
train, test = part(997), part(203)
holes = [(x.copy(), y.copy()) for x, y in (train, test)]
for x, _ in holes:
    x[rng.random(x.shape) < 0.05] = nan
holes[0][0][17] = [nan, 1, 2, 3]
holes[0][0][:17] = train[0][:17]
save("holes", *holes)
mean = numpy.nanmean(holes[0][0].astype("f8"), 0)
save("filled", *((numpy.where(numpy.isnan(x), mean.astype("f4"), x), y) for x, y in holes))
targets = [(x, y.copy()) for x, y in holes]
targets[0][1][40, 1] = nan
save("targets", *targets)
rows = [numpy.isfinite(x).all(1) & numpy.isfinite(y).all(1) for x, y in targets]
save("whole", *((x[r], y[r]) for (x, y), r in zip(targets, rows)))
empty = holes[0][0].copy()
empty[:, 2] = nan
save("empty", (empty, holes[0][1]), holes[1])
infinite = holes[0][0].copy()
infinite[300, 3] = numpy.inf
save("infinite", (infinite, holes[0][1]), holes[1])
print(sum(~rows[0]), sum(~rows[1]), file=open("counts", "w"))
END
read -r dropped dropped_test <counts
cat >net.yaml <<'END'
data: {file: holes.h5, target: {normalize: standardise}}
model: {loss: mean_squared_error, layers: [dense: {out: 16, activation: tanh}, dense: 2]}
optimizer: {lr: 0.01}
train: {epochs: 4, batch: 30, shards: 3, log_every: 100}
END

for kind in standardise min_max; do
    run 3 train net.yaml --run bad --set "data.normalize=$kind"
    expect_bad 1 'holes.h5: row 17 of /train/x is not finite \(nan in its place 0\), so data.normalize cannot' "refused, $kind"
done
run 2 train net.yaml --run bad
expect_bad 1 'the loss is no longer a number, .* of /train/x is not finite \(nan in its place [0-3]\): correct the data' \
    "refused where it is met"
run 2 train net.yaml --run bad --set data.file=targets.h5
expect_bad 1 'targets.h5: /train/y row 40 is not finite \(nan in its place 1\)' "targets are refused at once"
run 2 train net.yaml --run bad --set data.file=targets.h5 --set data.missing=mean
expect_bad 1 'targets.h5: /train/y row 40 is not finite' "no mean stands in for a target"
run 2 train net.yaml --run bad --set data.file=empty.h5 --set data.missing=mean
expect_bad 1 'empty.h5: /train/x has no value at all in channel 2, so data.missing has no mean' "a column without a value"
run 3 train net.yaml --run bad --set data.file=empty.h5 --set data.missing=drop
expect_bad 1 'empty.h5: every row of /train/x or /train/y has a missing value' "nothing is left"
run 2 train net.yaml --run bad --set data.file=infinite.h5 --set data.missing=mean --set data.normalize=standardise
expect_bad 1 'infinite.h5: row 300 of /train/x is not finite \(infinity in its place 3\)' "infinity is no missing value"

# every MISSING RUN ARGUMENT…: on 1, 2 and 3 ranks, stopped and gone on
every() {
    local missing=$1 name=$2 ranks
    shift 2
    run 1 train net.yaml --run "$name" --set "data.missing=$missing" "$@"
    expect_code 0 "data.missing $missing, $*"
    digest=$(last_value digest) loss=$(last_value test_loss)
    for ranks in 2 3; do
        run "$ranks" train net.yaml --run "$name$ranks" --set "data.missing=$missing" --set train.stop_after=50 "$@"
        run $((4 - ranks)) train net.yaml --run "$name$ranks" --set "data.missing=$missing" "$@"
        expect_last "done .* test_loss=$loss .* digest=$digest" "$ranks ranks, then $((4 - ranks))"
    done
    run 2 eval "$name"
    expect_last "eval loss=$loss .*" "eval knows the training's"
}
every mean mean
run 1 train net.yaml --run filled --set data.file=filled.h5
filled=$(last_value test_loss)
if [[ $filled == "$loss" ]]; then pass "as if the means were in the file"; else fail "$loss, not $filled"; fi
every mean scaled --set data.normalize=standardise
every mean ends --set data.normalize=min_max --set data.normalize_by=all
every drop drop --set data.file=targets.h5
run 1 train net.yaml --run whole --set data.file=whole.h5
expect_last "done .* digest=$digest" "as if the rows were not in the file"
run 2 train net.yaml --run told --set data.missing=drop --set data.file=targets.h5
expect_in "$out" "targets.h5: $dropped of 997 rows of /train/x lack a value in them or in /train/y, and are left out" "told"
expect_in "$out" "targets.h5: $dropped_test of 203 rows of /test/x lack a value" "of test data, too"
run 3 train net.yaml --run seen --set data.file=filled.h5

"$python" - <<'END' || fail "the state is not NumPy's"
import glob, h5py, numpy
x = h5py.File("holes.h5")["train/x"][:].astype("f8")
filled = h5py.File("filled.h5")["train/x"][:]
state = lambda run: h5py.File(sorted(glob.glob(run + "/checkpoints/*.h5"))[-1])["state"]
same = lambda a, b: numpy.array_equal(numpy.asarray(a), b)
close = lambda a, b: numpy.allclose(a, b, rtol=1e-12, atol=1e-12)
for run in ("mean", "mean2", "scaled", "ends3"):
    assert close(state(run)["input_fill"], numpy.nanmean(x, 0)), run
    assert same(state(run)["input_min"], numpy.nanmin(x, 0)) and same(state(run)["input_max"], numpy.nanmax(x, 0)), run
assert close(state("scaled")["input_mean"], numpy.nanmean(x, 0)) and close(state("scaled")["input_std"], numpy.nanstd(x, 0))
assert close(state("ends")["input_mean"], [numpy.nanmin(x)])
for run in ("seen", "filled"):
    assert same(state(run)["input_min"], filled.min(0)) and same(state(run)["input_max"], filled.max(0)), run
assert "input_fill" not in state("seen")
END
finish
