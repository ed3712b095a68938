#!/usr/bin/env bash
# What a run goes on with has to be what its checkpoint is of: the data, the instruction set, the recipe; and where it is
# something else on purpose, what happens is defined.
. "$(dirname "$0")/../support/lib.sh"

# make_set FILE ROWS SHIFT [FORM]: rows of 8 whole numbers in 4 classes, and 200 to test; another SHIFT is other numbers. FORM
# is how the same numbers are stored.
make_set() {
    "$python" - "$@" <<'PYTHON' || give_up "no $1"
import h5py, numpy, sys

name, rows, shift, form = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), (sys.argv[4:] or ["plain"])[0]


def part(first, count):
    i = numpy.arange(first, first + count)
    y = i % 4
    centre = numpy.array([[-60, 40, 10, -20], [50, -30, 0, 60], [-10, -50, 70, 20], [30, 60, -40, -70]])
    noise = (i[:, None] * numpy.array([7, 11, 13, 17]) + shift) * 2654435761 % 4294967296 % 41 - 20
    return numpy.hstack([centre[y] + noise, noise]).astype("f4"), y.astype("u1")


with h5py.File(name, "w") as file:
    for split, first, count in ("train", 0, rows), ("test", 100000, 200):
        x, y = part(first, count)
        if form == "labels" and split == "train":
            y[rows // 2] ^= 1
        if form == "test" and split == "test":
            x[0, 0] += 1
        x = x.astype({"int8": "i1", "foreign": ">f4"}.get(form, "f4"))
        how = {"chunks": (16, 3), "compression": "gzip"} if form == "packed" else {}
        file.create_dataset(split + "/x", data=x, **how)
        file.create_dataset(split + "/y", data=y)
PYTHON
}
make_set whole.h5 600 0

cat >small.yaml <<'YAML'
name: small
data: {file: data.h5, std: 50}
model: {layers: [{dense: {out: 16, activation: relu}}, {dense: 4}]}
optimizer: {lr: 0.01}
train: {epochs: 3, batch: 32, shards: 4}
YAML

expect_digest() { # expect_digest DIGEST WHAT
    if [[ $(last_value digest) == "$1" ]]; then pass "$2"; else fail "$2: another digest" && show "$out" "$err"; fi
}
# goes_on RANKS WHAT ARGUMENT…: the last run, in a copy of its directory, reaches the digest of the one nobody touched
goes_on() {
    local ranks=$1 what=$2
    shift 2
    rm -rf copy && cp -r begun copy
    run "$ranks" train small.yaml --run copy "$@"
    expect_digest "$wanted" "$what"
}
# refused_with REGEX WHAT ARGUMENT…: nothing of the run is touched
refused_with() {
    local regex=$1 what=$2
    shift 2
    rm -rf copy && cp -r begun copy
    run "${ranks:-1}" train "${recipe:-small.yaml}" --run copy "$@"
    expect_bad 1 "$regex" "$what"
    diff -r begun copy >"$work/diff" || { fail "$what: the run directory was touched" && show "$work/diff"; }
}

cp whole.h5 data.h5
run 1 train small.yaml --run untouched
wanted=$(last_value digest)
expect_last 'done .* step=57 epoch=3 .*' "57 steps in one go"
run 2 train small.yaml --run begun --set train.stop_after="15 steps"
expect_code 75 "15 of them"

# ---- other data ----
for rows in 300 599; do
    make_set data.h5 $rows 0
    refused_with "step-000000015.h5: data.h5 .*data.train_x is float32 \[$rows, 8\], and was float32 \[600, 8\]; .*data.changed=accept" \
        "$rows rows instead of 600"
done
make_set data.h5 600 1
refused_with 'data.train_x has other values \(fingerprint [0-9a-f]{16}, was [0-9a-f]{16}\)' "other numbers in the same shape"
make_set data.h5 600 0 labels
ranks=3 refused_with 'data.train_y has other values' "one other label"
make_set data.h5 600 0 test
refused_with 'data.test_x has other values' "one other number in the test set"
make_set data.h5 600 0 int8
refused_with 'data.train_x is int8 \[600, 8\], and was float32 \[600, 8\]' "the same numbers in another type"
refused_with 'data.test_x is not there, and was float32 \[200, 8\]' "no test set, where there was one" \
    --set data.file=whole.h5 --set 'data.test_x=""' --set 'data.test_y=""'

# ---- the same data ----
mv whole.h5 elsewhere.h5
goes_on 1 "the same file under another name" --set data.file=elsewhere.h5
make_set data.h5 600 0 packed
goes_on 3 "the same numbers in compressed chunks, on three ranks"
make_set data.h5 600 0 foreign
goes_on 2 "the same numbers in the other byte order"

# ---- other data on purpose ----
make_set data.h5 300 5
sed 's/^data: {/data: {changed: accept, /' small.yaml >accepts.yaml
recipe=accepts.yaml refused_with 'data.changed=accept' "data.changed counts on the command line only"
course=(--set schedule.kind=cosine --set schedule.final=0.1 --set train.log_every="1 steps")
run 2 train small.yaml --run copy --set data.changed=accept "${course[@]}"
expect_last 'done .* step=45 epoch=3 .*' "other data, accepted: three epochs of it from step 15 on"
expect_in "$out" 'data.h5 is other data than .*step-000000015.h5 .* begin at step 15' "it says so"
accepted=$(last_value digest)
rates=$(grep -oE '"learning_rate": ?[0-9.e-]+' copy/metrics.jsonl | grep -oE '[0-9.e-]+$' | tail -n 30)
if awk 'NR == 1 {first = $1} {last = $1} END {exit !(NR == 30 && first == 0.01 && last > 0.00099 && last < 0.00101)}' \
    <<<"$rates"; then pass "the schedule begins anew"; else fail "the schedule's rates: $rates"; fi
cp -r begun again
run 1 train small.yaml --run again --set data.changed=accept "${course[@]}" --set train.stop_after="13 steps"
run 2 train small.yaml --run again "${course[@]}"
expect_digest "$accepted" "interrupted after that, it goes on as it would have"
run 1 train small.yaml --run again "${course[@]}"
expect_last 'done .* step=45 epoch=3 .*' "finished, by its own data"
cp -r begun counted
run 1 train small.yaml --run counted --set data.changed=accept --set train.steps=10
expect_last 'done .* step=25 epoch=1 .*' "train.steps counts from there too"
make_set data.h5 600 0
run 1 train small.yaml --run again "${course[@]}"
expect_bad 1 'data.train_x is float32 \[600, 8\], and was float32 \[300, 8\]' "now the old data is the other"

# ---- how long a run is ----
sed 's/batch: 32/batch: 64/' small.yaml >wide.yaml
recipe=wide.yaml refused_with 'train.batch is 64 but the checkpoint was trained with 32' "another batch"
# 480 of 600 samples are used: 2 steps of 64 end the epoch, and two epochs have 10 each
run 1 train small.yaml --run copy --set train.batch=64
expect_last 'done .* step=37 epoch=3 .*' "another batch on purpose: three epochs all the same"
epochs=$(grep -cE '^epoch [123]/3 step (17|27|37) ' "$out")
if [[ $epochs == 3 ]]; then pass "evaluated at their ends"; else fail "evaluated elsewhere" && show "$out"; fi
run 2 train small.yaml --run copy --set train.batch=64
expect_last 'done .* step=37 epoch=3 .*' "and finished"
goes_on 3 "ranks may be another number"
rm -rf copy && cp -r begun copy
run 3 train small.yaml --run copy --set train.shards=3
expect_last 'done .* step=57 epoch=3 .* shards=3 .*' "shards on purpose"
run 2 train small.yaml --run copy --set train.shards=1
expect_bad 1 '2 ranks cannot share 1 shards' "fewer shards than ranks"
for end in train.epochs=1 train.steps=5; do
    run 1 train small.yaml --run copy --set train.shards=3 --set $end
    expect_code 0 "$end, which the run has behind it"
    expect_in "$out" "is finished: 57 steps, 3 epochs; for more, raise ${end%=*}, now ${end#*=} " "$end: it says so"
    [[ $(last_value step) == 57 ]] || fail "$end: it is at step $(last_value step)"
done

# A text in streams stands where all of them are.
for ((i = 0; i < 300; i++)); do echo "line $i of a text, $((i * i % 97)) ways to go on"; done >text
run 1 import text text text.h5 --tokens char
expect_code 0 "a text"
cat >stream.yaml <<'YAML'
name: stream
data: {file: text.h5, context: 8, windows: stream}
model: {layers: [{gpt: {layers: 1, heads: 1, width: 8}}]}
train: {steps: 40, batch: 12, shards: 4}
YAML
run 2 train stream.yaml --run stream --set train.stop_after="7 steps"
expect_code 75 "streams: 7 steps"
run 2 train stream.yaml --run stream --set train.batch=16
expect_bad 1 'at sample 84 of an epoch, amid the windows of 16 streams' "another number of streams in the middle of them"
run 2 train stream.yaml --run stream
expect_code 0 "streams: to the end"

# ---- the instruction set, and threads ----
run 1 train small.yaml --run isa-whole --set compute.isa=baseline
wanted=$(last_value digest)
rm -rf begun
run 2 train small.yaml --run begun --set compute.isa=baseline --set compute.threads=2 --set train.stop_after="15 steps"
goes_on 3 "a run goes on with another instruction set, and another number of threads"

# ---- a recipe above the 64 kB that an attribute of HDF5 holds ----
name=a_layer_with_a_name_of_the_length_that_may_be_had_at_most_
{
    echo "name: deep"
    echo "data: {file: data.h5, std: 50}"
    echo "model: {layers: ["
    for ((i = 0; i < 800; i++)); do echo "  {dropout: {rate: 0.001, name: $name$i}},"; done
    echo "  {dense: 4}]}"
    echo "train: {epochs: 1, batch: 300, shards: 2, steps: 4}"
} >deep.yaml
run 1 train deep.yaml --run deep-whole
wanted=$(last_value digest)
run 2 train deep.yaml --run deep --set train.stop_after="2 steps"
expect_code 75 "a long recipe: a checkpoint"
(($(wc -c <deep/recipe.yaml) > 66000)) || fail "it has only $(wc -c <deep/recipe.yaml) bytes"
run 1 train deep.yaml --run deep
expect_digest "$wanted" "it goes on"
run 1 inspect deep
expect_in "$out" "${name}799" "inspect shows it all"
run 1 eval deep
expect_code 0 "eval reads it"

# ---- a checkpoint of format version 1, made by 2c17bc6 from `make_old`, recipe old.yaml, at step 10 of 16 ----
make_old() {
    "$python" - "$1" "$2" <<'PYTHON' || give_up "no $1"
import h5py, numpy, sys


def part(rows, shift):
    i, j = numpy.arange(rows)[:, None] + shift, numpy.arange(4)[None, :]
    return ((7 * i + 13 * j + 3 * i * j) % 41 - 20).astype("f4"), ((5 * i[:, 0] + i[:, 0] // 7) % 3).astype("u1")


with h5py.File(sys.argv[1], "w") as file:
    file["train/x"], file["train/y"] = part(int(sys.argv[2]), 0)
    file["test/x"], file["test/y"] = part(20, 1000)
PYTHON
}
cat >old.yaml <<'YAML'
name: old
data: {file: old.h5, std: 12}
model:
  layers: [{dense: {out: 5, activation: tanh}}, {dense: 3}]
optimizer: {kind: adam, lr: 0.01}
train: {epochs: 2, batch: 8, shards: 2}
compute: {isa: baseline}
YAML
mkdir -p old/checkpoints
base64 -d "$source/tests/golden/checkpoint-v1.gz.b64" | gzip -d >old/checkpoints/step-000000010.h5
make_old old.h5 12
run 2 train old.yaml --run old
expect_bad 1 'at sample 16 of an epoch, but old.h5 has only 12' "an old checkpoint, data that cannot be its own"
make_old old.h5 60
run 1 verify old
expect_code 0 "verify of an old checkpoint"
run 2 train old.yaml --run old
expect_last 'done .* step=16 epoch=2 .* digest=3569db552097970a' "an old checkpoint goes on to the bits that it always goes on to"
expect_one_line 'does not say what data it was trained on' "with a word"
finish
