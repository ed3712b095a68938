#!/usr/bin/env bash
# Files as other programs write them: the same numbers in another form give the same digest, and what targets mean is
# decided by the loss. tests/support/data_files.py makes them.
. "$(dirname "$0")/../support/lib.sh"

"$python" "$source/tests/support/data_files.py" || give_up "no data files"
cat >recipe.yaml <<'YAML'
data: {file: base.h5, normalize: computed}
model: {layers: [flatten, {dense: {out: 16, activation: relu}}, {dense: 4}]}
optimizer: {lr: 0.01}
train: {epochs: 5, batch: 32}
YAML
one_output='model.layers=[flatten, {dense: {out: 16, activation: relu}}, {dense: 1}]'
outputs() { echo "model.layers=[flatten, {dense: {out: 16, activation: relu}}, {dense: $1}]"; }

# try FILE ARGUMENT…: a run of its own, in run-FILE
try() {
    local file=$1
    shift
    rm -rf "run-$file"
    run 1 train recipe.yaml --run "run-$file" --set "data.file=$file.h5" "$@"
}
# learns FILE WHAT ARGUMENT…: it trains to an accuracy near 1
learns() {
    local file=$1 what=$2
    shift 2
    try "$file" "$@"
    expect_last 'done .* test_accuracy=(1\.0000|0\.9[5-9][0-9]*) .*' "$what"
}
# same FILE DIGEST ARGUMENT…: the digest of the same numbers in their plain form
same() {
    local file=$1 digest=$2
    shift 2
    try "$file" "$@"
    if [[ $(last_value digest) == "$digest" ]]; then
        pass "$file has the digest of the same numbers"
    else
        fail "$file has not the digest of the same numbers" && show "$out" "$err"
    fi
}
digest_of() {
    try "$@"
    last_value digest
}

learns base "the base set is learned"
base=$(last_value digest)
for file in x_{i1,i2,i4,i8,f2,f8,big_f4,big_f8,big_i2,big_i4,bfloat16} y_{i1,u2,i4,big_i8,u8,f2,f4,big_f8} \
    y_column y_float_column y_mixed y_names gzip scaleoffset; do
    same "$file" "$base"
done
try y_names
expect_in "$out" '^classes of /train/y: CAT, DOG, FOX, OWL$' "an enumeration's names are the classes'"
names='import h5py, sys; print(bytes(h5py.File(sys.argv[1])["state/class_names"]).decode().split("\0"))'
if [[ $("$python" -c "$names" run-y_names/checkpoints/*95.h5) == "['CAT', 'DOG', 'FOX', 'OWL', '']" ]]; then
    pass "the checkpoint has them"
else
    fail "the checkpoint has them" && show "$out"
fi
two=$(digest_of two)
same two_bool "$two"
same two_bits "$two"
same truth_bool "$(digest_of truth)"
shares=$(digest_of shares)
same shares_bool "$shares"
same shares_u1 "$shares"

# labels of any values: the same training, and the checkpoint knows them
for file in from_one names_apart; do
    learns "$file" "labels of other values are learned ($file)"
    expect_in "$out" '^4 classes, numbered in the order of their labels .labels of /train/y: ' "and told"
    loss=$(last_value test_loss)
    run 2 eval "run-$file"
    expect_last "eval loss=$loss accuracy=.*" "eval sees the same classes"
    digest=$(digest_of "$file" --set train.epochs=3)
    try "$file" --set train.epochs=3 --set train.stop_after=30
    expect_code 75 "stopped early"
    run 1 train recipe.yaml --run "run-$file" --set "data.file=$file.h5" --set train.epochs=3
    expect_last "done .* digest=$digest" "a resumed run has the same classes"
done
run 1 eval run-from_one --data base.h5
expect_bad 1 'base.h5: /test/y row [0-9]+ is 0, a class the model does not have .it has labels 1, 2, 3, 4' \
    "eval on labels that the model has no class for"
run 1 eval run-base --data one_class.h5
expect_last 'eval loss=[0-9.]+ accuracy=0\.[0-9]+ .*' "classes are the model's, not the data's"
learns plus_minus "-1 and 1 are two classes"
learns plus_minus "and so they are to one output" --set model.loss=binary_cross_entropy --set "$one_output"
learns one_two "1 and 2 likewise" --set model.loss=binary_cross_entropy --set "$one_output"
try stray
expect_bad 1 '4 values but the data has 5 classes .labels of /train/y: 0..3, 255; 255 is in row 77 alone' "a stray label"
try only_in_test
expect_bad 1 '/test/y row 5 is 9, a class the model does not have .it has labels 0 to 3' "a class of the test set alone"
try only_in_test --set "$(outputs 10)"
expect_code 0 "with an output for it the run goes on"
expect_in "$out" '^only_in_test.h5: /test/y row 5 is 9, a class that no row of /train/y has' "and says so"
try large
expect_bad 1 'large.h5: /train/y row 9 is 9223372036854775813; labels' "a label beyond 63 bits"

# the loss decides
squared=(--set model.loss=mean_squared_error --set "$one_output")
float=$(digest_of goal_float "${squared[@]}")
same goal_int "$float" "${squared[@]}"
for file in goal_int goal_positive; do
    try "$file" "${squared[@]}"
    expect_last 'done .* train_loss=[0-9.]+ test_loss=[0-9.]+ ended=epochs samples_per_s=.*' "$file: a regression has no accuracy"
done
learns base "squared error with an output for each class" --set model.loss=mean_squared_error
try half
expect_bad 1 'half.h5: /train/y row 0 is [0-3]\.5; softmax_cross_entropy takes .*mean_squared_error' "labels that are no classes"
try goal_float
expect_bad 1 'but the data has [0-9]+ classes .labels of /train/y: -.*' "numbers to predict with softmax"
try shares_255
expect_bad 1 '/train/y row 0, value [0-3], is 255; targets of softmax_cross_entropy' "one-hot 255"
try shares_255 --set model.loss=binary_cross_entropy
expect_bad 1 '/train/y row 0, value [0-3], is 255; targets of binary_cross_entropy' "probabilities of 255"
try shares_minus
expect_bad 1 '/train/y row 0, value [0-3], is -1; targets of softmax_cross_entropy' "one-hot -1 and 1"
try binary_255 --set model.loss=binary_cross_entropy --set "$one_output"
expect_bad 1 '/train/y row [0-9]+ is 255; targets of binary_cross_entropy are probabilities from 0 to 1' "binary 0 and 255"
try two_mixed --set model.loss=binary_cross_entropy
expect_bad 1 '/train/y holds uint8 class numbers but /test/y holds float32 numbers, 1 a sample' "which is which"

# samples in the last dimension, when told
try last
expect_bad 1 '/train/x has 8 rows but /train/y has 1; both have 600 in their last dimension: .* set data.samples: last' \
    "samples in the last dimension"
for file in last last_packed; do same "$file" "$base" --set data.samples=last; done
same pictures_last "$(digest_of pictures)" --set data.samples=last
run 2 eval run-pictures_last
expect_last 'eval loss=.* accuracy=.*' "eval on two ranks finds them there, too"
try one_row
expect_bad 1 '/train/x has 600 rows but /train/y has 1, of 600 values: store it as a column' "labels in one row"
try no_test
expect_bad 1 'there is no /test/x; it holds /train/x, /train/y .data.test_x: "" trains without test data' "no test data"
try no_test --set data.test_x=
expect_last 'done .* train_loss=[0-9.]+ ended=epochs samples_per_s=.*' "and without"

# numbers far from zero keep what tells them apart
for file in moved moved_int; do
    learns "$file" "numbers far from zero are learned ($file)"
    loss=$(last_value test_loss) digest=$(last_value digest)
    run 3 eval "run-$file"
    expect_last "eval loss=$loss accuracy=.*" "eval scales them alike"
    try "$file" --set train.stop_after=40
    run 2 train recipe.yaml --run "run-$file" --set "data.file=$file.h5" --set train.shards=1
    run 1 train recipe.yaml --run "run-$file" --set "data.file=$file.h5"
    expect_last "done .* digest=$digest" "and so does a resumed run"
done
for scale in computed given; do
    try nan --set "data.normalize=$scale"
    expect_bad 1 'row 137 of /train/x is not finite' "a row that is not finite ($scale)"
    try huge --set "data.normalize=$scale"
    expect_bad 1 'row 200 of /train/x has 1e\+300, which is finite in the file but beyond float32' "1e300 ($scale)"
done
finish
