#!/usr/bin/env bash
# What would keep the first checkpoint from being written keeps the run from beginning: one line says what, no step is
# made, and nothing is left behind.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 400 100

arguments=(--set data.file=small.h5 --set train.shards=2 --set train.epochs=1 --set train.log_every="1 steps" --run new)

# not_begun REGEX WHAT
not_begun() {
    expect_bad 1 "training does not begin, for no checkpoint could be written: .*$1" "$2"
    if grep -q '^epoch' "$out" || [[ -s new/metrics.jsonl ]]; then fail "$2: steps were made" && show "$out"; fi
    [[ -z $(ls new/checkpoints) ]] || fail "$2: left behind: $(ls new/checkpoints)"
    rm -rf new
}

# broken RANK CALL FAULT REGEX: the first such call of the rank below the directory of the checkpoints goes wrong
broken() {
    DTRAIN_FAULT="path=new/checkpoints armed=1 rank=$1 call=$2 do=$3 nth=1+" LD_PRELOAD=$build/tests/faultshim.so \
        run 2 train "${arguments[@]}"
    not_begun "$4" "$3 in $2 on rank $1"
}
broken 0 open EACCES 'Permission denied'
broken 0 write EIO ''
broken 0 sync EIO 'Input/output error'
broken 0 rename EACCES 'Permission denied'
broken 1 open EACCES 'rank 1: .*Permission denied|Permission denied'
broken 1 sync EIO 'Input/output error'

# A file may not become as large as a checkpoint of 12 MB; whoever starts processes may need some MB for files of its own.
run_limited() { (ulimit -f 10000 && run "$@" && exit "$code"); }
run_limited 1 train "${arguments[@]}" --set model.layers='[flatten, dense: 1300, dense: 10]'
code=$?
not_begun 'takes 12.* MB: files may not become so large \(ulimit -f\)' "a limit on the size of files"

run 2 train "${arguments[@]}"
expect_code 0 "with nothing in its way it begins"
[[ -z $(find new -name '*.tmp*') ]] || fail "left behind: $(find new -name '*.tmp*')"
finish
