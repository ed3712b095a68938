#!/usr/bin/env bash
# Predictions: the same digest on any number of ranks and in any batch, for every kind of model; the outputs are those
# that eval judges; every format has the same numbers; samples need no targets; what is wrong is named.
. "$(dirname "$0")/../support/lib.sh"

"$python" "$source/tests/support/predict_data.py" .
run 1 import text text.txt text.h5 --tokens char
expect_code 0 "import of a text"

# recipe NAME DATA LAYERS MORE
recipe() {
    cat >"$1.yaml" <<END
name: $1
data: {file: $2}
model: {layers: $3}
train: {batch: 20, steps: 12, shards: 2, eval_every: 0, log_every: 100}
END
    printf '%s' "${4-}" >>"$1.yaml"
    run 1 train "$1.yaml" --run "$1" "${@:5}"
    expect_code 0 "$1 is trained"
}
recipe mlp table.h5 '[dense: {out: 16, activation: tanh}, dense: 3]' 'optimizer: {kind: adam, lr: 0.02}'
recipe named named.h5 '[dense: {out: 16, activation: relu}, dense: 3]'
recipe values values.h5 '[dense: {out: 8, activation: tanh}, dense: 2]' '' --set model.loss=mean_squared_error --set data.target.normalize=standardise
recipe pairs pairs.h5 '[dense: 1]' '' --set model.loss=binary_cross_entropy
recipe cnn pictures.h5 '[conv2d: {out: 4, kernel: 3, activation: relu}, residual: {layers: [conv2d: {out: 4, kernel: 3}]}, flatten: {}, dense: 3]' '' --set data.std=255
recipe gpt text.h5 '[gpt: {layers: 1, heads: 2, width: 16}]' '' --set data.context=12
recipe lstm text.h5 '[rnn: {layers: 1, width: 12}]' '' --set data.context=12 --set data.windows=stream

number='[0-9]+(\.[0-9]+)?'
for name in mlp named values pairs cnn gpt lstm; do
    digests=()
    for how in "1" "2 --batch 7" "3 --batch 1000" "5 --batch 1"; do
        # shellcheck disable=SC2086  # a number of ranks, and options
        set -- $how
        run "$1" predict "$name" -o "out-$name.h5" "${@:2}"
        [[ $code == 0 ]] || { fail "predict of $name on $how" && show "$err"; }
        digests+=("$(last_value digest)")
    done
    if [[ $(printf '%s\n' "${digests[@]}" | sort -u | wc -l) == 1 ]]; then
        pass "$name: one digest, ${digests[0]}"
    else
        fail "$name: ${digests[*]}"
    fi
    run 2 eval "$name"
    tail -n 1 "$out" >"$name.eval"
done
run 3 predict mlp -o last.h5
expect_last "predict samples=200 outputs=3 seconds=$number samples_per_s=$number digest=[0-9a-f]{16}" "the last line"
wanted=$(last_value digest)

# check WHAT: a program that asserts
check() { if "$python" - 2>wrong; then pass "$1"; else fail "$1" && show wrong; fi; }
check "outputs are those that eval judges, computed again from the files" <<'END'
import h5py, numpy as np

def judge(name, loss, accuracy=None):
    said = dict(figure.split("=") for figure in open(f"{name}.eval").read().split()[1:])
    assert abs(float(said["loss"]) - loss) < 2e-6 * max(1, loss), (name, said, loss)
    assert accuracy is None or abs(float(said["accuracy"]) - accuracy) < 6e-5, (name, said, accuracy)

for name, data in (("mlp", "table"), ("named", "named"), ("cnn", "pictures")):
    p, d = h5py.File(f"out-{name}.h5"), h5py.File(f"{data}.h5")
    y, o, chosen = d["test/y"][:].astype(int), p["output"][:].astype(float), p["class"][:]
    values = p["class_values"][:] if "class_values" in p else np.arange(o.shape[1])
    assert ("class_values" in p) == (name == "mlp")
    judge(name, -np.log(o[np.arange(len(y)), np.searchsorted(values, y)]).mean(), (chosen == y).mean())
    assert (chosen == values[o.argmax(axis=1)]).all() and abs(o.sum(axis=1) - 1).max() < 1e-5
    assert p.attrs["function"] == b"softmax" and p.attrs["samples"] == len(y)
p = h5py.File("out-named.h5")
assert [name.decode() for name in p["class_names"]] == ["cat", 'dog, "big"', "cow"]
p, y = h5py.File("out-values.h5"), h5py.File("values.h5")["test/y"][:].astype(float)
train = h5py.File("values.h5")["train/y"][:].astype(float)
judge("values", ((((p["output"][:] - y) / train.std(axis=0)) ** 2).sum(axis=1) / 2).mean())  # in the targets' units
assert "class" not in p and p.attrs["function"] == b"none"
p, y = h5py.File("out-pairs.h5"), h5py.File("pairs.h5")["test/y"][:].astype(float)
o = p["output"][:, 0].astype(float)
judge("pairs", -(y * np.log(o) + (1 - y) * np.log(1 - o)).mean(), (p["class"][:] == y).mean())
tokens = h5py.File("text.h5")["test/tokens"][:].astype(int)
for name in "gpt", "lstm":
    p = h5py.File(f"out-{name}.h5")
    o, chosen, seen, loss, right = p["output"][:].astype(float), p["class"][:], set(), 0, 0
    for sample, start in enumerate(p["token"][:]):
        for t in range(o.shape[1]):
            here = start + t
            if here + 1 < len(tokens) and here not in seen:
                seen.add(here)
                loss -= np.log(o[sample, t, tokens[here + 1]])
                right += chosen[sample, t] == tokens[here + 1]
    assert len(seen) == len(tokens) - 1
    judge(name, loss / len(seen), right / len(seen))
END

# Other formats, and layers of any depth.
run 1 predict cnn -o layers.h5 --layer conv2d1 --layer residual1/conv2d1 --layer flatten1
expect_code 0 "layers"
run 3 predict cnn -o layers.npy --layer conv2d1 --layer residual1/conv2d1 --layer flatten1 --batch 7
expect_code 0 "layers as NumPy's arrays"
run 2 predict named -o named.csv --layer dense1 --batch 7
expect_code 0 "names as text"
run 1 predict named -o named-layer.h5 --layer dense1 --format h5
check "NumPy's arrays and text have the same numbers" <<'END'
import csv, h5py, numpy as np

p = h5py.File("layers.h5")
assert p["conv2d1"].shape == (150, 10, 10, 4) and p["flatten1"].shape == (150, 400), dict(p)
assert (p["conv2d1"][:] > -1e-30).all() and p["conv2d1"][:].max() > 0
for name in "class", "conv2d1", "residual1/conv2d1", "flatten1":
    array = np.load(f"layers.{name.replace('/', '.')}.npy")
    assert array.dtype == p[name].dtype and (array == p[name][:]).all(), name
assert (np.load("layers.npy") == p["output"][:]).all()
# the sum a residual gives is what is flattened
assert np.allclose(p["conv2d1"][:] + p["residual1/conv2d1"][:], p["flatten1"][:].reshape(150, 10, 10, 4), atol=1e-6)
rows = list(csv.reader(open("named.csv")))
p = h5py.File("named-layer.h5")
names = [name.decode() for name in p["class_names"]]
assert rows[0] == ["sample"] + [f"output_{i}" for i in range(3)] + ["class"] + [f"dense1_{i}" for i in range(16)]
assert [int(row[0]) for row in rows[1:]] == list(range(200)) and [row[4] for row in rows[1:]] == [names[c] for c in p["class"]]
assert (np.array([row[1:4] for row in rows[1:]], "f4") == p["output"][:]).all()
assert (np.array([row[5:] for row in rows[1:]], "f4") == p["dense1"][:]).all()
END

# A text as lines: one for each position.
run 3 predict gpt -o gpt.csv --batch 7 --layer block1_mlp
expect_code 0 "a text as lines"
run 1 predict gpt -o gpt-layer.h5 --layer block1_mlp
check "a text has a line for each position" <<'END'
import csv, h5py, numpy as np

rows, p = list(csv.reader(open("gpt.csv"))), h5py.File("gpt-layer.h5")
samples, positions, classes = p["output"].shape
assert rows[0] == ["sample", "position"] + [f"output_{i}" for i in range(classes)] + ["class", "token"] + [f"block1_mlp_{i}" for i in range(16)]
at = np.arange(samples * positions)
numbers = np.array([row[:2] + row[2 + classes:4 + classes] for row in rows[1:]], int)
assert (numbers[:, 0] == at // positions).all() and (numbers[:, 1] == at % positions).all()
assert (numbers[:, 2] == p["class"][:].ravel()).all()
assert (numbers[:, 3] == (p["token"][:][:, None] + np.arange(positions)).ravel()).all()
assert (np.array([row[2:2 + classes] for row in rows[1:]], "f4") == p["output"][:].reshape(-1, classes)).all()
assert (np.array([row[4 + classes:] for row in rows[1:]], "f4") == p["block1_mlp"][:].reshape(-1, 16)).all()
END

# The most likely classes instead of all outputs.
for name in mlp gpt lstm; do
    digests=()
    for how in "1" "2 --batch 7" "3 --batch 1000" "5 --batch 1"; do
        # shellcheck disable=SC2086  # a number of ranks, and options
        set -- $how
        run "$1" predict "$name" --top 3 -o "top-$name.h5" "${@:2}"
        digests+=("$(last_value digest)")
    done
    if [[ $(printf '%s\n' "${digests[@]}" | sort -u | wc -l) == 1 ]]; then pass "$name --top: one digest, ${digests[0]}"; else fail "$name --top: ${digests[*]}"; fi
done
run 2 predict mlp --top 2 -o top.csv
expect_code 0 "the most likely classes as lines"
run 2 predict gpt --top 2 -o top-text.csv
expect_code 0 "those of a text"
check "they are the largest outputs, and their logarithms" <<'END'
import csv, h5py, numpy as np

for name in "mlp", "gpt", "lstm":
    t, p = h5py.File(f"top-{name}.h5"), h5py.File(f"out-{name}.h5")
    o, logs = p["output"][:].astype(float), t["top_log_probability"][:]
    labels = p["class_values"][:] if "class_values" in p else np.arange(o.shape[-1])
    chosen = np.searchsorted(labels, t["top"][:])
    assert "output" not in t and (labels[chosen] == t["top"][:]).all() and (t["class"][:] == p["class"][:]).all()
    assert np.allclose(np.exp(logs), -np.sort(-o, axis=-1)[..., :3], rtol=1e-5, atol=1e-9)
    assert np.allclose(np.exp(logs), np.take_along_axis(o, chosen, -1), rtol=1e-5, atol=1e-9)
    assert ("log_probability" in t) == (name != "mlp")
    if name == "mlp":
        continue
    known = t["log_probability"][:]
    loss = float(open(f"{name}.eval").read().split("loss=")[1].split()[0])
    assert np.isfinite(known).sum() == len(h5py.File("text.h5")["test/tokens"]) - 1
    assert abs(np.nanmean(known.astype(float)) + loss) < 2e-6, (np.nanmean(known), loss)
rows, t = list(csv.reader(open("top.csv"))), h5py.File("top-mlp.h5")
assert rows[0] == ["sample", "top_log_probability_0", "top_log_probability_1", "top_0", "top_1", "class"]
assert (np.array([row[3:5] for row in rows[1:]], int) == t["top"][:, :2]).all()
rows, t = list(csv.reader(open("top-text.csv"))), h5py.File("top-gpt.h5")
assert rows[0] == ["sample", "position", "top_log_probability_0", "top_log_probability_1", "top_0", "top_1", "log_probability", "class", "token"]
assert np.array_equal(np.array([row[6] for row in rows[1:]], "f4"), t["log_probability"][:].ravel(), equal_nan=True)
END
run 1 predict values --top 2 -o last-top.h5
expect_bad 2 "there are no classes to choose from: outputs are values" "the most likely values"
run 1 predict mlp --top 4 -o last-top.h5
expect_bad 2 "the model has 3 classes" "more classes than there are"
run 1 predict mlp --top 0 -o last-top.h5
expect_bad 2 "it must be a number of classes, from 1 to 1000" "no classes"
run 1 predict gpt --top 2 --layer unembed1 -o last-top.h5
expect_bad 2 "it is the last layer, whose outputs --top does not keep" "all outputs after all"

# A vocabulary of 50 257 tokens: all outputs would be 1.6 GB.
"$python" - <<'END'
import h5py, numpy as np

random = np.random.default_rng(5)
with h5py.File("large.h5", "w") as file:
    file["train/tokens"] = random.integers(0, 50257, 2000).astype("u2")
    file["test/tokens"] = random.integers(0, 50257, 8000).astype("u2")
END
recipe large large.h5 '[gpt: {layers: 1, heads: 2, width: 16}]' '' --set data.context=64 --set data.vocabulary=50257 --set train.steps=1 --set train.batch=4
"$python" - "$dtrain" 2>wrong <<'END'
import re, resource, subprocess, sys

said = subprocess.run([sys.argv[1], "predict", "large", "--top", "5", "-o", "large.csv"], check=True, capture_output=True, text=True, timeout=120)
assert re.search(r"^predict samples=125 ", said.stdout, re.M), said.stdout
most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(f"at most {most:.0f} MB are resident")
assert most < 200, most
lines = open("large.csv").read().splitlines()
assert len(lines) == 1 + 125 * 64 and lines[1].count(",") == 14, lines[:2]
END
code=$?
expect_code 0 "a large vocabulary takes little memory"
[[ $code == 0 ]] || show wrong
run 1 predict large -o large-all.csv
expect_bad 2 "a line for each position would have 50261 columns; write .h5 or .npy, or the most likely classes alone: --top 5" "50 257 columns"

# Samples alone, in any dataset; and which ones.
run 2 predict mlp --data bare.h5:/some/samples -o bare.h5.out --format h5
expect_code 0 "samples without targets"
if [[ $(last_value digest) == "$wanted" ]]; then pass "they are the same samples"; else fail "another digest: $(tail -n 1 "$out")"; fi
run 2 predict mlp --data table.h5 --split train -o train.h5
expect_last "predict samples=300 .*" "the training data of another file"

# With data.missing: drop rows that lack a value are left out, and the others say which they are.
recipe dropping table.h5 '[dense: 3]' '' --set data.missing=drop
run 3 predict dropping --data bare.h5:/bad -o dropped.h5 --batch 9
expect_in "$out" '^1 rows of /bad lack a value and are left out' "what is left out is told"
run 1 predict dropping --data bare.h5:/some/samples -o all.h5
check "rows keep their numbers" <<'END'
import h5py, numpy as np

some, whole = h5py.File("dropped.h5"), h5py.File("all.h5")
assert "row" not in whole and (some["row"][:] == np.delete(np.arange(200), 77)).all()
# a row's last bits may follow from its place in the file
assert np.allclose(some["output"][:], whole["output"][:][some["row"][:]], rtol=1e-5, atol=1e-7)
END

# Several data sets are predicted as one, in the order given, each cut into pieces as if it were there alone.
"$python" - <<'END'
import h5py, shutil

shutil.copy("text.h5", "short.h5")
with h5py.File("short.h5", "a") as file:
    tokens = file["test/tokens"][:211]
    del file["test/tokens"]
    file["test/tokens"] = tokens
END
for case in "mlp bare.h5:/more/samples table.h5 bare.h5:/some/samples" "gpt short.h5 text.h5" "lstm short.h5 text.h5"; do
    read -r name named <<<"$case"
    options=() digests=() parts=()
    for data in $named; do
        options+=(--data "$data")
        run 2 predict "$name" --data "$data" -o "part-${#parts[@]}.h5"
        parts+=("part-${#parts[@]}.h5")
    done
    for how in "1" "2 --batch 7" "3 --batch 1000" "5 --batch 1"; do
        # shellcheck disable=SC2086  # a number of ranks, and options
        set -- $how
        run "$1" predict "$name" "${options[@]}" -o "joined-$1.h5" "${@:2}"
        digests+=("$(last_value digest)")
    done
    if [[ $(printf '%s\n' "${digests[@]}" | sort -u | wc -l) == 1 ]]; then pass "$name: several data sets have one digest"; else fail "$name: ${digests[*]}"; fi
    "$python" - "${parts[@]}" 2>wrong <<'END'
import h5py, numpy as np, sys

parts = [h5py.File(name) for name in sys.argv[1:]]
for ranks in 1, 2, 3, 5:
    whole = h5py.File(f"joined-{ranks}.h5")
    for name in set(parts[0]) - {"class_values"}:
        assert (whole[name][:] == np.concatenate([part[name][:] for part in parts])).all(), name
    assert whole.attrs["data"] == b", ".join(part.attrs["data"] for part in parts)
    assert whole.attrs["dataset"] == b", ".join(part.attrs["dataset"] for part in parts)
END
    code=$?
    expect_code 0 "$name: the parts, one after the other"
    [[ $code == 0 ]] || show wrong
done

# Which of the recipe's samples: of data that is cut, all are what the parts are together.
recipe cut table.h5 '[dense: 3]' '' --set 'data.split={test: 0.2, validation: 0.1}'
for split in train validation test all; do
    run 2 predict cut --split "$split" -o "cut-$split.h5"
    expect_code 0 "--split $split"
done
run 1 predict cut -o cut-unsaid.h5
run 1 predict mlp --split all -o mlp-all.h5
expect_last "predict samples=300 .*" "all of data that is not cut is what is trained on"
check "the parts of data that is cut" <<'END'
import h5py, numpy as np

rows = {split: h5py.File(f"cut-{split}.h5")["row"][:] for split in ("train", "validation", "test", "unsaid")}
assert [len(rows[split]) for split in ("train", "validation", "test")] == [210, 30, 60] and (rows["unsaid"] == rows["test"]).all()
assert (np.sort(np.concatenate([rows[s] for s in ("train", "validation", "test")])) == np.arange(300)).all()
whole = h5py.File("cut-all.h5")
assert "row" not in whole and whole["output"].shape == (300, 3)
for split in "train", "validation", "test":
    part = h5py.File(f"cut-{split}.h5")
    # a row's last bits may follow from its place in the file
    assert np.allclose(part["output"][:], whole["output"][:][part["row"][:]], rtol=1e-5, atol=1e-7)
END

# What is wrong, with what would be right; and what is there stays.
cp last.h5 kept.h5
run 2 predict mlp --data bare.h5:/bad -o last.h5
expect_bad 1 "row 77 of /bad" "a sample that is no number"
run 1 predict mlp --data bare.h5:/wide -o last.h5
expect_bad 1 "/wide.*7.*6" "samples of another size"
run 1 predict mlp --data bare.h5:/none -o last.h5
expect_bad 1 "there is no /none; it holds" "no such dataset"
run 2 predict cnn -o last.h5 --layer conv2d9
expect_bad 2 'conv2d9" is no layer of the model; it has conv2d1, residual1, residual1/conv2d1, flatten1, dense1' "no such layer"
run 1 predict cnn -o last.h5 --layer residual1 --layer residual1/conv2d1
expect_bad 2 "cannot be in one file" "a layer in another"
run 1 predict cnn -o last.h5 --layer conv2d1 --layer conv2d1
expect_bad 2 "the file has a /conv2d1 already" "a layer twice"
run 1 predict mlp -o last.xlsx
expect_bad 2 "ends in none of .h5, .npy and .csv" "no such format"
run 1 predict mlp -o .
expect_bad 2 "ends in none of" "a directory"
mkdir there.h5
run 2 predict mlp -o there.h5
expect_bad 2 "is a directory" "a directory with a suffix"
run 2 predict mlp -o nowhere/last.h5
expect_bad 1 "nowhere/last.h5.*No such file or directory" "no such directory"
run 1 predict mlp -o last.h5 --batch 0
expect_bad 2 "it must be a number of samples, at least 1" "a batch of nothing"
run 1 predict mlp -o last.h5 --data bare.h5:/bad --split train
expect_bad 2 "a dataset that is named is taken whole" "a split of a dataset"
run 1 predict mlp -o last.h5 --split everything
expect_bad 2 "it must be test, validation, train or all" "no such split"
run 2 predict mlp -o last.h5 --split validation
expect_bad 1 "its recipe has no validation data" "a split that the recipe lacks"
run 1 predict mlp -o last.h5 --data table.h5 --data bare.h5:/bad --data table.h5
expect_bad 2 "table.h5 is given twice" "a data set twice"
run 2 predict mlp -o last.h5 --data table.h5 --data bare.h5:/wide
expect_bad 1 "/wide.*7.*6" "a data set of other samples"
run 3 predict mlp -o last.h5 --data table.h5 --data bare.h5:/bad
expect_bad 1 "row 77 of /bad" "a sample that is no number, in the second data set"
run 1 predict mlp
expect_bad 2 "predict needs -o OUT" "nowhere to write to"
if cmp -s last.h5 kept.h5 && [[ -z $(find . -name '*.tmp.*') ]]; then pass "what was there is there"; else fail "left: $(ls)"; fi
finish
