#!/usr/bin/env bash
# What cannot be written is said, and fails: standard output that is full, closed or too long, a trace with no place, a
# limit on the size of files, rows of metrics. A run goes on meanwhile, and loses nothing else. A data file that is cut
# short while it is used ends the run with its name.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 200 64

trial() { # trial RANKS RUN ARGUMENT…: 20 steps, recorded and evaluated
    local ranks=$1 run=$2
    shift 2
    run "$ranks" train --run "$run" --set data.file=small.h5 --set train.batch=20 --set train.shards=2 \
        --set train.epochs=2 --set train.log_every="1 steps" "$@"
}
trial 2 model
expect_code 0 "a run"
wanted=$(last_value digest)
printf 'to be or not to be, that is the question; whether it is nobler in the mind to suffer\n%.0s' {1..40} >text.txt
run 1 import text text.txt text.h5 --tokens char
cat >text.yaml <<END
data: {file: text.h5, context: 16}
model: {layers: [gpt: {layers: 1, heads: 2, width: 16}]}
train: {batch: 8, steps: 2}
END
run 1 train text.yaml --run writer
expect_code 0 "a model of text"

# ---- standard output ----------------------------------------------------------------------------------------------------

# full RANKS ARGUMENT…: on a device without room
full() {
    local ranks=$1
    shift
    out=/dev/full run "$ranks" "$@"
    out=$work/out
    expect_bad 1 "(standard output cannot be written|the text cannot be written): No space left on device" "full: $*"
}
for command in --help --version "train --help" "train --help-recipe" "inspect model" "verify model" "import text text.txt other.h5 --tokens byte" \
    "sample writer --tokens 5" "eval model"; do
    # shellcheck disable=SC2086
    full 1 $command
done
full 2 eval model
[[ -f other.h5 ]] || fail "import: no file"
full 1 train --run full1 --set data.file=small.h5 --set train.batch=20 --set train.epochs=2 --set train.shards=2
full 2 train --run full2 --set data.file=small.h5 --set train.batch=20 --set train.epochs=2
for run in full1 full2; do
    run 1 verify $run
    expect_in "$out" "step-000000020.h5: valid, digest $wanted" "$run: it went on to the end"
done

# A reader that goes away, for the program and for what starts its ranks.
for ranks in 1 2; do
    mkfifo "reader$ranks"
    head -n 1 <"reader$ranks" >/dev/null &
    out=reader$ranks trial "$ranks" "closed$ranks"
    out=$work/out
    wait $!
    expect_bad 1 "standard output cannot be written: Broken pipe" "closed ($ranks)"
    run 1 verify "closed$ranks"
    expect_in "$out" "step-000000020.h5: valid, digest $wanted" "it went on to the end"
done
mkfifo enough
head -c 20 <enough >/dev/null &
"$dtrain" sample writer --tokens 20000 >enough 2>"$err"
code=$?
expect_code 0 "sample: a reader that has enough is no failure"
[[ ! -s $err ]] || fail "sample says something: $(<"$err")"

# ---- files ----------------------------------------------------------------------------------------------------------------

for ranks in 1 2; do
    trial "$ranks" traced --trace missing/trace.json
    expect_bad 1 'missing/trace.json.*No such file' "a trace without a place ($ranks)"
    [[ ! -e traced ]] || fail "it has trained before it says so"
done
echo old >trace.json
trial 1 late --trace trace.json --set data.file=missing.h5
[[ $(<trace.json) == old && ! -e trace.json.tmp ]] || fail "a run that fails has touched the trace that was there"
trial 2 late --trace trace.json
expect_code 0 "a trace in place of another"
"$python" -c 'import json; json.load(open("trace.json"))' || fail "the trace is no JSON"

# limited KILOBYTES ARGUMENT…: no file may become longer. The launcher's own need some 8 MB.
limited() {
    local kilobytes=$1
    shift
    (ulimit -f "$kilobytes" && trial "$@" && exit "$code")
    code=$?
}
for ranks in 1 2; do
    limited 16384 "$ranks" "limited$ranks" --set 'model.layers=[flatten, dense: 2048, dense: 10]' --set reduce.path=flat
    expect_bad 1 "files may not become so large \\(ulimit -f\\)" "a checkpoint beyond the limit of files ($ranks)"
done

# Some 40 MB of rows: the run goes on without those that do not fit, and says so twice.
tiny=(--set 'model.layers=[flatten, dense: 10]' --set train.batch=1 --set train.shards=1 --set train.epochs=200 --set train.eval_every=never --set checkpoint.every=never)
trial 1 rows "${tiny[@]}"
expect_code 0 "40000 rows"
wanted=$(last_value digest)
limited 8192 1 fewer "${tiny[@]}"
expect_code 0 "rows beyond the limit of files"
[[ $(last_value digest) == "$wanted" ]] || fail "it does not end as it would"
expect_in "$err" 'warning: metrics.jsonl: File too large' "the first is said"
expect_in "$err" 'warning: [0-9]+ rows of metrics' "and how many there are"
(($(wc -l <"$err") <= 2)) || { fail "it goes on about it" && show "$err"; }

# ---- a data file that is cut short ------------------------------------------------------------------------------------------

for ranks in 1 3; do
    cp "$data" cut.h5
    start "$ranks" train --set data.file=cut.h5 --set train.epochs=500 --run "cut$ranks" --set train.log_every="20 steps" --set train.shards=3
    until_true 30 has_steps "cut$ranks" 20 || fail "it does not get going"
    : >cut.h5
    await
    expect_bad 1 'cut.h5: it became shorter' "the data file is overwritten ($ranks)"
done
finish
