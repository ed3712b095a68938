#!/usr/bin/env bash
# Weights from elsewhere, and training on: what is frozen stays to the bit, what has a rate of its own learns at it, and a
# run that began so is the same on any number of ranks and through an interruption, like any other.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 200 64

cat >old.yaml <<'END'
data: {file: small.h5, mean: 72.94, std: 90.02}
model:
  layers: [{reshape: [28, 28, 1]}, {conv2d: {out: 4, kernel: 3, name: eyes}}, {batch_norm: {name: norm}}, {max_pool: 4}, flatten, {dense: {out: 16, activation: relu, name: body}}, {dense: {out: 10, name: head}}]
optimizer: {kind: adam, lr: 0.003}
train: {batch: 20, steps: 20, shards: 3}
END
run 1 train old.yaml
expect_code 0 "a model is trained"
sed 's/name: head/name: new/; s/steps: 20/steps: 30/' old.yaml >tuned.yaml
"$python" - <<'END'
text = open("tuned.yaml").read()
text = text.replace("model:\n", "model:\n  freeze: [eyes, norm]\n").replace("lr: 0.003}", "lr: 0.003, groups: [{params: body, lr: 0.0003}]}")
open("tuned.yaml", "w").write(text)
END

run 1 import weights runs/old --into tuned.yaml
expect_code 0 "a run begins with its weights"
expect_in "$out" '8 of 10 tensors of the model' "the report counts"
expect_in "$out" 'body/w +from body/w' "it says what is from where"
expect_in "$out" 'new/w +no array has its name' "what is not there, and why"
expect_in "$out" 'head/w +\[16, 10\]' "what is left over"
expect_last 'import run=runs/tuned step=0 shards=3 digest=[0-9a-f]{16}' "its last line"
cp -r runs/tuned start
run 1 train tuned.yaml
expect_code 0 "it is trained on"
digest=$(last_value digest)
for ranks in 2 3; do
    rm -rf again && cp -r start again
    run $ranks train tuned.yaml --run again
    if [[ $(last_value digest) == "$digest" ]]; then pass "the same on $ranks ranks"; else fail "$ranks ranks give another digest" && show "$out" "$err"; fi
done
rm -rf again && cp -r start again
run 2 train tuned.yaml --run again --set train.stop_after='7 steps'
expect_code 75 "stopped in the middle"
run 3 train tuned.yaml --run again
if [[ $(last_value digest) == "$digest" ]]; then pass "and gone on with"; else fail "another digest after an interruption"; fi

"$python" - <<'END' || fail "frozen tensors, groups"
import glob, h5py, numpy
def weights(run):
    with h5py.File(sorted(glob.glob(f"{run}/checkpoints/*.h5"))[-1]) as file:
        found = {}
        file["weights"].visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
        return found
old, start, tuned = map(weights, ("runs/old", "start", "runs/tuned"))
for name in start:
    layer = name.split("/")[0]
    if layer != "new": assert (start[name] == old[name]).all(), name
    if layer in ("eyes", "norm"): assert (tuned[name] == old[name]).all(), name
    else: assert (tuned[name] != start[name]).any(), name
# Adam moves a weight by about its rate a step: the two rates are told apart by how far weights went
far = {name: numpy.abs(tuned[name] - start[name]).max() for name in ("body/w", "new/w")}
assert far["body/w"] < 30 * 0.0003 * 1.5 < far["new/w"], far
END
pass "what is frozen stayed to the bit, and groups have their rate"

# ---- what is frozen costs nothing: no words on the wire, no moments, in memory and in checkpoints ----

sed 's/out: 16/out: 2000/; s/steps: 20/steps: 2, eval_every: never/' old.yaml >wide.yaml # body has 394 000 of its parameters
cost() { # MB of the last run's profile: what a step moves; what gradients, and moments, take in common
    sed -nE 's/^  a step moves ([0-9.]+) MB .*/\1/p; s/^  gradient +([0-9.]+) .*/\1/p; s/^  moments +([0-9.]+) .*/\1/p' "$out" |
        tr '\n' ' '
}
run 2 train wide.yaml --run wide --profile
expect_code 0 "a wide layer that is trained"
before=$(cost)
run 2 train wide.yaml --run wide-frozen --profile --set 'model.freeze=[body]'
expect_code 0 "and one that is frozen"
after=$(cost)
# 414 thousand words, of which rank 0 adds up half; gradients of 2 ranks, two moments. 20 thousand are not the layer's
if awk -v b="$before" -v a="$after" 'BEGIN {
    exit !(split(b, w) == 3 && split(a, f) == 3 && w[1] > 0.8 && w[1] < 0.9 && w[2] > 3.2 && w[3] > 3.2 &&
           f[1] > 0 && f[1] < 0.06 && f[2] < 0.3 && f[3] < 0.3)}'; then
    pass "MB that a step moves, that gradients and moments take: $before; with the layer frozen $after"
else
    fail "MB that a step moves, that gradients and moments take: $before; with the layer frozen $after"
fi

# With a rate of all but zero a layer stays as it is, too, but has moments: all else must be as if it were frozen.
sed 's/lr: 0.003}/lr: 0.003, groups: [{params: body, lr: 1.0e-30}]}/' old.yaml >still.yaml
run 2 train still.yaml --run whole
expect_code 0 "a run in which all is trained"
run 2 train still.yaml --run part --set train.stop_after='7 steps'
expect_code 75 "and the same one, stopped"
for ranks in 1 2 3; do
    cp -r part "part$ranks"
    run $ranks train still.yaml --run "part$ranks" --set 'model.freeze=[body]'
    expect_in "$out" 'body/w and 1 other are frozen now \(model.freeze\); moments it has of them are left out' \
        "a layer is frozen amid a run, on $ranks ranks"
    [[ $ranks == 1 ]] && wanted=$(last_value digest)
    expect_last "done .* digest=$wanted" "with one digest"
done
"$python" - whole part1 <<'END' || fail "what is not frozen"
import glob, h5py, numpy, sys
whole, part = (h5py.File(sorted(glob.glob(f"{run}/checkpoints/*.h5"))[-1]) for run in sys.argv[1:])
same = []
part.visititems(lambda name, item: same.append(numpy.abs(whole[name][...] - item[...]).max() <= (1e-20 if "body" in name else 0) and name) if name.startswith(("weights/", "optimizer/")) and isinstance(item, h5py.Dataset) else None)
assert all(same) and len(same) == 10 + 2 * 8, same
of = lambda file, body: numpy.delete(file["state/wire_exponents"][:].reshape(-1, 2), body, 0) # body/w and body/b are numbers 6 and 7
assert (of(whole, [6, 7]) == of(part, [])).all()
END
pass "to the last number, what is not frozen is as if nothing had been"
# An older dtrain kept moments of what a recipe freezes, too. A checkpoint of version 1 has nothing beside the digest, so it can
# be made here: that of the run in which all was trained, with the other's recipe.
"$python" - part part1 <<'END' || give_up "no checkpoint of an older dtrain"
import glob, h5py, sys
part, frozen = (sorted(glob.glob(f"{run}/checkpoints/*.h5"))[-1] for run in sys.argv[1:])
with h5py.File(part, "r+") as file, h5py.File(frozen) as other:
    for name in [name for name in file["state"] if file["state"][name].attrs["order"] >= file.attrs["datasets"]]: del file["state"][name]
    recipe = other["recipe"]
    assert b"freeze" in bytes(recipe[:])
    file.attrs["recipe"], file.attrs["recipe_hash"] = bytes(recipe[:]).decode(), recipe.attrs["hash"]
    del file["recipe"], file.attrs["beside"], file.attrs["seal"], file.attrs["origin"]
    file.attrs.modify("version", 1)
    assert "optimizer/m/body/w" in file and "optimizer/m/body" not in other and "optimizer/m/head/w" in other and "weights/body/w" in other
    assert len(file["state/wire_exponents"]) == len(other["state/wire_exponents"]) + 4
END
run 2 train still.yaml --run part --set 'model.freeze=[body]'
expect_in "$out" 'moments it has of them are left out' "an older checkpoint has moments of what is frozen"
expect_last "done .* digest=$wanted" "and is gone on with all the same"

rm -rf again && cp -r start again
run 2 train tuned.yaml --run again --set train.stop_after='7 steps'
for ranks in 1 3; do
    cp -r again "thawed$ranks"
    run $ranks train tuned.yaml --run "thawed$ranks" --set 'model.freeze=[eyes]'
    expect_in "$out" 'norm/running_mean and 3 others were frozen there \(model.freeze\); the optimizer begins anew with them' \
        "what is trained from now on begins with moments of zero, on $ranks ranks"
    [[ $ranks == 1 ]] && wanted=$(last_value digest)
    expect_last "done .* digest=$wanted" "with one digest"
done
for wire in i64 f32; do
    shards=3
    [[ $wire == f32 ]] && shards=2 # which are added up the same way on any number of ranks
    for ranks in 1 2; do
        run $ranks train old.yaml --run "$wire-$ranks" --set 'model.freeze=[eyes,head/b]' --set reduce.wire=$wire \
            --set train.shards=$shards --set reduce.node_ranks=1
        [[ $ranks == 1 ]] && wanted=$(last_value digest)
    done
    expect_last "done .* digest=$wanted" "the same on the $wire wire, between two nodes"
done

# ---- other programs' names and orders ----

cat >files.py <<'END'
import glob, json, struct, sys, h5py, numpy
def weights(run):
    with h5py.File(sorted(glob.glob(f"{run}/checkpoints/*.h5"))[-1]) as file:
        found = {}
        file["weights"].visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
        return found
def safetensors(path, arrays):
    header, at = {}, 0
    for name, a in arrays.items():
        header[name] = {"dtype": "F32", "shape": a.shape, "data_offsets": [at, at + a.nbytes]}
        at += a.nbytes
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for a in arrays.values(): file.write(numpy.ascontiguousarray(a).tobytes())
def turn(a): return {4: lambda: a.transpose(3, 2, 0, 1), 2: lambda: a.T}.get(a.ndim, lambda: a)()
old = weights("runs/old")
words = {"w": "weight", "b": "bias", "scale": "weight", "shift": "bias"}
torch = {name.split("/")[0] + "." + words.get(name.split("/")[1], name.split("/")[1]): turn(a) for name, a in old.items()}
safetensors("torch.safetensors", torch)
safetensors("renamed.safetensors", {"net.layer_" + name: a for name, a in torch.items()})
safetensors("nan.safetensors", {**torch, "body.bias": torch["body.bias"] * numpy.nan})
safetensors("other.safetensors", {"x": numpy.zeros(3, "f4")})
safetensors("odd.safetensors", {"body.weight": numpy.zeros((3, 2), "f4"), "body.bias": torch["body.bias"]})
keras = {"w": "kernel:0", "b": "bias:0", "scale": "gamma:0", "shift": "beta:0", "running_mean": "moving_mean:0", "running_var": "moving_variance:0"}
numpy.savez("torch.npz", **torch, note="what it is")
numpy.savez_compressed("ours.npz", layout="dtrain", **{name: numpy.asfortranarray(a.astype(">f8")) for name, a in old.items()})
with h5py.File("keras.h5", "w") as file:
    for name, a in old.items():
        layer, tensor = name.split("/")
        file[f"model_weights/{layer}/{layer}/{keras[tensor]}"] = a
    file["model_weights"].attrs["backend"] = "tensorflow"
END
"$python" files.py || give_up "the files cannot be made"
run 1 eval runs/old
loss=$(last_value loss)
for file in torch.safetensors torch.npz ours.npz keras.h5; do
    run 1 import weights $file --into old.yaml --run "from-$file"
    expect_in "$out" '10 of 10 tensors of the model, 100 %' "$file is taken whole"
    run 1 eval "from-$file"
    if [[ $(last_value loss) == "$loss" ]]; then pass "and gives the same loss"; else fail "another loss" && show "$out" "$err"; fi
done
# there and back: the same bits
run 1 export runs/old --to safetensors there.safetensors
run 1 import weights there.safetensors --into old.yaml --run back
run 1 export back --to safetensors back.safetensors
"$python" - <<'END' || fail "safetensors, there and back"
import json, struct
def arrays(path):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__")
    return {name: (a["dtype"], a["shape"], data[8 + size + a["data_offsets"][0]:8 + size + a["data_offsets"][1]]) for name, a in header.items()}
one, two = arrays("there.safetensors"), arrays("back.safetensors")
assert len(one) == 10 and one == two
END
pass "safetensors, there and back: the same bits"

run 1 import weights renamed.safetensors --into old.yaml --run renamed --map 'net.layer_*.weight=*/w' \
    --map 'net.layer_norm.bias=norm/shift' --map 'net.layer_*.bias=*/b' --map 'net.layer_norm.*=norm/*'
expect_in "$out" '9 of 10 tensors' "names are mapped by patterns"
expect_in "$out" 'norm/scale +no array has its name' "and what no pattern named is said"
run 1 import weights odd.safetensors --into old.yaml --run odd
expect_in "$out" 'body/w +body.weight is \[3, 2\]; it would have to be \[16, 196\]' "a shape that does not fit is named"
run 1 import weights torch.safetensors --into old.yaml --run only --only 'body'
expect_in "$out" '2 of 10 tensors' "only what is asked for"

run 1 import weights other.safetensors --into old.yaml --run none
expect_bad 1 "other.safetensors: none of its 1 arrays is a tensor of the model" "nothing that fits"
run 1 import weights nan.safetensors --into old.yaml --run nan
expect_bad 1 "nan.safetensors: body.bias has a number that is not finite, at element 0" "no number"
run 1 import weights old.yaml --into old.yaml --run text
expect_bad 1 "old.yaml: its weights cannot be read; they must be in" "no file of weights"
run 1 import weights torch.safetensors --into old.yaml
expect_bad 1 "runs/old holds [0-9]+ checkpoints?;" "a run that was begun before"
run 1 import weights torch.safetensors
expect_bad 2 "needs --into" "no recipe"
run 1 import weights torch.safetensors --into old.yaml --map x
expect_bad 2 '--map is "x"' "a map without ="
run 1 import weights torch.safetensors --into old.yaml --set train.shards=0 --run one
expect_bad 2 "train.shards is 0, and with one rank" "one shard by accident"
run 1 train old.yaml --run no --set model.freeze='[eye]'
expect_bad 1 'no tensor of the model fits "eye" of model.freeze' "a pattern that fits nothing"
run 1 train old.yaml --run no --set model.freeze=eyes
expect_bad 1 'model.freeze is "eyes"; it must be a list' "no list"
run 1 train old.yaml --run no --set 'optimizer.groups=[{params: eye, lr: 1}]'
expect_bad 1 'optimizer.groups.0: no tensor .* fits "eye"' "a group of nothing"
run 1 train old.yaml --run no --set 'optimizer.groups=[{params: eyes, rate: 1}]'
expect_bad 1 'optimizer.groups.0.rate is not a field' "an unknown field of a group"
sed 's/\[eyes, norm\]/[eyes]/' tuned.yaml >other.yaml
run 1 train other.yaml --run runs/tuned
expect_bad 1 'model.freeze.1 is missing but the checkpoint' "a run that goes on with other tensors frozen"

# ---- scales go with the weights that were made for them ----

for run in low high; do
    "$python" - $run <<'END'
import sys, h5py, numpy
rng = numpy.random.default_rng(1)
with h5py.File(f"{sys.argv[1]}.h5", "w") as file:
    for part in ("train", "test"):
        x = rng.normal(5, 2, (60, 3)) + (100 if sys.argv[1] == "high" else 0)
        file[f"{part}/x"], file[f"{part}/y"] = x, 1e6 * x[:, :2]
END
    cat >$run.yaml <<END
data: {file: $run.h5, normalize: standardise, target: {normalize: standardise}}
model: {loss: mean_squared_error, layers: [{dense: 8}, {dense: 2}]}
optimizer: {lr: 0.001}
train: {batch: 20, steps: 6, shards: 2}
END
done
run 1 train low.yaml
expect_code 0 "a model with scales of its data"
run 2 import weights runs/low --into high.yaml
expect_in "$out" 'numbers are scaled as the data of runs/low' "its scales go with its weights"
run 2 train high.yaml
expect_code 0 "and are trained on with"
"$python" - <<'END' || fail "scales"
import glob, h5py
low, high = (h5py.File(sorted(glob.glob(f"runs/{name}/checkpoints/*.h5"))[-1])["state"] for name in ("low", "high"))
for name in ("input_mean", "input_std", "target_mean", "target_std"): assert (low[name][:] == high[name][:]).all(), name
assert low["input_mean"][0] < 10
END
pass "to the last checkpoint"

# ---- GPT-2's names ----

run 1 import text "$source/LICENSE" text.h5 --tokens char
cat >gpt.yaml <<'END'
data: {file: text.h5, context: 16}
model: {layers: [{gpt: {layers: 2, heads: 2, width: 16, bias: yes}}]}
optimizer: {kind: adam, lr: 0.001}
train: {batch: 6, steps: 6, shards: 2}
END
run 1 train gpt.yaml
expect_code 0 "a small GPT is trained"
cat >>files.py <<'END'
gpt, theirs = weights("runs/gpt"), {}
for name, a in gpt.items():
    parts = name.split("/")
    if parts[0].startswith("block"):
        number, part = int(parts[0][5:].split("_")[0]) - 1, parts[0].split("_")[1]
        to = {"layer_norm1": {"attention": "ln_1", "mlp": "ln_2"}[part], "attention1": "attn", "dense1": "mlp.c_fc", "dense2": "mlp.c_proj"}[parts[1]]
        last = {"scale": "weight", "shift": "bias", "w": "weight", "b": "bias", "w_qkv": "c_attn.weight", "b_qkv": "c_attn.bias", "w_out": "c_proj.weight", "b_out": "c_proj.bias"}[parts[2]]
        theirs[f"h.{number}.{to}.{last}"] = a
    else:
        theirs[{"embedding1/w": "wte.weight", "embedding1/p": "wpe.weight", "layer_norm1/scale": "ln_f.weight", "layer_norm1/shift": "ln_f.bias"}[name]] = a
theirs["h.0.attn.bias"] = numpy.ones((1, 1, 16, 16), "f4")
safetensors("gpt2.safetensors", theirs)
END
"$python" files.py || give_up "the files cannot be made"
run 1 import weights gpt2.safetensors --into gpt.yaml --run gpt-again
expect_in "$out" '100 % of its weights' "GPT-2's published names need no map"
"$python" - <<'END' || fail "weights by GPT-2's names"
exec(open("files.py").read().split("old = ")[0])
a, b = weights("runs/gpt"), weights("gpt-again")
assert a.keys() == b.keys() and all((a[k] == b[k]).all() for k in a)
END
pass "and are the same weights"
finish
