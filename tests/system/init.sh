#!/usr/bin/env bash
# `init` writes a recipe that trains, whatever the data: a table, numbers to predict, pictures, a text, strings and one-hot
# rows as labels; `inspect` says what the data has. What cannot be learned from is refused.
. "$(dirname "$0")/../support/lib.sh"

"$python" - <<'PYTHON' || give_up "no data"
import h5py, numpy as np

random = np.random.default_rng(2)
with open("table.csv", "w") as f:
    print("long,wide,colour,kind", file=f)
    for i in range(240):
        kind = i % 3
        print(f"{random.normal(kind * 3, 1):.2f},{'NA' if i % 40 == 7 else f'{random.normal(-kind, 1):.2f}'},{['red', 'blue'][i % 2]},{['ant', 'bee', 'cat'][kind]}", file=f)
with h5py.File("numbers.h5", "w") as f:
    x = random.normal(size=(400, 5)) * [1, 10, 1000, 1, 1] + [0, 5, 1e4, 0, 0]
    f["x"], f["y"] = x, ((x - x.mean(0)) / x.std(0)) @ random.normal(size=(5, 2)) * 1e6 + 5e6
with h5py.File("pictures.h5", "w") as f:
    for part, rows in ("train", 200), ("test", 50):
        y = np.arange(rows) % 2
        x = random.integers(0, 100, (rows, 3, 12, 10)).astype("u1")
        x[:, 0, 3:9, 3:7] += (y * 90).astype("u1")[:, None, None]
        f[f"{part}/x"], f[f"{part}/y"] = x, y * 3 + 2
with h5py.File("clear.h5", "w") as f:
    x = np.zeros((20, 16, 16), "u1")
    x[:, 4:12, 4:12] = 255
    f["train/x"], f["train/y"] = x, np.arange(20) % 2
PYTHON
"$python" - <<'PYTHON' || give_up "no strings"
import h5py, numpy as np

random = np.random.default_rng(4)
names = ["ant", "bee", "c'ow\x1b"]
x = random.normal(size=(240, 3)).astype("f4")
code = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0)
text = np.array([names[c] for c in code], dtype=object)
own = np.array([f"sample {i}".encode() for i in range(240)])
with h5py.File("records.h5", "w") as f:
    t = np.zeros(240, [("id", "i4"), ("long", "f4"), ("of it, wide", "f8"), ("in", [("kind", h5py.string_dtype())]), ("note", "S12")])
    t["id"], t["long"], t["of it, wide"], t["in"]["kind"], t["note"] = np.arange(240) + 7, x[:, 0], x[:, 1], text, own
    f["table"] = t
with h5py.File("lists.h5", "w") as f:
    f["a"], f["b, c"], f["w"], f["own"], f["unit"] = x[:, 0], x[:, 1], x[:, 1:], own, "cm"
    f["bad"] = np.array([b"\xff"] * 240)
    some = text.copy()
    some[5:8] = ""
    f["kind"] = some
with h5py.File("hot.h5", "w") as f:
    f["x"], f["labels"], f["shares"] = x, np.eye(3)[code].astype("f4"), np.eye(3)[code] / 2 + 1 / 6
    f["x"][0, 0] = np.nan
    f["truth"] = np.eye(3)[code].astype(bool)
    fields = np.zeros(240, [(n, "i1") for n in ("ant", "bee", "cow")])
    for i, n in enumerate(fields.dtype.names):
        fields[n] = code == i
    f["fields"] = fields
    f["word"] = np.array([f"w{i % 80}" if i < 160 else "often" for i in range(240)], dtype=object)
PYTHON
run 1 import csv table.csv table.h5 --target kind
expect_code 0 "a table"
for _ in {1..60}; do echo "the quick brown fox jumps over the lazy dog"; done >text
run 1 import text text text.h5 --tokens char
expect_code 0 "a text"

# proposed FILE REGEX…: the recipe has lines like these
proposed() {
    local file=$1 regex
    shift
    run 1 init "$file.h5"
    expect_code 0 "a recipe for $file"
    cp "$out" "$file.yaml"
    for regex; do expect_in "$file.yaml" "$regex" "  it has $regex"; done
}
# trained FILE KEY MOST [ARGUMENT…]: the recipe trains, on two ranks, and KEY ends below MOST
trained() {
    local file=$1 key=$2 most=$3
    shift 3
    run 2 train "$file.yaml" --run "runs/$file" "$@"
    expect_code 0 "$file trains"
    if awk -v loss="$(last_value "$key")" -v most="$most" 'BEGIN { exit !(loss + 0 == loss && loss < most) }'; then
        pass "$file: $key is $(last_value "$key"), below $most"
    else
        fail "$file: $key is $(last_value "$key")" && show "$out" "$err"
    fi
}
# A guess has a loss of log(classes), or 1 of scaled targets.
proposed table 'dense: 3 +# one number a class: ant, bee, cat' 'loss: softmax_cross_entropy' 'normalize: standardise' 'missing: mean +# 6 values' 'split: .test: 0.2, stratify: true'
trained table test_loss 0.6 --set train.epochs=25
proposed numbers "train_x: '/x'" 'dense: 2 +# the numbers' 'loss: mean_squared_error' 'target: .normalize: standardise'
trained numbers test_loss 0.1 --set train.epochs=25
proposed pictures 'channels: first_to_last' 'conv2d' 'dense: 2 +# one number a class: 2, 5'
trained pictures test_loss 0.3 --set train.epochs=6
proposed records "train_x: '/table.long, ''of it, wide''.'" "train_y: '/table.in.kind.'" 'left out, .*: /table.id., /table.note.$' 'dense: 3 +# one number a class: ant, bee, c.ow.x1b' 'loss: softmax_cross_entropy'
trained records test_loss 0.6 --set train.epochs=30
proposed lists "train_x: './a, ''/b, c'', /w.'" "train_y: '/kind'" 'left out, .*: /bad, /own$' 'missing: drop +# 3 empty labels'
trained lists test_loss 0.6 --set train.epochs=30
proposed hot "train_y: '/labels'" 'stratify: true' 'missing: mean' 'dense: 3 +# one number a class: 0, 1, 2' 'loss: softmax_cross_entropy'
trained hot test_loss 0.6 --set train.epochs=30
proposed text 'gpt:' 'context: 64'
trained text train_loss 2 --set train.steps=60 --set train.eval_every=0
expect_code 0 "the text"

run 1 inspect table.h5
expect_in "$out" '/train/y: 0 to 2, mean 1' "inspect has ranges"
expect_in "$out" '/train/x: .*; 6 missing' "and missing values"
expect_in "$out" '3 different: ant in 80, bee in 80, cat in 80 rows' "and classes"
expect_in "$out" 'the first rows of /train/x' "and samples"
run 1 inspect records.h5
expect_in "$out" '^  /table +compound +\[240\]' "compounds"
expect_in "$out" '^      of it, wide +float64' "their fields"
expect_in "$out" "^  /table\\['of it, wide'\\]: -[0-9.]+ to [0-9.]+, mean" "with ranges"
expect_in "$out" '^    3 different texts: ant in [0-9]+, bee in [0-9]+, c.ow.x1b in [0-9]+ rows' "strings as classes, escaped"
expect_in "$out" '^  /table.note.: texts; another one in every row$' "strings that are none"
run 1 inspect lists.h5
expect_in "$out" '^  /kind +text +\[240\]' "datasets of strings"
expect_in "$out" '^  /kind: texts; 3 empty$' "empty ones"
expect_in "$out" '^  no labels: lists.h5: /bad row 0 is ".xff", which is no UTF-8' "what no labels can be"
if grep -q '/unit row\|/unit is' "$out"; then fail "a single text is taken for labels" && show "$out"; else pass "a single text is no labels"; fi
run 1 inspect hot.h5
expect_in "$out" '^    3 classes, one-hot: 0 in [0-9]+, 1 in [0-9]+, 2 in [0-9]+ rows' "one-hot rows"
expect_in "$out" '^    81 different texts, the most frequent: often in 80, w0 in 2, w1 in 2,' "the most frequent of many"
run 1 init hot.h5 --x '/x[0:2]' --y '/fields[ant, bee, cow]'
expect_in "$out" 'of shape \[2\]' "init takes chosen columns"
expect_in "$out" 'one number a class: ant, bee, cow' "and fields, which name the classes"
run 1 init hot.h5 --y /truth
expect_in "$out" 'one number a class: 0, 1, 2' "truths are not the names of columns"
run 1 init hot.h5 --y /shares
expect_in "$out" 'loss: mean_squared_error' "shares are no classes"
run 1 inspect clear.h5
expect_in "$out" '^        @@@@@@@@$' "and a picture"
checkpoints=(runs/table/checkpoints/*.h5)
run 1 inspect "${checkpoints[0]}"
expect_code 0 "a checkpoint"
if grep -q 'writes a recipe' "$out"; then fail "a checkpoint is shown as data"; else pass "a checkpoint is no data"; fi

refused() { # refused WHAT REGEX ARGUMENT…
    local what=$1 regex=$2
    shift 2
    run 1 init "$@"
    expect_bad 1 "$regex" "$what"
}
refused "a checkpoint" 'is a checkpoint, which has a recipe' "${checkpoints[0]}"
"$python" - <<'PYTHON'
import h5py, numpy as np

with h5py.File("other.h5", "w") as f:
    f["a"], f["b"], f["c"] = np.zeros((5, 3)), np.zeros(5), np.zeros(4)
with h5py.File("x\x1b[2J.h5", "w") as f:
    f["x"] = np.zeros(3)
PYTHON
refused "names that say nothing" 'other.h5: which dataset has the samples\? --x names it; the file holds /a, /b, /c' other.h5
refused "no targets" 'which dataset has the labels or targets\? --y names it' other.h5 --x /a
refused "another number of rows" '/a has 5 rows, but /c does not' other.h5 --x /a --y /c
refused "a name that is not there" '--y: there is no dataset /d' other.h5 --x /a --y /d
refused "a compound without a field" '--y: /table is compound: say which of its fields, as in /table.id.' records.h5 --y /table
refused "a field that is not there" 'has no field .colour.; it has id, long' records.h5 --y '/table[colour]'
refused "a text for every row" '/table.note. has a text of its own in every row' records.h5 --y '/table[note]'
refused "strings that no labels can be" '/bad row 0 is .* no UTF-8' lists.h5 --y /bad
refused "strings to learn from" '/own .* has no samples' lists.h5 --x /own
cp table.csv table.txt
refused "no HDF5" 'table.txt' table.txt
refused "a name that no recipe can have" 'rename the file' $'x\e[2J.h5'
run 1 init other.h5 --x /a --y /b
expect_code 0 "named on the command line"
# Tables and NumPy's files: the recipe is that of the dataset an import makes of them, which it names.
mkdir bin few
ln -s "$dtrain" bin/dtrain
"$python" - <<'PYTHON'
import numpy as np

random = np.random.default_rng(3)
x = random.normal(size=(90, 4)).astype("f4")
y = (x[:, 0] > 0).astype("u1")
np.save("x.npy", x), np.save("y.npy", y), np.savez("both.npz", x_train=x, y_train=y, other=x)
with open("it's 1.csv", "w") as f:
    print('when;"high, °C";Label;z;nothing', file=f)
    for i in range(60):
        print(f"2024-05-{i % 28 + 1:02d};{i % 7},5;{'no' if i % 2 else 'yes'};{i * i % 11};", file=f)
with open("bare.tsv", "w") as f:
    for i in range(60):
        print(f"{i % 7}.25\t{i * i % 11}\t{i % 7 + i * i % 11}.5", file=f)
PYTHON
made() { # made COMMAND FILE ARGUMENT…: `init FILE ARGUMENT…` names the command; what that makes has the same recipe
    local command=$1 file=$2
    shift 2
    TMPDIR=$work/few run 1 init "$file" "$@"
    expect_code 0 "init $file $*"
    expect_in "$out" "^#   $command\$" "  $command"
    grep -v "^# First\|^#   dtrain\|^#\$" "$out" >told
    sed -n 's/^#   \(dtrain import .*\)/\1/p' "$out" >command.sh
    PATH=$work/bin:$PATH timeout -k 2 "$limit" bash -e command.sh >"$out" 2>"$err" </dev/null
    code=$?
    expect_code 0 "  it works"
    run 1 init "$(sed -nE "s/^  file: '(.*)'\$/\1/p" told | sed "s/''/'/g")"
    grep -v '^#$' "$out" | diff - told >differ || { fail "$file: another recipe than that of its dataset" && show differ; }
}
made 'dtrain import csv table.csv table.h5 --target kind' table.csv
made "dtrain import csv 'it'\\\\''s 1.csv' 'it'\\\\''s 1.h5' --target Label --drop when,nothing --delimiter ';' --decimal comma" "it's 1.csv"
made 'dtrain import csv bare.tsv bare.h5 --target 3 --delimiter tab --header no' bare.tsv
made 'dtrain import csv table.csv table.h5 --target long --columns wide,colour' table.csv --y long --x wide,colour
made 'dtrain import npy x.npy y.npy x.h5' x.npy --y y.npy
made 'dtrain import npz both.npz both.h5' both.npz
made 'dtrain import npz both.npz both.h5 --x other --y y_train' both.npz --x other --y y_train
[[ -z $(ls few) ]] || fail "temporary files stay: $(ls few)"
refused "an array alone" 'x.npy: which array has the labels or targets' x.npy
printf 'id,v,y\n' >ids.csv
for i in {1..30}; do echo "$i,$((i % 3)),$((i % 2))" >>ids.csv; done
refused "what the import refuses" 'dtrain import csv ids.csv ids.h5 --target y: column "id" counts the rows' ids.csv
printf 'a,"b\nc"\n1,2\n3,4\n' >lines.csv
refused "a name that no comment can have" 'no command shows' lines.csv
run 1 inspect "it's 1.csv"
expect_in "$out" '60 rows of 5 columns, separated by semicolons, with names in the first line, with decimal commas' "inspect has a table"
expect_in "$out" '^  when +60 dates or hours' "dates"
expect_in "$out" '^  high, .*C +60 numbers, 0.5 to 6.5, mean' "numbers"
expect_in "$out" '^  Label +2 different texts: no, yes' "texts"
run 1 inspect both.npz
expect_in "$out" '/train/x +float32 +\[90, 4\]' "inspect has an archive"
expect_in "$out" 'dtrain import npz both.npz both.h5' "and its command"

# Examples of the help, pasted.
mkdir paste
for command in import inspect init; do
    "$dtrain" "$command" --help | grep -E "^  (printf|dtrain $command t)" >paste.sh
    expect_in paste.sh '^  printf' "$command --help has an example"
    (cd paste && PATH=$work/bin:$PATH timeout -k 2 "$limit" bash -e ../paste.sh) >"$out" 2>"$err" </dev/null
    code=$?
    expect_code 0 "the example of $command"
done
expect_last 'done run=.*' "and trains"
finish
