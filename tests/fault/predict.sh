#!/usr/bin/env bash
# A file of predictions is there whole or not at all: killed, stopped or on a full disk at any write, what was there stays,
# nothing half-written has its name, and the next run clears away what is left.
. "$(dirname "$0")/../support/lib.sh"
shim=$build/tests/faultshim.so

"$python" "$source/tests/support/predict_data.py" .
cat >mlp.yaml <<'END'
data: {file: table.h5}
model: {layers: [dense: 3]}
train: {batch: 20, steps: 4, shards: 2, eval_every: 0}
END
run 1 train mlp.yaml --run mlp
expect_code 0 "a model"

for ranks in 1 2; do
    for call in open write truncate sync close rename; do
        echo "somebody's" >out.h5
        rm -f log
        DTRAIN_FAULT="path=out.h5 armed=1 do=ENOSPC call=$call rank=$((ranks - 1)) nth=1+" DTRAIN_FAULT_LOG=$work/log \
            LD_PRELOAD=$shim run "$ranks" predict mlp -o out.h5 --batch 9
        if ! grep -qs fault log; then # this rank makes no such call
            expect_code 0 "$ranks ranks, no $call that could fail"
            continue
        fi
        expect_bad 1 "out.h5.*" "$ranks ranks, $call fails"
        [[ $(cat out.h5) == "somebody's" ]] || fail "what was there is not there"
        [[ -z $(find . -name '*.tmp.*') ]] || { fail "left: $(ls)" && rm -f ./*.tmp.*; }
    done
done

echo "somebody's" >out.h5
for nth in 1 3 6; do
    DTRAIN_FAULT="path=out.h5 armed=1 do=kill call=write nth=$nth" LD_PRELOAD=$shim run 1 predict mlp -o out.h5 --batch 9
    ((code > 2)) || fail "it was not killed: exit code $code"
    [[ $(cat out.h5) == "somebody's" && -n $(find . -name 'out.h5.tmp.*') ]] || fail "killed at write $nth: $(ls)"
done

touch gate
for ranks in 1 2; do
    rm -f gate.reached
    DTRAIN_FAULT="path=out.h5 armed=1 do=gate call=write rank=0 nth=9 gate=$work/gate" LD_PRELOAD=$shim \
        start "$ranks" predict mlp -o out.h5 --batch 9
    until_true 30 test -e gate.reached || fail "it does not write"
    [[ $(find . -name 'out.h5.tmp.*' | wc -l) == 1 ]] || fail "the next run does not clear away what is left: $(ls)"
    kill -TERM "$job"
    await
    expect_bad 75 "stopped by a signal; nothing was written" "told to stop, on $ranks ranks"
    [[ $(cat out.h5) == "somebody's" && -z $(find . -name '*.tmp.*') ]] || fail "stopped: $(ls)"
done

run 2 predict mlp -o out.h5
expect_last "predict samples=200 .*" "and then it is written"
finish
