#!/usr/bin/env bash
# The same bits on any number of ranks, and through an interruption in the middle of an epoch, for every optimizer and
# whatever else takes part in a step. The cases cover all pairs of settings. --long: an epoch of a full-size run.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 200 64

counts=(2 3 4 5 7 8)
paths=(path=auto path=flat node_ranks=2 node_ranks=3) # who shares a replica: in turn, for that must not matter either
shards=8
declare -A optimizers=(
    [momentum]='{kind: sgd, lr: 0.05, momentum: 0.9}'
    [nesterov]='{kind: sgd, lr: 0.05, momentum: 0.9, nesterov: true}'
    [adam]='{kind: adam, l2: 0.001}'
    [adamw]='{kind: adamw, weight_decay: 0.01}'
    [rmsprop]='{kind: rmsprop, momentum: 0.5}'
    [adagrad]='{kind: adagrad, lr: 0.01}'
    [lamb]='{kind: lamb, lr: 0.01, weight_decay: 0.01}'
)
declare -A clips=([none]='' [norm]='clip_norm: 0.5' [value]='clip_value: 0.002')

# Of 200 samples: batches of 40 and 48 make 8 equal shards, 50 and 33 do not; 40 and 50 leave no rest, 48 leaves 8
# samples, and 33 leaves 2, so that most shards are empty. Micro-batches of 3 cut every shard in pieces.
cases='
    # optimizer clip dropout batch micro_batch wire
    momentum  none   0.3     48    0           i64
    momentum  norm   0       50    0           i32
    momentum  value  0.3     48    3           i64
    nesterov  none   0.3     50    3           i32
    nesterov  norm   0       40    0           i64
    nesterov  value  0.3     48    3           i32
    adam      none   0.3     40    0           i64
    adam      norm   0.3     40    3           i32
    adam      value  0       33    3           i64
    adamw     none   0       48    3           i32
    adamw     norm   0.3     50    0           i64
    adamw     value  0.3     33    0           i64
    rmsprop   none   0       33    3           i64
    rmsprop   norm   0.3     50    3           i64
    rmsprop   value  0       40    0           i32
    adagrad   none   0       40    0           i64
    adagrad   norm   0.3     33    0           i32
    adagrad   value  0.3     48    3           i32
    lamb      none   0.3     33    3           i32
    lamb      norm   0       40    0           i64
    lamb      value  0.3     50    3           i64
'
cases=$(sed '/#/d; /^ *$/d' <<<"$cases")

python3 - "$cases" <<'PYTHON' || fail "the cases do not cover all pairs"
import itertools, sys

rest = {"40": ("equal", "whole"), "48": ("equal", "rest"), "50": ("unequal", "whole"), "33": ("unequal", "rest")}
rows = [row.split() for row in sys.argv[1].splitlines()]
columns = list(zip(*[row[:3] + row[4:] + list(rest[row[3]]) for row in rows]))
for a, b in itertools.combinations(columns, 2):
    assert set(zip(a, b)) == set(itertools.product(a, b)), set(itertools.product(a, b)) - set(zip(a, b))
PYTHON

# Ranks before and after an interruption, in turn.
resumes=('3 5' '7 2' '1 8' '4 3')
all=() # what the cases end with

# same_on_all WHAT STOP ARGUMENT…: one result on one rank and on three other numbers, which take turns, and when interrupted
# after STOP steps
same_on_all() {
    local what=$1 stop=$2 ranks before after wanted='' differ=''
    shift 2
    rm -rf bits-*
    for ranks in 1 "${counts[@]:0:3}"; do
        paths=("${paths[@]:1}" "${paths[0]}")
        run "$ranks" train "$@" --run "bits-$ranks" --set "reduce.${paths[0]}"
        ((code == 0)) || { fail "$what on $ranks ranks: exit code $code" && show "$out" "$err"; }
        [[ $wanted ]] || wanted=$(figures)
        [[ $(figures) == "$wanted" ]] || differ+=" $ranks ranks, ${paths[0]}: $(figures)"
    done
    counts=("${counts[@]:1}" "${counts[0]}")
    paths=("${paths[@]:1}" "${paths[0]}") # four runs, four paths: or a run would always have the same
    read -r before after <<<"${resumes[0]}"
    resumes=("${resumes[@]:1}" "${resumes[0]}")
    run "$before" train "$@" --run bits-stopped --set "reduce.${paths[0]}" --set train.stop_after="$stop steps"
    [[ $code == 75 && $(last_value step) == "$stop" ]] ||
        { fail "$what: stopped: exit code $code" && show "$out" "$err"; }
    run "$after" train "$@" --run bits-stopped
    [[ $(figures) == "$wanted" ]] || differ+=" stopped on $before ranks, resumed on $after: $(figures)"
    all+=("$wanted")
    if [[ $wanted && ! $differ ]]; then pass "$what: $wanted"; else fail "$what: $wanted, but$differ"; fi
}

if [[ ${1-} == --long ]]; then
    same_on_all "an epoch of mnist-mlp.yaml" 700 "$source/launch/recipes/mnist-mlp.yaml" --set "data.file=$data" \
        --set "train.shards=$shards" --set train.epochs=1 --set data.mean=72.94 --set data.std=90.02
    finish
fi

while read -r optimizer clip dropout batch micro_batch wire; do
    same_on_all "$optimizer, clip $clip, dropout $dropout, batch $batch, micro-batch $micro_batch, $wire" 2 \
        --set data.file=small.h5 --set train.epochs=2 --set train.check_every=3 --set "train.shards=$shards" \
        --set "model.layers=[flatten, dense: {out: 64, activation: relu}, dropout: $dropout, dense: 10]" \
        --set "optimizer=${optimizers[$optimizer]/\}/${clips[$clip]:+, ${clips[$clip]}}\}}" \
        --set "train.batch=$batch" --set "train.micro_batch=$micro_batch" --set "reduce.wire=$wire"
done <<<"$cases"

# No two of them are the same, as they would be if a setting were not heard.
if [[ $(printf '%s\n' "${all[@]}" | sort -u | wc -l) == $(wc -l <<<"$cases") ]]; then
    pass "each case has an end of its own"
else
    fail "cases with the same end: $(printf '%s\n' "${all[@]}" | sort | uniq -d)"
fi

run $((shards + 1)) train --set data.file=small.h5 --set "train.shards=$shards" --run too-many
expect_bad 1 '9 ranks cannot share 8 shards: start at most 8 ranks' "more ranks than shards"
finish
