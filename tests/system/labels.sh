#!/usr/bin/env bash
# Classes with names: strings in all the forms files have them in, enumerations, one-hot rows. They are the classes that
# integers in their order would be, bit for bit; the names stay with the model, and other data is mapped by them.
. "$(dirname "$0")/../support/lib.sh"

"$python" "$source/tests/support/label_files.py" || give_up "no data"
cat >t.yaml <<'YAML'
data: {file: d.h5, train_x: /x, train_y: /code, split: {test: 0.2}}
model: {layers: [{dense: {out: 8, activation: relu}}, {dense: 3}]}
optimizer: {lr: 0.01}
train: {epochs: 2, batch: 20, shards: 3, log_every: never}
checkpoint: {every: never}
YAML
runs=0
# trains RANKS DIGEST WHAT [ARGUMENT…]: a run of its own
trains() {
    local ranks=$1 wanted=$2 what=$3
    shift 3
    run "$ranks" train t.yaml --run "run$((++runs))" "$@"
    if [[ $(last_value digest) == "$wanted" ]]; then
        pass "$what: the digest of integers"
    else
        fail "$what: $(last_value digest), not $wanted" && show "$out" "$err"
    fi
}
# refused REGEX WHAT ARGUMENT…
refused() {
    run 1 train t.yaml --run refused "${@:3}"
    expect_bad 1 "$1" "$2"
    rm -rf refused
}

run 1 train t.yaml --run codes
codes=$(last_value digest)

# ---- strings ----

for form in variable utf8 numpy ended zeros spaces characters chunked 'table[kind]' 'table[fixed]' 'table[in.kind]'; do
    trains 1 "$codes" "strings /$form" --set "data.train_y=/$form"
done
expect_in "$out" '^classes of /table.in.kind.: ant, bee, cow$' "the classes are told"
for ranks in 2 3; do
    trains $ranks "$codes" "strings, $ranks ranks" --set data.train_y=/chunked
done
trains 2 "$codes" "strings beside streamed samples" --set data.train_y=/variable --set data.memory="1 MB"
run 1 train t.yaml --run stratified --set data.split.stratify=true
trains 2 "$(last_value digest)" "strings, each class split by itself" --set data.train_y=/variable --set data.split.stratify=true
run 1 train t.yaml --run balanced --set train.class_weights=balanced
trains 1 "$(last_value digest)" "strings, weighted by class" --set data.train_y=/numpy --set train.class_weights=balanced
parts=(--set "data.file=[part1.h5, part2.h5]")
run 1 train t.yaml --run parts "${parts[@]}"
parted=$(last_value digest)
trains 2 "$parted" "files with some of the strings each" "${parts[@]}" --set data.train_y=/variable
trains 1 "$parted" "files with strings of other lengths" "${parts[@]}" --set data.train_y=/numpy
refused 'part2.h5: /mixed has numbers, but in part1.h5 strings; files of one data set must agree' "strings and numbers" "${parts[@]}" --set data.train_y=/mixed
run 3 train t.yaml --run parted --set data.train_y=/variable --set train.stop_after="7 steps"
expect_code 75 "a run on strings, interrupted in an epoch"
run 2 train t.yaml --run parted --set data.train_y=/variable
if [[ $(last_value digest) == "$codes" ]]; then pass "resumed: the digest of integers"; else fail "resumed: $(last_value digest)"; fi

refused '/variable is text; it must be integers or floats' "strings as samples" --set data.train_x=/variable
refused '/own has a text of its own' "a text for every row" --set data.train_y=/own
refused '/two has 2 texts a row' "two texts a row" --set data.train_y=/two
refused '/variable holds texts, which are classes; the model.s one output' "a number to be predicted" \
    --set data.train_y=/variable --set 'model.layers=[{dense: 1}]' --set model.loss=mean_squared_error
refused '/variable holds texts, which are classes and no numbers' "scaled texts" --set data.train_y=/variable \
    --set model.loss=mean_squared_error --set data.target.normalize=standardise
refused '/empty row 4 is an empty text' "an empty label" --set data.train_y=/empty
refused '/latin row 5 is "ca.xf1on", which is no UTF-8' "bytes that are no UTF-8" --set data.train_y=/latin
refused '/nul row 6 is "a\\x00b", which has a 0 in it' "a 0 in a text" --set data.train_y=/nul
refused '/long row 298 has a text of 10000000 bytes' "a text of 10 MB" --set data.train_y=/long
refused '/y row 1048576 is the text beyond 1048576 different ones' "over a million texts" --set data.file=many.h5 \
    --set data.train_y=/y
run 1 train t.yaml --run dropped --set data.train_y=/empty --set data.missing=drop
expect_in "$out" '^classes of /empty: ant, bee, cow$' "rows without a label may be left out"

# ---- by name ----

like=(--set data.train_y=/y)
for form in codes texts turned in_order numbers number_texts; do
    run 1 train t.yaml --run "on_$form" --set "data.file=$form.h5" "${like[@]}"
done
declare -A figures_of
for some in "" _some; do
    run 1 eval on_codes --data "codes$some.h5"
    figures_of[codes$some]=$(last_value loss)/$(last_value accuracy)/$(last_value samples)
done
# maps RUN FORM [RANKS]: evaluated on that form of the data, a run on any form has the figures that one on integers has
maps() {
    local some
    for some in "" _some; do
        run "${3:-1}" eval "$1" --data "$2$some.h5"
        figures=$(last_value loss)/$(last_value accuracy)/$(last_value samples)
        if [[ $figures == "${figures_of[codes$some]}" ]]; then
            pass "$1, evaluated on $2$some: the same figures"
        else
            fail "$1, evaluated on $2$some: $figures, not ${figures_of[codes$some]}" && show "$out" "$err"
        fi
    done
}
maps on_texts texts
maps on_texts fixed 3
maps on_texts turned
maps on_texts in_order
maps on_texts codes
maps on_in_order turned
maps on_in_order texts 2
maps on_in_order one_hot
# the classes of a model on `turned` are cow, ant, bee, and on `numbers` 4, 33, 210: as integers that is another run
run 1 eval on_turned --data turned.h5
figures_of[codes]=$(last_value loss)/$(last_value accuracy)/$(last_value samples)
run 1 eval on_turned --data turned_some.h5
figures_of[codes_some]=$(last_value loss)/$(last_value accuracy)/$(last_value samples)
maps on_turned in_order
maps on_turned texts
for run in on_numbers on_number_texts; do
    run 1 eval $run --data numbers.h5
    figures_of[codes]=$(last_value loss)/$(last_value accuracy)/$(last_value samples)
    run 1 eval $run --data numbers_some.h5
    figures_of[codes_some]=$(last_value loss)/$(last_value accuracy)/$(last_value samples)
    maps $run number_texts
done
run 1 eval on_texts --data strange.h5
expect_bad 1 '/y row 9 is "e.x1bmu", a class the model does not have .it has "ant", "bee", "cow".' "an unknown text"
run 1 eval on_texts --data number_texts.h5
expect_bad 1 '/y row [0-9]+ is "210", a class the model does not have' "texts that are none of the names"
run 1 eval on_codes --data texts.h5
expect_bad 1 '/y row [0-9]+ is "ant", a class the model does not have .it has labels 0 to 2.' "texts for a model without names"

run 2 predict on_texts --data texts.h5:/x -o made.csv
cut -d, -f5 made.csv | sort | uniq -c | sed 's/^ *//' >counts
expect_in counts '^[0-9]+ bee$' "predictions as text have the names"
run 2 predict on_texts --data texts.h5:/x -o made.h5
"$python" - on_texts <<'PYTHON' >says
import csv, glob, h5py, json

names = [n.decode() for n in h5py.File("made.h5")["class_names"][:]]
chosen = [names[i] for i in h5py.File("made.h5")["class"][:]]
print("names", *names)
print("same", chosen == [row["class"] for row in csv.DictReader(open("made.csv"))])
PYTHON
expect_in says '^names ant bee cow$' "predictions as HDF5 have them, too"
expect_in says '^same True$' "for the same classes"
run 1 export on_texts --to safetensors made.safetensors
expect_in made.safetensors 'class_names":"[^a]*ant[^a-z]*bee[^a-z]*cow[^a-z]*"' "and so has an export"
run 1 eval on_texts --data texts.h5 --json figures.json
expect_in figures.json '"label": "cow"' "and figures"

printf 'a,b,kind\n' | tee all.csv >some.csv
for i in {1..120}; do
    kind=$((i % 7 > 3 ? 0 : i % 2 + 1))
    echo "$((i % 13)),$((i * i % 31)),$(sed -n "$((kind + 1))p" <<<$'ant\nbee\ncow')"
done | tee -a all.csv | grep -v ant >>some.csv
"$dtrain" import csv all.csv all.h5 --target kind >/dev/null && "$dtrain" import csv some.csv some.h5 --target kind >/dev/null
run 1 train t.yaml --run table --set data.file=all.h5 --set data.train_x=/train/x --set data.train_y=/train/y
run 1 eval table --data some.h5
expect_in "$out" '^  ant +[0-9.]+ +[0-9.]+ +[0-9.]+ +0 ' "a table with some of the classes only: none of the others is seen"
expect_in "$out" "^  bee .* $(grep -c bee some.csv) +[0-9]+\$" "and each of them by its name"

# ---- one-hot rows ----

for form in uint8 int64 float16 float32 float64 bool; do
    trains 1 "$codes" "one-hot rows of $form" --set "data.train_y=/hot_$form"
done
trains 3 "$codes" "one-hot rows, 3 ranks" --set data.train_y=/hot_bool
trains 1 "$codes" "fields" --set 'data.train_y=/hot_fields[ant, bee, cow]'
expect_in "$out" '^classes of .*: ant, bee, cow$' "which name the classes"
run 1 train t.yaml --run weighted --set train.class_weights=balanced
trains 2 "$(last_value digest)" "one-hot rows, weighted by class" --set data.train_y=/hot_float32 --set train.class_weights=balanced
run 1 train t.yaml --run hot_stratified --set data.split.stratify=true
trains 2 "$(last_value digest)" "one-hot rows, each class split by itself" --set data.train_y=/hot_float16 --set data.split.stratify=true
refused '/shares row 11 has 3 values, which are no one-hot row; rows are grouped by one value each' "shares split by class" \
    --set data.train_y=/shares --set data.split.stratify=true
refused '/hot_none row 7 is 0s and 1s with no 1 in it' "a row of no class" --set data.train_y=/hot_none
refused '/hot_both row 8 is 0s and 1s with 2 of them 1, values 0 and 2 the first' "a row of two" --set data.train_y=/hot_both
run 1 train t.yaml --run likely --set data.train_y=/hot_both --set model.loss=binary_cross_entropy
expect_code 0 "which are probabilities to binary_cross_entropy"
run 1 train t.yaml --run shared --set data.train_y=/shares
expect_code 0 "rows of shares stay shares"
refused 'train.class_weights needs classes' "which have no classes to weigh" --set data.train_y=/shares --set train.class_weights=balanced

# ---- groups ----

groups=(--set data.split.by=/patient --set data.split.validation=0.1)
run 1 train t.yaml --run grouped "${groups[@]}"
grouped=$(last_value digest)
for by in patient_text patient_fixed; do
    trains 1 "$grouped" "groups by /$by" "${groups[@]}" --set "data.split.by=/$by"
    expect_in "$out" "^split: 210 train, 30 validation, 60 test; 42, 6 and 12 values of /$by\$" "which stay whole"
done
trains 3 "$grouped" "groups by strings, 3 ranks" "${groups[@]}" --set data.split.by=/patient_text --set data.train_y=/chunked
run 1 train t.yaml --run fields --set data.split.by=/code --set data.split.test=0.34
trains 2 "$(last_value digest)" "groups by a field" --set 'data.split.by=/table[kind]' --set data.split.test=0.34
refused '/two has 2 texts a row' "two texts a row to group by" --set data.split.by=/two
refused '/y row 1048576 is the text beyond' "over a million groups" --set data.file=many.h5 --set data.train_y=/x \
    --set data.split.by=/y --set model.loss=mean_squared_error --set 'model.layers=[{dense: 1}]'

finish
