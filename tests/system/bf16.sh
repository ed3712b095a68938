#!/usr/bin/env bash
# compute.precision bf16: the same bits on every instruction set, on any number of ranks and through interruptions and
# rollbacks, and in evaluation the precision of training.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 200 64

mlp='model.layers=[flatten, dense: {out: 64, activation: gelu}, dropout: 0.2, dense: 32, dense: 10]'
cnn='model.layers=[conv2d: {out: 16, kernel: 6, stride: 2, activation: relu}, conv2d: 16, flatten, dense: 10]'
# trial RANKS ARGUMENT…: 14 steps, of which the last in an epoch has 4 samples for 4 shards
trial() {
    local ranks=$1
    shift
    run "$ranks" train --set compute.precision=bf16 --set data.file=small.h5 --set train.epochs=2 --set train.shards=4 \
        --set train.batch=28 --set train.check_every=3 --set optimizer.weight_decay=0.01 "$@"
}
# What a run and an evaluation say of the test data.
test_figures() {
    local key prefix=test_
    [[ $(tail -n 1 "$out") != eval* ]] || prefix=''
    for key in "${prefix}loss" "${prefix}accuracy" digest; do printf '%s=%s ' "${key#test_}" "$(last_value "$key")"; done
}

# ---- on every instruction set --------------------------------------------------------------------------------------

# All of it is products of bf16, wide layers and a recurrent one, with and without the instruction for them.
wide='model.layers=[lstm: {units: 24, last: true}, dense: {out: 64, activation: gelu}, dense: 40, dense: 16]'
wanted=''
for isa in baseline avx2 avx512; do
    trial 2 --set "$wide" --set compute.isa=$isa --set train.epochs=1 --run wide
    if grep -q 'which this machine does not have' "$err"; then
        lacks "bf16 with $isa: this processor does not have it"
        continue
    fi
    [[ $wanted ]] || wanted=$(test_figures)
    [[ $code == 0 && $(test_figures) == "$wanted" ]] ||
        { fail "with $isa: $(test_figures), not $wanted" && show "$out" "$err"; }
    rm -rf wide
done

# ---- on any number of ranks ----------------------------------------------------------------------------------------

paths=(path=auto path=flat node_ranks=2)
for model in "$mlp" "$cnn"; do
    for cut in 0 3; do
        what="${model%%,*}…, micro-batches of $cut"
        before=$failures
        options=(--set "$model" --set "train.micro_batch=$cut")
        trial 2 "${options[@]}" --set compute.precision=float32 --run float32
        float32=$(last_value digest)
        [[ $float32 =~ ^[0-9a-f]{16}$ ]] || fail "$what: no digest of float32"
        wanted=''
        for ranks in 1 2 3 4; do
            paths=("${paths[@]:1}" "${paths[0]}")
            trial "$ranks" "${options[@]}" --set "reduce.${paths[0]}" --run whole
            [[ $code == 0 && ! -s $err ]] || { fail "$what on $ranks ranks: exit code $code" && show "$err"; }
            [[ $wanted ]] || wanted=$(test_figures)
            [[ $(test_figures) == "$wanted" ]] || fail "$what on $ranks ranks, ${paths[0]}: $(test_figures), not $wanted"
            run $((ranks % 3 + 1)) eval whole
            [[ $(test_figures) == "$wanted" ]] || fail "$what: eval gives $(test_figures), not $wanted"
            rm -rf whole
            (((ranks + cut) % 2 == 0)) || continue # two of the four are stopped, too, the others with the other cut
            trial "$ranks" "${options[@]}" --set "reduce.${paths[0]}" --run parts --set train.stop_after="3 steps"
            trial $((5 - ranks)) "${options[@]}" --run parts
            [[ $(test_figures) == "$wanted" ]] ||
                fail "$what, stopped on $ranks ranks, ${paths[0]}: $(test_figures), not $wanted"
            rm -rf parts
        done
        [[ $wanted && $wanted != *"$float32"* ]] || fail "$what: $wanted is the digest of float32"
        ((failures > before)) || pass "$what: $wanted"
        rm -rf float32
    done
done

# A rollback to the step before and one to the start, from where that step is made again, end in the same model.
"$python" - <<'PYTHON' || give_up "no data with a fault"
import h5py, numpy

with h5py.File("small.h5") as sound, h5py.File("nan.h5", "w") as bad:
    for part in ("train/x", "train/y", "test/x", "test/y"):
        bad[part] = sound[part][:].astype("f4" if part.endswith("x") else "u1")
    bad["train/x"][137, 5, 5] = numpy.nan
PYTHON
wanted=''
for every in "1 steps" never; do
    for path in flat auto; do
        trial 2 --set data.file=nan.h5 --set train.batch=20 --set train.epochs=1 --set train.not_finite=rollback \
            --set checkpoint.every="$every" --set reduce.path=$path --run rolled
        expect_in "$err" 'step 1: .* rolling back, to skip step 1' "a rollback (checkpoint.every=$every, $path)"
        [[ $wanted ]] || wanted=$(last_value digest)
        [[ $(last_value digest) == "$wanted" ]] || fail "it ends as $(last_value digest), not $wanted"
        rm -rf rolled
    done
done

# A checkpoint goes on in its own precision, or in another by name.
trial 2 --run copy --set train.stop_after="3 steps"
sed 's/precision: bf16/precision: float32/' copy/recipe.yaml >float32.yaml
run 1 train float32.yaml --run copy
expect_bad 1 'compute.precision is float32 but the checkpoint was trained with bf16; change it back, or name it' \
    "a checkpoint of bf16 with a recipe of float32"
run 1 train float32.yaml --run copy --set compute.precision=float32 --set train.stop_after=never
expect_code 0 "by name that goes on too"

trial 1 --run profiled --profile
expect_in "$out" '^profile of .* GF/s a core in bf16$' "the peak is that of bf16"
run 1 bench --set "data.file=$data" --steps 5
expect_in "$out" '^products +bf16 .* GF/s a rank' "the bench measures products of bf16"
finish
