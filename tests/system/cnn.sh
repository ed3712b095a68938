#!/usr/bin/env bash
# A convolutional network gives the same bits on any number of ranks, stopped or not: shards of 13, 13, 12 and 12 samples,
# so that the convolutions of some are filled up, and a last batch of an epoch that is smaller still.
. "$(dirname "$0")/../support/lib.sh"
need_data

"$python" - "$data" <<'END' || give_up "no small data set"
import sys, h5py

with h5py.File(sys.argv[1], "r") as whole, h5py.File("small.h5", "w") as small:
    for split, count in (("train", 428), ("test", 100)): # 8 batches of 50 and one of 28
        for name in "xy":
            small[f"{split}/{name}"] = whole[f"{split}/{name}"][:count]
END

recipe=$source/launch/recipes/fashion-cnn.yaml
options=(--set data.file=small.h5 --set train.batch=50 --set train.shards=4 --set train.epochs=2)

# digest_of RANKS OPTION…: of a finished run
digest_of() {
    local ranks=$1
    shift
    run "$ranks" train "$recipe" "${options[@]}" "$@"
    ((code == 0)) || { fail "training on $ranks ranks: exit code $code" && show "$out" "$err"; }
    last_value digest
}

want=$(digest_of 1 --run one)
loss=$(last_value test_loss)
[[ $want =~ ^[0-9a-f]{16}$ ]] || give_up "no digest on one rank"
for ranks in 2 3 4; do
    digest=$(digest_of "$ranks" --run "ranks-$ranks")
    if [[ $digest == "$want" ]]; then pass "$ranks ranks: $digest"; else fail "$ranks ranks: $digest, one rank: $want"; fi
    if [[ $(last_value test_loss) == "$loss" ]]; then pass "$ranks ranks: test_loss $loss"; else fail "test_loss: $(tail -n 1 "$out")"; fi
done

run 2 train "$recipe" "${options[@]}" --set train.stop_after=11 --run halves
expect_code 75 "stopped in the second epoch"
digest=$(digest_of 3 --run halves)
if [[ $digest == "$want" ]]; then pass "stopped on 2 ranks, finished on 3"; else fail "resumed: $digest, one rank: $want"; fi

digest=$(digest_of 2 --run pieces --set train.micro_batch=5)
other=$(digest_of 3 --run pieces-3 --set train.micro_batch=5)
if [[ $digest == "$other" ]]; then pass "in micro-batches: $digest"; else fail "micro-batches: $digest and $other"; fi

run 1 eval one
expect_last "eval loss=$loss accuracy=[0-9.]+ samples=100 digest=$want" "eval says what training said"
run 1 inspect one
expect_in "$out" '/weights/.*float32.*\[3, 3, 32, 64\]' "inspect shows a kernel of [height, width, in, out]"

run 1 train --help-recipe
expect_in "$out" '^ *conv2d\.padding .*same' "the help has the fields of convolutions"
expect_in "$out" '^global_avg_pool: ' "and of the last pool"
finish
