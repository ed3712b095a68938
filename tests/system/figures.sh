#!/usr/bin/env bash
# The figures of eval: the same on any number of ranks, and those that h5py and NumPy compute from what predict writes.
. "$(dirname "$0")/../support/lib.sh"

"$python" "$source/tests/support/predict_data.py" .
run 1 import text text.txt text.h5 --tokens char

# recipe NAME LAYERS ARGUMENT…
recipe() {
    echo "{name: $1, data: {file: $1.h5}, model: {layers: $2}, train: {batch: 20, steps: 30, shards: 2, eval_every: 0}}" >"$1.yaml"
    run 1 train "$1.yaml" --run "$1" "${@:3}"
    expect_code 0 "$1 is trained"
}
recipe table '[dense: {out: 16, activation: tanh}, dense: 3]'
recipe named '[dense: 3]'
recipe pairs '[dense: 1]' --set model.loss=binary_cross_entropy
recipe values '[dense: 2]' --set model.loss=mean_squared_error --set data.target.normalize=standardise
recipe text '[gpt: {layers: 1, heads: 2, width: 16}]' --set data.context=12

cp table.h5 cut.h5
recipe cut '[dense: 3]' --set 'data.split={test: 0.2, validation: 0.1}'

for name in table named pairs values text; do
    for ranks in 1 2 3; do
        run "$ranks" eval "$name" --json "$name-$ranks.json"
        [[ $code == 0 ]] || { fail "eval of $name on $ranks ranks" && show "$err"; }
        cp "$out" "$name-$ranks.txt"
    done
    if cmp -s "$name-1.json" "$name-2.json" && cmp -s "$name-1.json" "$name-3.json" && cmp -s "$name-1.txt" "$name-3.txt"; then
        pass "$name: the same on 1, 2 and 3 ranks"
    else
        fail "$name: figures differ" && diff "$name-1.json" "$name-3.json" | head
    fi
    run 2 predict "$name" -o "out-$name.h5"
done
expect_in named-1.txt '^  dog, "big" .* [0-9]+ +[0-9]+$' "classes have their names"
expect_in table-1.txt '^  -7 .* [0-9]+ +[0-9]+$' "or their labels"
expect_in pairs-1.txt '^  roc_auc 0\.[0-9]{6}$' "two classes have an area under the curve"

cat >check.py <<'END'
import h5py, json, numpy as np

def near(a, b, by=1e-6):
    assert abs(a - b) <= by * max(1, abs(b)), (a, b)

for name in "table", "named", "pairs":
    said, p = json.load(open(f"{name}-1.json")), h5py.File(f"out-{name}.h5")
    y, o, chosen = h5py.File(f"{name}.h5")["test/y"][:].astype(int), p["output"][:].astype(float), p["class"][:]
    labels = p["class_values"][:] if "class_values" in p else np.arange(max(2, o.shape[1]))
    names = [n.decode() for n in p["class_names"]] if "class_names" in p else [str(l) for l in labels]
    assert said["samples"] == len(y) and [c["label"] for c in said["classes"]] == names
    pairs = np.array([[((y == a) & (chosen == b)).sum() for b in labels] for a in labels])
    assert (np.array(said["confusion"]) == pairs).all()
    right = np.diag(pairs)
    f1 = 2 * right / np.maximum(pairs.sum(axis=0) + pairs.sum(axis=1), 1)
    near(said["macro"]["f1"], f1.mean())
    near(said["weighted"]["f1"], (f1 * pairs.sum(axis=1)).sum() / len(y))
    near(said["accuracy"], right.sum() / len(y))
    sure = np.maximum(o, 1 - o)[:, 0] if o.shape[1] == 1 else o.max(axis=1)
    bins = np.ceil(sure * 15).astype(int)
    ece = sum(abs(((chosen == y) - sure)[bins == b].sum()) for b in range(1, 16)) / len(y)
    near(said["calibration"]["ece"], ece)
    if name == "pairs":
        s, t = o[y == 1, 0], o[y == 0, 0]
        near(said["roc_auc"], ((s[:, None] > t).mean() + (s[:, None] == t).mean() / 2), 1e-12)
    else:
        assert "roc_auc" not in said and "outputs" not in said
said, o = json.load(open("values-1.json")), h5py.File("out-values.h5")["output"][:].astype(float)
y = h5py.File("values.h5")["test/y"][:].astype(float)
for j, f in enumerate(said["outputs"]):
    near(f["mae"], abs(o - y)[:, j].mean())
    near(f["rmse"], ((o - y)[:, j] ** 2).mean() ** 0.5)
    near(f["r2"], 1 - ((o - y)[:, j] ** 2).sum() / ((y - y.mean(axis=0))[:, j] ** 2).sum(), 1e-5)
assert len(said["outputs"]) == 2 and "classes" not in said
said = json.load(open("text-1.json"))
assert said["perplexity"] > 1 and "ece" in said["calibration"] and sum(c["samples"] for c in said["classes"]) == said["samples"]
END
if "$python" check.py 2>wrong; then pass "figures are those of the predictions"; else fail "figures are others than those of the predictions" && show wrong; fi

# Other data, whose targets are named; and several data sets together.
run 2 eval table --data bare.h5:/some/samples --targets /some/labels --json same.json
expect_code 0 "a dataset and its targets"
run 3 eval table --data bare.h5:/more/samples --targets /more/labels --data table.h5 --json joined-3.json
run 1 eval table --data bare.h5:/more/samples --targets=/more/labels --data table.h5 --json joined-1.json
expect_code 0 "two data sets"
if cmp -s joined-1.json joined-3.json; then pass "the same on 1 and 3 ranks"; else fail "two data sets: figures differ" && diff joined-1.json joined-3.json | head; fi
for split in train validation test all; do
    run 2 eval cut --split "$split" --json "cut-$split.json"
    expect_code 0 "--split $split"
done
cat >check.py <<'END'
import json, numpy as np

table, same, joined = (json.load(open(name)) for name in ("table-1.json", "same.json", "joined-1.json"))
assert {k: v for k, v in same.items() if k not in ("data", "dataset")} == {k: v for k, v in table.items() if k not in ("data", "dataset")}
assert joined["samples"] == 271 and joined["data"] == "bare.h5, table.h5" and joined["dataset"] == "/more/samples, /test/x"
more = np.array(joined["confusion"]) - np.array(table["confusion"])
assert more.sum() == 71 and (more >= 0).all()
parts = [json.load(open(f"cut-{split}.json")) for split in ("train", "validation", "test")]
whole = json.load(open("cut-all.json"))
assert [part["samples"] for part in parts] == [210, 30, 60] and whole["samples"] == 300
assert (sum(np.array(part["confusion"]) for part in parts) == np.array(whole["confusion"])).all()
assert abs(sum(part["loss"] * part["samples"] for part in parts) / 300 - whole["loss"]) < 1e-6
END
if "$python" check.py 2>wrong; then pass "figures of several data sets are those of all their samples"; else fail "figures of several data sets" && show wrong; fi
run 2 eval table --data bare.h5:/some/samples
expect_bad 2 "bare.h5:/some/samples is judged by targets, which are to be named too: --targets DATASET" "samples without targets"
run 1 eval table --data bare.h5:/some/samples --targets /more/labels
expect_bad 1 "/some/samples has 200 rows but /more/labels has 71" "targets of other samples"
run 1 eval table --data table.h5 --targets /test/y
expect_bad 2 "belongs behind --data FILE:DATASET" "targets of the recipe's samples"
run 1 eval table --targets /test/y --data bare.h5:/some/samples
expect_bad 2 "belongs behind --data FILE:DATASET" "targets before their samples"
run 1 eval table --data bare.h5:/some/samples --targets /some/labels --targets /more/labels
expect_bad 2 "has two --targets" "two targets"
run 1 eval table --data bare.h5:/some/samples --targets /some/labels --split test
expect_bad 2 "a dataset that is named is taken whole" "a split of a dataset"

echo "{}" >kept.json
run 2 eval table --json nowhere/figures.json
expect_bad 1 "nowhere/figures.json.*No such file or directory" "a file that cannot be made"
mkdir directory
run 1 eval table --json directory
expect_bad 2 "is a directory" "a directory"
DTRAIN_FAULT="path=kept.json armed=1 do=ENOSPC call=write nth=1+" LD_PRELOAD=$build/tests/faultshim.so run 1 eval table --json kept.json
expect_bad 1 "kept.json.*" "a full disk"
if [[ $(cat kept.json) == "{}" && -z $(find . -name '*.tmp.*') ]]; then pass "what was there is there"; else fail "left: $(ls)"; fi
finish
