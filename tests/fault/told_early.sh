#!/usr/bin/env bash
# Told to stop where there is no step to finish: in the unpacking before the first, in an evaluation, in `eval`. It ends
# with 75 and a word, without going on to the end of what it was at; the same command starts again, to the same end.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 64 320
layers=$build/tests/layers.so shim=$build/tests/faultshim.so
[[ -f $layers && -f $shim ]] || give_up "no $layers or $shim; build first"
"$python" - "$data" <<'END' || give_up "no compressed data"
import h5py, sys
with h5py.File(sys.argv[1]) as whole, h5py.File("packed.h5", "w") as packed:
    for split, rows in (("train", 60000), ("test", 64)):
        packed.create_dataset(f"{split}/x", data=whole[f"{split}/x"][:rows], chunks=(64, 28, 28), compression=1)
        packed[f"{split}/y"] = whole[f"{split}/y"][:rows]
END

trial=(--set train.epochs=1 --set train.batch=32 --set train.shards=4
    --set 'model.layers=[flatten, dense: {out: 400, activation: relu}, dense: 10]')

# Held in the first block of the spool, and in the next, if it goes on to it.
touch gate
DTRAIN_FAULT="rank=0 call=write path=dtrain-spool nth=1+ do=gate gate=$work/gate armed=1" LD_PRELOAD=$shim \
    start 2 train --set data.file=packed.h5 "${trial[@]}" --set train.steps=2 --run packed
until_true 30 test -e gate.reached || fail "it does not unpack"
kill -TERM "$job"
await
expect_bad 75 "stopped by a signal before there was anything to save" "told to stop in the unpacking"
[[ ! -e packed ]] || fail "it went on to the run directory"
run 2 train --set data.file=packed.h5 "${trial[@]}" --set train.steps=2 --run packed
expect_code 0 "the same command"

# In the last evaluation, which has 80 layers.
DTRAIN_COUNT_LAYERS=$work/count LD_PRELOAD=$layers run 1 train --set data.file=small.h5 "${trial[@]}" --run whole
wanted=$(last_value digest)
calls=$(cat count)
rm gate.reached
DTRAIN_GATE_LAYER="0 $((calls - 60)) $work/gate" LD_PRELOAD=$layers \
    start 1 train --set data.file=small.h5 "${trial[@]}" --run evaluating
until_true 30 test -e gate.reached || fail "it does not evaluate"
[[ -f evaluating/checkpoints/step-000000002.h5 ]] || fail "no checkpoint"
kill -TERM "$job"
await
expect_code 75 "told to stop in an evaluation"
expect_last "stopped run=evaluating step=2 .*" "it says where"
run 3 train --set data.file=small.h5 "${trial[@]}" --run evaluating
expect_last "done run=evaluating step=2 .* digest=$wanted" "and the evaluation is made by who goes on"
run 1 eval whole
figures=$(tail -n 1 "$out")

rm gate.reached
DTRAIN_GATE_LAYER="1 20 $work/gate" LD_PRELOAD=$layers start 2 eval whole
until_true 30 test -e gate.reached || fail "eval does not begin"
kill -TERM "$job"
await
expect_bad 75 "stopped by a signal" "told to stop in eval"
run 2 eval whole
[[ $(tail -n 1 "$out") == "$figures" ]] || fail "eval has other figures"
finish
