#!/usr/bin/env bash
# A convolution, or a product of bf16, that finds no memory: the run ends with one line that names the rank, what it was
# and its shape, no weight is updated with what was not computed, and the run goes on from its checkpoint to the bits it
# would have had. Both of oneDNN's functions that multiply are made to fail at one call on one rank. Products of float32
# ask for no memory.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 200 56 # four pieces of seven on each of two ranks
products=$build/tests/products.so
[[ -f $products ]] || give_up "no $products; build first"

cnn='model.layers=[conv2d: {out: 16, kernel: 6, stride: 2, activation: relu}, flatten, dense: 10]'
# trial RANKS ARGUMENT…: 16 steps, a checkpoint every 5
trial() {
    local ranks=$1
    shift
    run "$ranks" train --set data.file=small.h5 --set train.epochs=2 --set train.shards=4 --set train.batch=25 \
        --set checkpoint.every='5 steps' --set checkpoint.keep=9 --run run "$@"
}
# failing PLAN COMMAND…: the command with the preload
failing() {
    local plan=$1
    shift
    LD_PRELOAD=$products DTRAIN_FAIL_PRODUCT=$plan "$@"
}
newest() { find run/checkpoints -name 'step-*.h5' 2>/dev/null | sort | tail -n 1; }

# one_case WHAT FUNCTION SHAPE ARGUMENT…: two ranks, one of which fails early, in the middle, or in the last evaluation
one_case() {
    local what=$1 function=$2 shape=$3 wanted calls case rank call
    shift 3
    rm -rf run count
    DTRAIN_COUNT_PRODUCTS=$work/count failing - trial 2 "$@"
    expect_code 0 "$what"
    wanted=$(last_value digest)
    calls=$(sed -n "s/^$function //p" count)
    ((calls > 60)) || { fail "$what: $function is called $calls times" && return; }
    for case in "0 20" "1 $((calls * 3 / 4))" "0 $calls" "1 $calls"; do
        read -r rank call <<<"$case"
        rm -rf run
        failing "$rank $function $call" trial 2 "$@"
        expect_bad 1 "rank $rank: the $shape was not computed: no memory left" "$what, rank $rank, call $call"
        if [[ $(newest) ]]; then
            run 1 verify "$(newest)"
            expect_code 0 "its newest checkpoint"
        fi
        trial 2 "$@"
        [[ $code == 0 && $(last_value digest) == "$wanted" ]] ||
            { fail "$what: it goes on to $(last_value digest), not $wanted" && show "$out" "$err"; }
    done
}
one_case "convolutions" dnnl_primitive_execute 'float32 convolution 6x6 of \[7, 28, 28, 1\] to 16 channels' --set "$cnn"
# ---- before the first step, and the other commands --------------------------------------------------------------------

convolution='float32 convolution 6x6 of .*'
rm -rf run
failing "1 dnnl_primitive_execute 1" trial 2 --set "$cnn"
expect_bad 1 "rank 1: the $convolution was not computed: no memory left" "before the first step"
[[ ! $(newest) ]] || fail "there is a checkpoint"
trial 2 --set "$cnn"
expect_code 0 "a model to evaluate"
failing "1 dnnl_primitive_execute 9" run 2 eval run
expect_bad 1 "rank 1: the $convolution was not computed: no memory left" "eval"
[[ ! -s $out ]] || fail "it gives figures"
finish
