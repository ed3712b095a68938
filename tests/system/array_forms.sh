#!/usr/bin/env bash
# Users' HDF5 as it is: whatever form the same numbers have, in one file or in several, they give the digest that they
# give stored plainly, on any number of ranks; and what cannot be read is one line that says why.
# tests/support/array_files.py makes the files.
. "$(dirname "$0")/../support/lib.sh"

"$python" "$source/tests/support/array_files.py" || give_up "no data files"
cat >recipe.yaml <<'YAML'
data: {file: base.h5, normalize: computed}
model: {layers: [flatten, {dense: {out: 8, activation: relu}}, {dense: 4}]}
optimizer: {lr: 0.01}
train: {epochs: 1, batch: 66, shards: 6}
YAML

# try RANKS ARGUMENT…: a run
try() {
    local ranks=$1
    shift
    rm -rf run
    run "$ranks" train recipe.yaml --run run "$@"
}
# same RANKS WHAT DIGEST ARGUMENT…
same() {
    local ranks=$1 what=$2 digest=$3
    shift 3
    try "$ranks" "$@"
    if [[ $code == 0 && $(last_value digest) == "$digest" ]]; then
        pass "$what has the digest of the same numbers"
    else
        fail "$what has not the digest of the same numbers" && show "$out" "$err"
    fi
}
# of FILE X Y: the same in $arguments, where names have blanks
of() {
    arguments=(--set "data.file=$1.h5" --set "data.train_x=\"/train$2\"" --set "data.test_x=\"/test$2\""
        --set "data.train_y=\"/train$3\"" --set "data.test_y=\"/test$3\"")
}
# refuse WHAT PATTERN ARGUMENT…
refuse() {
    local what=$1 pattern=$2
    shift 2
    try 1 "$@"
    expect_bad 1 "$pattern" "$what"
}

try 1
expect_last 'done .* digest=[0-9a-f]{16}' "the plain form"
base=$(last_value digest)
try 3
[[ $(last_value digest) == "$base" ]] || fail "the plain form on 3 ranks"

# fields and columns
of table "['a b', p.u, p.v, rest, b]" "[y]"
for ranks in 1 2 3; do same "$ranks" "a table of fields on $ranks ranks" "$base" "${arguments[@]}"; done
of table_gzip "['a b',p.u , p.v,rest,b]" "[y]"
same 2 "a packed table" "$base" "${arguments[@]}"
of columns "[5:10, 2:-7]" "[0]"
same 1 "columns" "$base" "${arguments[@]}"
same 3 "columns on 3 ranks" "$base" "${arguments[@]}"
of columns_gzip "[5:10, 2, 3, -8]" "[0:1]"
same 2 "packed columns of float32, big end first" "$base" "${arguments[@]}"
of brackets "/x[1]" "/y"
same 1 "a dataset with brackets in its own name" "$base" "${arguments[@]}"
try 1 --set data.file=grid.h5
grid=$(last_value digest)
of pairs "/x[l, r]" "/y"
same 1 "rows of compounds" "$grid" "${arguments[@]}"
same 1 "elements that are arrays" "$grid" --set data.file=array_type.h5

# formats
for file in bits_12 bits_24; do same 1 "$file" "$base" --set "data.file=$file.h5"; done
for form in u1 i1 u2 big_u2 u4 big_u4 u8 big_i8; do same 1 "labels of $form" "$base" --set "data.file=y_as_$form.h5"; done
try 1 --set 'data.train_y=/train[big]' --set data.test_y= --set data.test_x= --set data.file=table.h5 --set "data.train_x=/train[b]"
expect_code 0 "a truth of a compound is a label"

# several files
for ranks in 1 2 3; do
    same "$ranks" "a pattern of files on $ranks ranks" "$base" --set 'data.file=run-*.h5'
    same "$ranks" "numbered sites, two of them packed, on $ranks ranks" "$base" --set 'data.file=site-%r.h5'
done
same 1 "a list" "$base" --set 'data.file=[run-1.h5, "b, c.h5"]'
same 1 "a list of patterns" "$base" --set 'data.file=["run-[12].h5", run-10.h5]'
run 2 eval run --data 'site-%r.h5'
expect_last 'eval loss=.* accuracy=.*' "eval takes patterns, too"
try 1 --set 'data.file=run-*.h5' --set train.stop_after=5
run 2 train recipe.yaml --run run
expect_last "done .* digest=$base" "a run goes on with the same rows in one file"

# datasets side by side, and inputs that have names
for ranks in 1 3; do
    same "$ranks" "datasets side by side on $ranks ranks" "$base" --set data.file=sides.h5 \
        --set 'data.train_x=[/train/a, /train/flat, "/train/c[0]", "/train/c[1:]"]' --set 'data.test_x=[/test/a, /test/flat, /test/c]'
done
named=(--set data.file=sides.h5 --set 'data.train_x={first: /train/a, grid: /train/flat, last: ["/train/c[0]", "/train/c[1]"]}'
    --set 'data.test_x={first: [/test/a], grid: /test/flat, last: /test/c}')
branches='model.layers.0={concat: [[input: first], [input: grid], [input: last]]}'
for ranks in 1 2 3; do same "$ranks" "inputs in branches on $ranks ranks" "$base" "${named[@]}" --set "$branches"; done
run 2 eval run
expect_last 'eval loss=.* accuracy=.*' "eval knows the inputs"
said='import h5py, glob; print(h5py.File(glob.glob("run/checkpoints/*.h5")[0])["state/data"][()].tobytes().decode())'
"$python" -c "$said" >"$out"
expect_in "$out" '^input_grid float64 \[4\] 0*$' "the checkpoint tells names and shapes"
try 1 "${named[@]}" --set "$branches" --set train.stop_after=5
run 3 train recipe.yaml --run run "${named[@]}" --set "$branches"
expect_last "done .* digest=$base" "a resumed run has the same inputs"
grid=(--set data.file=sides.h5 --set 'data.train_x={first: /train/a, grid: /train/b}' --set 'data.test_x={first: /test/a, grid: /test/b}')
try 1 "${grid[@]}" --set 'model.layers.0={concat: [[input: first], [{input: grid}, {conv2d: {out: 2, kernel: 2}}, flatten]]}'
expect_last 'done .* digest=[0-9a-f]{16}' "pictures beside a list"
same 3 "pictures beside a list on 3 ranks" "$(last_value digest)" "${grid[@]}" \
    --set 'model.layers.0={concat: [[input: first], [{input: grid}, {conv2d: {out: 2, kernel: 2}}, flatten]]}'

# dimensions
pictures='model.layers=[{conv2d: {out: 3, kernel: 2}}, flatten, {dense: 4}]'
try 1 --set data.file=pictures.h5 --set "$pictures"
seen=$(last_value digest)
for file in channels_first channels_first_gzip; do
    same 2 "$file" "$seen" --set "data.file=$file.h5" --set "$pictures" --set data.channels=first_to_last
done
for file in matlab matlab_gzip; do
    same 1 "$file" "$seen" --set "data.file=$file.h5" --set "$pictures" --set data.reversed=true
done
same 3 "samples in the middle" "$seen" --set data.file=middle.h5 --set "$pictures" --set data.samples_axis=2
same 1 "samples in the middle, from the end" "$seen" --set data.file=middle.h5 --set "$pictures" --set data.samples_axis=-2

# netCDF
same 2 "packed numbers of netCDF" "$base" --set data.file=netcdf.h5

try 1 --set data.file=without_77.h5
same 2 "rows without the one that _FillValue says is missing" "$(last_value digest)" --set data.file=fill_value.h5 --set data.missing=drop

# what cannot be read
refuse "no selection" "table.h5: /train is compound, of the fields name, y, a b, p.u, p.v, rest, b, big: say which, as in /train.name.$" \
    --set data.file=table.h5 --set data.train_x=/train
refuse "a field that is not there" "table.h5: /train has no field .q.; it has name, y" --set data.file=table.h5 --set 'data.train_x=/train[q]'
refuse "a field of a field that is not there" "has no field .p.w.; it has" --set data.file=table.h5 --set 'data.train_x=/train[p.w]'
refuse "a compound field" "/train.p. is compound, of the fields p.u, p.v: say which, as in /train.p.u.$" --set data.file=table.h5 --set 'data.train_x=/train[p]'
refuse "text" "the field .name. of /train is text; it must be" --set data.file=table.h5 --set 'data.train_x=/train[name]'
refuse "a field of numbers" "/train is not compound, and has no field .T.$" --set data.file=columns.h5 --set 'data.train_x=/train[T]'
refuse "column 12 of 12" "/train: column 12 is not there; the last dimension of its rows has 12, 0 to 11" --set data.file=columns.h5 --set 'data.train_x=/train[12]'
refuse "columns 3 to 2" "columns 3:2 are not there" --set data.file=columns.h5 --set 'data.train_x=/train[3:2]'
refuse "column 99999999999999999999" "has no field .99999999999999999999." --set data.file=columns.h5 --set 'data.train_x=/train[99999999999999999999]'
refuse "columns of numbers" "/train/y has no columns to choose from" --set 'data.train_x=/train/y[0]'
refuse "an open bracket" "/train.1: a .]. is missing; behind the path come fields" --set data.file=columns.h5 --set 'data.train_x=/train[1'
refuse "empty brackets" "something is missing between the brackets" --set data.file=columns.h5 --set 'data.train_x="/train[]"'
refuse "a rest" "something comes after the .].;" --set data.file=columns.h5 --set 'data.train_x="/train[1]x"'
refuse "fields and columns" "fields and columns do not mix" --set data.file=table.h5 --set 'data.train_x="/train[b, 1]"'
refuse "a quote" "a quote is never closed" --set data.file=table.h5 --set "data.train_x=\"/train['b]\""
refuse "a pattern without a match" "no-\*.h5: no file matches this pattern" --set 'data.file=no-*.h5'
refuse "sites without the first" "lot-0.h5: no such file; lot-%r.h5 stands for the files 0, 1, 2" --set 'data.file=lot-%r.h5'
refuse "sites with a gap" "gap-1.h5: no such file; gap-%r.h5 stands for" --set 'data.file=gap-%r.h5'
refuse "a file twice" "run-1.h5: the list of files has it twice" --set 'data.file=[run-*.h5, run-1.h5]'
refuse "a list with a file that is not there" "none.h5: no such file" --set 'data.file=[base.h5, none.h5]'
refuse "an empty list" "the list has no file" --set 'data.file=[]'
refuse "a list in a list" "data.file is too long, or has more in it than texts" --set 'data.file=[[a.h5]]'
refuse "other shapes" "narrow.h5: /train/x has float32 rows of .7., but in base.h5 float32 rows of .8.; files of one data set must agree" \
    --set 'data.file=[base.h5, narrow.h5]'
refuse "other types" "other_type.h5: /train/x has float64 rows of .8., but in base.h5 float32" --set 'data.file=[base.h5, other_type.h5]'
refuse "other names" "named_apart.h5: /train/y has other names for its values than in named.h5" --set 'data.file=[named.h5, named_apart.h5]'
refuse "names and none" "named.h5: /train/y has other names for its values than in base.h5" --set 'data.file=[base.h5, named.h5]'
refuse "an axis too many" "/train/x has 2 dimensions, but the samples are to be along dimension 2" --set data.samples_axis=2
refuse "two ways to say it" "data.samples_axis is 1 but data.samples is last; say where samples are with one" --set data.samples_axis=1 --set data.samples=last
refuse "channels first" "the first layer is conv2d, which takes channels last, but data.channels is first; set data.channels: first_to_last" \
    --set data.file=channels_first.h5 --set "$pictures" --set data.channels=first
refuse "long doubles" "longdouble.h5: /train/x is a float wider than 64 bits" --set data.file=longdouble.h5
refuse "a factor that is text" "factor_text.h5: /train/x has the attribute scale_factor, .* not one finite number" --set data.file=factor_text.h5
refuse "two offsets" "factor_list.h5: /train/x has the attribute add_offset, .* not one finite number" --set data.file=factor_list.h5
refuse "_Unsigned" "unsigned.h5: /train/x has the attribute _Unsigned, " --set data.file=unsigned.h5
refuse "a fill value in packed numbers" "filled.h5: row [0-9]+ of /train/x is not finite" --set data.file=filled.h5
refuse "a fill value" "fill_value.h5: row 77.* of /train/x is not finite" --set data.file=fill_value.h5
refuse "elements of 2^28 numbers" "huge_array.h5: an element of /train/x has more than 4194304 numbers" --set data.file=huge_array.h5
refuse "compounds 40 deep" "deep.h5: /train/x is compound, of the fields" --set data.file=deep.h5
refuse "a field 40 deep" "deep.h5: /train/x has no field" --set data.file=deep.h5 --set "data.train_x='/train/x[d.d.d.d.d.d.d.d.d.d.d.d.d.d.d.d.d.d.d.d]'"
refuse "700 fields" "many_fields.h5: /train/x is compound, of the fields field0, field1, " --set data.file=many_fields.h5
refuse "texts" "/train/x is text; it must be integers or floats" --set data.file=odd.h5
refuse "rows of any length" "/vlen is variable-length" --set data.file=odd.h5 --set data.train_x=/vlen
refuse "complex numbers" "/complex is compound, of the fields r, i: say which, as in /complex.r." --set data.file=odd.h5 --set data.train_x=/complex
refuse "names with escape sequences" "/strange is compound, of the fields a.x1b.31m, s: say" --set data.file=odd.h5 --set data.train_x=/strange
refuse "no shape" "/nothing is empty: it has no values and no shape" --set data.file=odd.h5 --set data.train_x=/nothing
refuse "an input that is not there" "layer input1: the data has no input .gird.; it has first, grid, last" "${named[@]}" --set 'model.layers.0={input: gird}'
refuse "an input of no names" "the data has no named inputs; data.inputs: {grid: DATASET, ...} names them" --set 'model.layers.0={input: grid}'
refuse "an input in the middle" "it takes its part of the model's input, so it comes first" "${named[@]}" --set 'model.layers.1={input: first}' --set 'model.layers.0={dense: 5}'
refuse "other inputs of test data" "have other names or shapes than those of" "${named[@]}" --set 'data.test_x={first: [/test/a, /test/flat], last: /test/c}'
refuse "fewer rows beside" "/train/a has 600 rows but /train/short has 50; datasets side by side have as many" --set data.file=sides.h5 --set 'data.train_x=[/train/a, /train/short]'
refuse "pictures in a list" "rows of /train/b are no list of numbers, so it is an input of its own" --set data.file=sides.h5 --set 'data.train_x={all: [/train/a, /train/b]}'
refuse "a map that is not closed" "a .}. is missing" --set data.file=sides.h5 --set 'data.train_x="{a: /train/a"'
refuse "a name twice" "a name is there twice" --set data.file=sides.h5 --set 'data.train_x="{a: /train/a, a: /train/c}"'
refuse "a name with blanks" "a .:. is missing behind a name" --set data.file=sides.h5 --set 'data.train_x={"a b": /train/a}'
refuse "maps in maps" "data.train_x is too long, or has more in it than texts" --set data.file=sides.h5 --set 'data.train_x={a: {b: /train/a}}'
refuse "seven dimensions" "/seven has 7 dimensions; at most 6 are supported" --set data.file=odd.h5 --set data.train_x=/seven
finish
