#!/usr/bin/env bash
# State that is carried along the streams of a text: the same bits on any number of ranks and teams and through any
# stop, the state that a reference in Python has, and of consequence.
. "$(dirname "$0")/../support/lib.sh"
licence=/usr/share/common-licenses/GPL-3
[[ -s $licence ]] || give_up "no $licence (Debian's base-files)"
run 1 import text "$licence" char.h5 --tokens char
expect_code 0 "characters"
tokens=$("$python" -c "import h5py; print(h5py.File('char.h5')['vocab/offsets'].size - 1)")
cat >stream.yaml <<END
data: {file: char.h5, context: 8, windows: stream}
model:
  layers: [lstm: {units: 10, layers: 2, dropout: 0.1}, gru: 9, simple_rnn: 7, dense: $tokens]
optimizer: {lr: 0.003, clip_norm: 1}
train: {batch: 22, steps: 250, shards: 4, micro_batch: 4, check_every: 7, log_every: 50, eval_every: 100}
END

wanted=''
same() { if [[ $(figures) == "$wanted" ]]; then pass "$1"; else fail "$1: $(figures), not $wanted"; fi; }
for ranks in 1 2 3 4; do
    run "$ranks" train stream.yaml --run "run-$ranks"
    expect_code 0 "on $ranks ranks"
    [[ $wanted ]] || wanted=$(figures)
    same "the same figures on $ranks ranks"
done
for ranks in 2 3 4; do
    run "$ranks" train stream.yaml --run "teams-$ranks" --set reduce.node_ranks=1
    expect_code 0 "on $ranks ranks, each a team"
    same "the same figures on $ranks teams"
done

# 250 steps are an epoch and some: stops before and behind its end, in the middle, of one team and of several.
at=0
for leg in 3:70:1 2:1:0 4:90:1 1:20:0 3:40:0; do
    IFS=: read -r ranks steps team <<<"$leg"
    run "$ranks" train stream.yaml --run stopped --set "train.stop_after=$steps steps" --set "reduce.node_ranks=$team"
    at=$((at + steps))
    expect_last "stopped .* step=$at .*" "stopped at $at on $ranks ranks"
done
run 2 train stream.yaml --run stopped --set reduce.node_ranks=1
same "and at the end the same figures"
run 2 eval run-1
test=$(sed -E 's/.* test_loss=([^ ]+) .*/\1/' <<<" $wanted")
expect_last "eval loss=$test .*" "eval has the loss of the run"

run 2 train stream.yaml --run apart --set model.layers.0.lstm.carry=false
expect_code 0 "without the first layer's carry"
if [[ $(figures) != "$wanted" ]]; then pass "other figures"; else fail "carry makes no difference"; fi

# Against Python: the loss of a test along its streams, and the state left behind by steps that change no weight, of
# which the last two are of the second epoch.
cat >reference.yaml <<END
data: {file: short.h5, context: 8, windows: stream}
model:
  layers: [lstm: {units: 10, layers: 2}, dense: $tokens]
optimizer: {kind: sgd, lr: 1e-30}
train: {batch: 6, steps: 5, shards: 3, micro_batch: 1, eval_every: 0}
END
"$python" - <<'END'
import h5py

with h5py.File("char.h5") as whole, h5py.File("short.h5", "w") as short:
    whole.copy("vocab", short)
    for part, count in ("train", 6 * (3 * 8 + 5) + 1), ("test", 6 * 20 + 3):
        short[part + "/tokens"] = whole[part + "/tokens"][:count]
END
# python_has RUN STEP WHAT WINDOW…: its last checkpoint has the state after these windows, and the last line the loss
python_has() {
    if "$python" reference.py "$(last_value test_loss)" "$1/checkpoints/step-00000000$2.h5" "${@:4}" 2>"$err"; then
        pass "$3: Python's state and loss"
    else
        fail "$3: Python has another" && show "$err"
    fi
}
cat >reference.py <<'END'
import sys
import h5py, numpy

data = h5py.File("short.h5")
with h5py.File(sys.argv[2]) as file:
    w = {name: value[:].astype(float) for name, value in file["weights/lstm1"].items()}
    dense = [file["weights/dense1/" + name][:].astype(float) for name in "wb"]
    carried = file["state/carried"][:].reshape(6, 2, 2, 10)
sigmoid = lambda x: 1 / (1 + numpy.exp(-x))


def window(ids, state):  # ids [streams, places]; state [h or c][layer][streams, units]
    outputs = []
    for t in range(ids.shape[1]):
        x = numpy.eye(len(w["w_in1"]))[ids[:, t]]
        for l in (0, 1):
            z = x @ w[f"w_in{l + 1}"] + state[0][l] @ w[f"w_state{l + 1}"] + w[f"b{l + 1}"]
            i, f, g, o = numpy.split(z, 4, axis=1)
            state[1][l] = sigmoid(f) * state[1][l] + sigmoid(i) * numpy.tanh(g)
            x = state[0][l] = sigmoid(o) * numpy.tanh(state[1][l])
        outputs.append(x @ dense[0] + dense[1])
    return outputs


zeros = lambda: [[numpy.zeros((6, 10)) for _ in (0, 1)] for _ in (0, 1)]
train, state = data["train/tokens"][:].astype(int), zeros()
length = (len(train) - 1) // 6
assert length // 8 == 3
for at in (8 * int(argument) for argument in sys.argv[3:]):
    window(numpy.stack([train[s * length + at : s * length + at + 8] for s in range(6)]), state)
found = carried.transpose(1, 2, 0, 3)
assert abs(found).max() > 0.1 and abs(found - numpy.array(state)).max() < 1e-5, abs(found - numpy.array(state)).max()

test, state = data["test/tokens"][:].astype(int), zeros()
count = len(test) - 1
first = [count // 6 * s + min(s, count % 6) for s in range(7)]
span = max(b - a for a, b in zip(first, first[1:]))
ids = numpy.stack([test[a : a + span] for a in first[:6]])
total = 0.0
for t, output in enumerate(window(ids, state)):
    lse = numpy.log(numpy.exp(output).sum(axis=1))
    total += sum(lse[s] - output[s, test[first[s] + t + 1]] for s in range(6) if first[s] + t < first[s + 1])
assert abs(total / count - float(sys.argv[1])) < 1e-5, (total / count, sys.argv[1])
END
run 3 train reference.yaml --run reference --set reduce.node_ranks=1
expect_code 0 "steps that change nothing"
python_has reference 5 "steps that change nothing" 0 1

# A step that is passed over leaves the state as it was: at an epoch's start zeros. Its update is the bad one, the next
# step sees that, and has a rate of 0.
for bad in 1 3; do
    over=(--run "over-$bad" --set "train.steps=$((bad + 2))" --set train.not_finite=rollback --set optimizer.weight_decay=1000)
    over+=(--set schedule.kind=linear --set schedule.final=0)
    run 3 train reference.yaml "${over[@]}" --set "train.stop_after=$bad steps"
    expect_code 75 "stopped before step $bad"
    run 3 train reference.yaml "${over[@]}" --set reduce.node_ranks=1 --set optimizer.lr=3e38
    expect_code 0 "step $bad is passed over"
    expect_last "done .* skipped=1 .*" "and no other"
    if ((bad == 1)); then windows=(0 2); else windows=(1); fi
    python_has "over-$bad" $((bad + 2)) "after step $bad was passed over" "${windows[@]}"
done
finish
