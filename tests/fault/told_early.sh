#!/usr/bin/env bash
# Told to stop where there is no step to finish: in the unpacking before the first, in an evaluation, in `eval`. It ends
# with 75 and a word, without going on to the end of what it was at; the same command starts again, to the same end.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 64 320
products=$build/tests/products.so shim=$build/tests/faultshim.so
[[ -f $products && -f $shim ]] || give_up "no $products or $shim; build first"
/usr/bin/python3 - "$data" <<'END' || give_up "no compressed data"
import h5py, sys
with h5py.File(sys.argv[1]) as whole, h5py.File("packed.h5", "w") as packed:
    for split, rows in (("train", 60000), ("test", 64)):
        packed.create_dataset(f"{split}/x", data=whole[f"{split}/x"][:rows], chunks=(64, 28, 28), compression=1)
        packed[f"{split}/y"] = whole[f"{split}/y"][:rows]
END

trial=(--set train.epochs=1 --set train.batch=32 --set train.shards=4
    --set 'model.layers=[flatten, dense: {out: 16, activation: relu}, dense: 10]')

# Each block of the spool takes ten seconds, so it is not at its end when the run is told.
DTRAIN_FAULT="rank=0 call=write path=dtrain-spool nth=1+ do=delay ms=10000 armed=1 " LD_PRELOAD=$shim \
    start 2 train --set data.file=packed.h5 "${trial[@]}" --set train.steps=2 --run packed
unpacks() {
    local pid
    for pid in $(pgrep -x dtrain); do
        [[ $(readlink "/proc/$pid/cwd") == "$work" ]] && readlink "/proc/$pid"/fd/* | grep -q dtrain-spool && return
    done
    return 1
}
until_true 30 unpacks || fail "it does not unpack"
kill -TERM "$job"
await
expect_bad 75 "stopped by a signal before there was anything to save" "told to stop in the unpacking"
[[ ! -e packed ]] || fail "it went on to the run directory"
run 2 train --set data.file=packed.h5 "${trial[@]}" --set train.steps=2 --run packed
expect_code 0 "the same command"

# The last evaluation: 80 products, ten seconds each.
DTRAIN_COUNT_PRODUCTS=$work/count LD_PRELOAD=$products run 1 train --set data.file=small.h5 "${trial[@]}" --run whole
wanted=$(last_value digest)
calls=$(sed -n 's/^dnnl_sgemm //p' count)
DTRAIN_SLOW_PRODUCT="dnnl_sgemm $((calls - 60)) 1000" LD_PRELOAD=$products \
    start 1 train --set data.file=small.h5 "${trial[@]}" --run evaluating
until_true 30 test -f evaluating/checkpoints/step-000000002.h5 || fail "no checkpoint"
kill -TERM "$job"
await
expect_code 75 "told to stop in an evaluation"
expect_last "stopped run=evaluating step=2 .*" "it says where"
run 3 train --set data.file=small.h5 "${trial[@]}" --run evaluating
expect_last "done run=evaluating step=2 .* digest=$wanted" "and the evaluation is made by who goes on"
run 1 eval whole
figures=$(tail -n 1 "$out")

rm count
DTRAIN_COUNT_PRODUCTS=$work/count DTRAIN_SLOW_PRODUCT="dnnl_sgemm 20 1000" LD_PRELOAD=$products start 2 eval whole
slow() { (($(sed -n 's/^dnnl_sgemm //p' count) >= 20)); }
until_true 30 slow || fail "eval does not begin"
kill -TERM "$job"
await
expect_bad 75 "stopped by a signal" "told to stop in eval"
run 2 eval whole
[[ $(tail -n 1 "$out") == "$figures" ]] || fail "eval has other figures"
finish
