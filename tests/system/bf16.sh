#!/usr/bin/env bash
# compute.precision bf16: the same bits on any number of ranks and through interruptions and rollbacks, in evaluation
# the precision of training, and float32 in its place where a machine of the job lacks it. On a machine without, the
# last is tested, and the test counts as skipped.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 200 64
no_bf16=$build/tests/no_bf16.so
[[ -f $no_bf16 ]] || give_up "no $no_bf16; build first"

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

# ---- where there is none -------------------------------------------------------------------------------------------

warning='compute.precision is bf16, which this machine.* does not multiply .*; going on in float32'
older=(--set compute.isa=avx2)
for ranks in 1 2; do
    trial "$ranks" "${older[@]}" --set compute.precision=float32 --run wanted
    wanted=$(test_figures)
    trial "$ranks" "${older[@]}" --set train.stop_after="3 steps" --run older
    expect_code 75 "bf16 with AVX2 alone, on $ranks ranks"
    expect_one_line "$warning" "it warns once"
    expect_in older/recipe.yaml '^ *precision: float32$' "the run is one of float32"
    trial "$ranks" "${older[@]}" --run older
    [[ $code == 0 && $(test_figures) == "$wanted" ]] ||
        { fail "it goes on as $(test_figures), not $wanted" && show "$out" "$err"; }
    rm -rf wanted older
done
if ! grep -qw avx512_bf16 /proc/cpuinfo; then
    trial 1 --run plain
    expect_one_line "$warning" "this machine has no bf16"
    skip "this processor has no AVX512-BF16"
fi

# ---- where there is ------------------------------------------------------------------------------------------------

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
trial 2 --run kept --set train.stop_after="3 steps"
cp -r kept copy
trial 2 --run kept --set compute.isa=avx2
expect_bad 1 'trained with compute.precision bf16, which this machine lacks; .* --set compute.precision=float32' \
    "a checkpoint of bf16 where there is none"
trial 2 --run kept --set compute.isa=avx2 --set compute.precision=float32
expect_code 0 "by name it goes on in float32"
sed 's/precision: bf16/precision: float32/' copy/recipe.yaml >float32.yaml
run 1 train float32.yaml --run copy
expect_bad 1 'compute.precision is float32 but the checkpoint was trained with bf16; change it back, or name it' \
    "a checkpoint of bf16 with a recipe of float32"
run 1 train float32.yaml --run copy --set compute.precision=float32 --set train.stop_after=never
expect_code 0 "by name that goes on too"

# One machine of the job without it: none of the ranks uses it.
real=$dtrain
dtrain=$work/unlike
cat >"$dtrain" <<SCRIPT
#!/usr/bin/env bash
((\${OMPI_COMM_WORLD_RANK:-\$PMI_RANK} == 2)) && export LD_PRELOAD=$no_bf16
exec "$real" "\$@"
SCRIPT
chmod +x "$dtrain"
trial 3 --run mixed
expect_one_line "$warning" "one rank of three lacks bf16"
dtrain=$real
wanted=$(test_figures)
trial 3 --set compute.precision=float32 --run float32
[[ $(test_figures) == "$wanted" ]] || fail "the ranks compute $wanted, not $(test_figures)"

trial 1 --run profiled --profile
expect_in "$out" '^profile of .* GF/s a core in bf16$' "the peak is that of bf16"
run 1 bench --set "data.file=$data" --steps 5
expect_in "$out" '^products +bf16 .* GF/s a rank' "the bench measures products of bf16"
finish
