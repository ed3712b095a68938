#!/usr/bin/env bash
# Bad input of every kind: one line that says what is wrong and where, the right exit code on any number of ranks, no
# hang, and nothing written.
. "$(dirname "$0")/../support/lib.sh"
need_data

recipe=$source/launch/recipes/fashion-mlp.yaml

# refused CODE REGEX WHAT ARGUMENT…: at 1, 3 and 8 ranks
refused() {
    local expected=$1 regex=$2 what=$3 ranks
    shift 3
    for ranks in 1 3 8; do
        run "$ranks" "$@"
        expect_bad "$expected" "$regex" "$what ($ranks)"
    done
}
# recipe_with SED-EXPRESSION: the default recipe, changed, in bad.yaml
recipe_with() { sed -E "s|data/fashion-mnist.h5|$data|; $1" "$recipe" >bad.yaml; }

refused 2 'tarin' "a command that does not exist" tarin
refused 2 '\-\-rnu' "an option that does not exist" train --rnu x
refused 2 '\-\-set' "--set without a value" train --set
refused 2 'epochs' "--set without =" train --set epochs
refused 2 'two recipes' "two recipes" train a.yaml b.yaml
refused 1 'missing.yaml' "no such recipe" train missing.yaml
refused 1 'optimizer.learning_rate.*optimizer' "--set of a field that does not exist" train --set optimizer.learning_rate=1

recipe_with 's/lr: .*/lr: -0.1/'
refused 1 'bad.yaml:[0-9]+: optimizer.lr is -0.1' "out of range" train bad.yaml
recipe_with 's/lr: .*/lr: quick/'
refused 1 'bad.yaml:[0-9]+: optimizer.lr' "not a number" train bad.yaml
recipe_with 's/epochs: .*/epochs: 1.5/'
refused 1 'bad.yaml:[0-9]+: train.epochs' "not an integer" train bad.yaml
recipe_with 's/kind: adam/kind: adan/'
refused 1 'bad.yaml:[0-9]+: optimizer.kind.*adam' "not a choice" train bad.yaml
recipe_with 's/batch:/bacth:/'
refused 1 'bad.yaml:[0-9]+: .*train.bacth.*batch' "an unknown key" train bad.yaml
recipe_with 's/- dense: 10/- dens: 10/'
refused 1 'bad.yaml:[0-9]+: .*dens' "an unknown layer" train bad.yaml
recipe_with 's/- dense: 10 .*/- dense: 7/'
refused 1 '7.*10|10.*7' "fewer outputs than classes" train bad.yaml
recipe_with 's/model:/model: [/'
refused 1 'bad.yaml:[0-9]+' "not YAML" train bad.yaml
head -c 3000 /dev/urandom >bad.yaml
refused 1 'bad.yaml' "noise for a recipe" train bad.yaml
refused 1 "${work##*/}" "a directory for a recipe" train "$work"

recipe_with "s|$data|missing.h5|"
refused 1 'missing.h5' "no such data" train bad.yaml
refused 1 'bad.yaml' "data that is not HDF5" train --set data.file=bad.yaml
refused 1 '/train/z' "no such dataset" train --set "data.file=$data" --set data.train_x=/train/z
refused 1 '/test/y' "labels that do not fit" train --set "data.file=$data" --set data.train_y=/test/y
head -c 20000000 "$data" >short.h5
refused 1 'short.h5' "data that is cut short" train --set data.file=short.h5
refused 1 '(shards|batch)' "more ranks than samples in a batch" train --set "data.file=$data" --set train.batch=0
refused 1 'nowhere' "a run directory that cannot be made" train --set "data.file=$data" --run /proc/nowhere
refused 1 'missing' "eval of nothing" eval missing
refused 1 'fashion-mnist.h5: a dtrain dataset, not a dtrain checkpoint' "eval of a file that is no checkpoint" eval "$data"
refused 2 'eval needs a checkpoint or a run directory' "eval without an argument" eval
[[ -z $(find . -path './runs/*' -type f) ]] || fail "something was written: $(find runs)"

# A pipe nobody writes to is refused at once wherever a file belongs: none of these waits for it.
mkfifo pipe
limit=20
echo text >text.txt
not_a_file() { # not_a_file ARGUMENT…
    run 1 "$@"
    expect_bad 1 'pipe.* is (not a regular file|a named pipe)' "a pipe in: $*"
}
for command in train eval inspect verify; do not_a_file $command pipe; done
not_a_file train --set data.file=pipe
not_a_file train --set "data.file=$data" --run piped --resume pipe
not_a_file import text pipe out.h5 --tokens byte
not_a_file import text text.txt out.h5 --tokens bpe --vocab-json pipe --merges text.txt
not_a_file import text text.txt out.h5 --tokens bpe --vocab-json text.txt --merges pipe
run 1 import text text.txt pipe --tokens byte
expect_bad 2 'pipe: is a named pipe; the destination is a file' "a pipe for a destination"
[[ -p pipe && ! -e out.h5 ]] || fail "the pipe was replaced"
run 1 train --set "data.file=$data" --run piped --set train.stop_after="5 steps"
for name in lock metrics.jsonl; do
    rm -f "piped/$name" && mkfifo "piped/$name"
    run 1 train --set "data.file=$data" --run piped --set train.stop_after="5 steps"
    expect_bad 1 "piped.*($name|named pipe)" "a pipe for a run's $name"
    rm "piped/$name"
done
rm -r piped text.txt pipe
limit=${DTRAIN_LIMIT:-60}

# Without ranks
for command in inspect verify; do
    run 1 $command missing.h5
    expect_bad 1 'missing.h5' "$command of nothing"
    run 1 $command bad.yaml
    expect_bad 1 'bad.yaml' "$command of noise"
    run 1 $command
    expect_code 2 "$command without an argument"
done

# IDX files: none of these may leave a destination behind, or touch the one that is there.
gunzip -c "$idx/t10k-images-idx3-ubyte.gz" >images
gunzip -c "$idx/t10k-labels-idx1-ubyte.gz" >labels
echo precious >kept.h5
not_imported() { # not_imported REGEX WHAT SOURCE…
    local regex=$1 what=$2
    shift 2
    run 1 import idx "$@" kept.h5
    expect_bad 1 "$regex" "import: $what"
    [[ $(cat kept.h5) == precious ]] || fail "import: $what: the destination was touched"
}
head -c 5000 images >short && not_imported 'short' "cut short" short labels
cat images labels >long && not_imported 'long' "too long" long labels
head -c 10 images >header && not_imported 'header' "half a header" header labels
: >empty && not_imported 'empty' "empty" empty labels
{ printf '\1' && tail -c +2 images; } >magic && not_imported 'magic' "a wrong magic number" magic labels
{ printf '\0\0\b\3\377\377\377\377' && tail -c +9 images; } >huge && not_imported 'huge' "absurd dimensions" huge labels
head -c 100000 "$idx/t10k-images-idx3-ubyte.gz" >cut.gz && not_imported 'cut.gz' "gzip cut short" cut.gz labels
not_imported 'labels' "images for labels" labels images
not_imported 'missing' "no such file" missing labels
not_imported "10000|60000" "counts that differ" images "$idx/train-labels-idx1-ubyte.gz"
run 1 import idx images labels /proc/nowhere/x.h5
expect_bad 1 'nowhere' "import to where nothing can be written"
run 1 import xdi images labels x.h5
expect_code 2 "import of an unknown kind"
run 1 import idx images
expect_code 2 "import without a destination"
finish
