#!/usr/bin/env bash
# Ranks that are not alike are named: at the start when program, instruction set, recipe or run directory differ, later
# when a bit of a replica does. Nothing of such a model reaches a checkpoint.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 200 64
flip=$build/tests/libflip.so
[[ -f $flip ]] || give_up "no $flip; build first"

# flipped RANKS VICTIM ARRAY AT STEP REGEX: a bit turned over on rank VICTIM AT steps on is noticed after STEP
flipped() {
    local ranks=$1 victim=$2 array=$3 at=$4 step=$5 regex=$6
    rm -rf run && cp -r start run
    export LD_PRELOAD=$flip DTRAIN_FLIP="$victim $array $at"
    run "$ranks" train "${options[@]}"
    unset LD_PRELOAD DTRAIN_FLIP
    expect_bad 1 "after step $step the model of $regex .*; the newest checkpoint is of step 10:" \
        "array $array of rank $victim of $ranks"
    [[ $(ls run/checkpoints) == step-000000010.h5 ]] || fail "it was published: $(ls run/checkpoints)"
}
options=(--run run --set data.file=small.h5 --set train.batch=20 --set train.shards=4 --set train.epochs=3
    --set reduce.path=flat --set train.check_every=7 --set checkpoint.every='1 epoch')
run 3 train "${options[@]}" --set train.stop_after="10 steps"
expect_code 75 "the first 10 steps"
mv run start

flipped 3 1 0 1 14 'rank 1 differs'
flipped 3 2 0 4 14 'rank 2 differs' # in the very step of the comparison
flipped 3 0 0 5 20 'rank 0 differs' # right after it: the checkpoint of the epoch comes before the next
flipped 4 3 1 1 14 'rank 3 differs'
flipped 3 1 2 1 14 'rank 1 differs'
flipped 2 1 0 1 14 'rank 1 differs' # of two, nobody knows which

# Ranks that share a replica hash it in turns: the weights are the first's turn, the first moments the second's.
flat=("${options[@]}")
options+=(--set reduce.path=auto --set reduce.node_ranks=2)
flipped 4 2 0 1 14 'rank 2, 3 differs'
flipped 4 2 1 1 14 'rank 2, 3 differs'
options=("${flat[@]}")

# A weight that becomes no number on one rank alone, where nothing compares replicas: that rank sees it, all learn of it.
not_a_number() { # not_a_number STEP REGEX OPTION…
    local step=$1 regex=$2
    shift 2
    rm -rf run && cp -r start run
    export LD_PRELOAD=$flip DTRAIN_FLIP="1 0 $step nan" DTRAIN_LIMIT=40
    run 3 train "${options[@]}" --set train.check_every=0 --set train.timeout=5 "$@"
    unset LD_PRELOAD DTRAIN_FLIP DTRAIN_LIMIT
    expect_bad 1 "$regex" "a weight of rank 1 is no number after step $step: $*"
}
not_a_number 4 'rank 1: step 14: the weights are no longer numbers' --set checkpoint.every='1 steps'
not_a_number 1 'no longer a number, .* skipping cannot help' --set train.not_finite=skip
rm -rf run && cp -r start run
LD_PRELOAD=$flip DTRAIN_FLIP="9 0 1" run 3 train "${options[@]}"
expect_code 0 "no bit turned over"

# unlike RANK PROGRAM OPTION…: what `run` runs, but on one rank another program or more options
real=$dtrain
unlike() {
    dtrain=$work/unlike
    cat >"$dtrain" <<SCRIPT
#!/usr/bin/env bash
((\${OMPI_COMM_WORLD_RANK:-\$PMI_RANK} == $1)) && exec "$2" "\$@" ${*:3}
exec "$real" "\$@"
SCRIPT
    chmod +x "$dtrain"
    run 3 train --run other --set data.file=small.h5 --set train.timeout=10
    dtrain=$real
}
cp "$real" rebuilt && echo >>rebuilt
unlike 1 "$work/rebuilt"
expect_bad 1 'rank 1 has another dtrain program than rank 0' "another program"
for option in optimizer.lr=0.002 seed=7 train.shards=1 train.epochs=6 data.test_x= "data.file=$data" reduce.path=flat \
    data.file=missing.h5; do
    unlike 2 "$real" --set "$option"
    expect_bad 1 'rank 2 has another recipe or run directory than rank 0' "another recipe: $option"
done
unlike 1 "$real" --run elsewhere
expect_bad 1 'rank 1 has another recipe or run directory than rank 0' "another run directory"
[[ ! -e other && ! -e elsewhere ]] || fail "a run directory was made"
unlike 1 "$real" --set train.batch=32
expect_code 0 "an option that changes nothing"
finish
