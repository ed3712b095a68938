#!/usr/bin/env bash
# Merged checkpoints: weighted sums of weights, rounded once; all else is the first one's; what does not mean the same is
# refused by name.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 200 64

trial() { # trial RUN ARGUMENT…
    local name=$1
    shift
    run 1 train --run "$name" --set data.file=small.h5 --set train.batch=20 --set train.steps=20 --set checkpoint.keep=1 "$@"
    expect_code 0 "$name is trained"
}
trial one --set seed=1
trial two --set seed=2

run 1 merge one two -o mean.h5
expect_code 0 "two runs are merged"
expect_last 'merge checkpoints=2 norm=[0-9.]+ digest=[0-9a-f]{16}' "its last line"
digest=$(last_value digest)
run 1 verify mean.h5
expect_in "$out" "valid, digest $digest" "the result verifies"
run 1 eval mean.h5 --data small.h5
expect_last "eval loss=.* digest=$digest" "and is evaluated"
run 1 merge one two -o tilted.h5 --weights 0.9,0.1
run 1 merge one two -o change.h5 --weights 1,-1
expect_in "$out" "add up to 0, so the result is a difference" "a difference says that it is no model"
run 1 merge two change.h5 -o again.h5 --weights 1,1
expect_code 0 "a difference is added to another"

"$python" - one/checkpoints/*.h5 two/checkpoints/*.h5 <<'END' || fail "the weights are not the sums"
import sys, h5py, numpy
def weights(path):
    with h5py.File(path) as file:
        found = {}
        file["weights"].visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found
one, two = map(weights, sys.argv[1:])
assert len(one) == 4 and any((one[k] != two[k]).any() for k in one)
for path, a, b in (("mean.h5", .5, .5), ("tilted.h5", .9, .1), ("change.h5", 1, -1)):
    merged = weights(path)
    for name in one:
        want = (a * one[name].astype("f8") + b * two[name].astype("f8")).astype("f4")
        assert merged[name].dtype == "f4" and (merged[name] == want).all(), (path, name)
again = weights("again.h5")
assert all(numpy.allclose(again[k], one[k], atol=1e-6) for k in one)
with h5py.File("mean.h5") as file:
    assert "optimizer" not in file and "best" not in file["state"] and file.attrs["step"] == 20
END
pass "weights are the sums, rounded once"

run 1 train --run more --resume "$PWD/mean.h5" --set data.file=small.h5 --set train.batch=20 --set train.steps=40
expect_bad 1 'mean.h5.*another network or optimizer|mean.h5.*no /optimizer' "a run does not go on from it without moments"

trial other --set model.layers='[flatten, {dense: 20}, {dense: 10}]'
run 1 merge one other -o x.h5
expect_bad 1 "other/checkpoints/.* and one/checkpoints/.* cannot be merged: they have other layers" "other layers"
trial scaled --set data.normalize=computed --set data.mean=0 --set data.std=1
run 1 merge one scaled -o x.h5
expect_bad 1 "cannot be merged: their (inputs were scaled|recipes scale)" "other scales"
run 1 merge one -o x.h5
expect_bad 2 "merge needs two checkpoints" "one checkpoint"
run 1 merge one two
expect_bad 2 "merge needs -o" "no destination"
run 1 merge one two -o x.h5 --weights 1,2,3
expect_bad 2 "--weights has 3 numbers for 2 checkpoints" "too many weights"
run 1 merge one two -o x.h5 --weights 1,nan
expect_bad 2 '--weights is "1,nan"' "a weight that is no number"
run 1 merge one two -o nowhere/x.h5
expect_bad 1 "nowhere" "no such directory"
if [[ ! -e x.h5 ]]; then pass "nothing was written by those"; else fail "x.h5 was written"; fi
cp mean.h5 before.h5
(ulimit -f 100 && run 1 merge one two -o mean.h5 && exit "$code") 2>/dev/null
if cmp -s mean.h5 before.h5; then
    pass "a result that cannot be written leaves the one before"
else
    fail "mean.h5 is damaged"
fi
finish
