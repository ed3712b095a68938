#!/usr/bin/env python3
"""What exported models compute, against what dtrain predict says of the same samples. All in one folder:

judge.py inputs NAME DATA.h5 RUN   NAME.in, the samples that NAME.predicted.h5 is the prediction of, or NAME.INPUT.in
judge.py check NAME…               onnx.checker on NAME.onnx
judge.py torch NAME…               NAME.torch.out, by NAME.pt/model.py
judge.py gpt2 NAME                 NAME.gpt2.out, by GPT-2 as its paper has it, from NAME.gpt2/model.safetensors
judge.py keras NAME…               NAME.keras.json and .bin, what NAME.keras.h5 says as TensorFlow.js takes it
judge.py keras3 NAME…              the same of NAME.keras
judge.py compare JUDGE NAME…       the largest difference as a share of the outputs' range; fails above 1e-5
judge.py same NAME RUN             NAME.safetensors and NAME.npz have the checkpoint's bits
"""
import glob
import importlib.util
import json
import struct
import sys

import numpy as np


def safetensors(path):
    blob = open(path, "rb").read()
    begin = 8 + struct.unpack_from("<Q", blob)[0]
    header = json.loads(blob[8:begin])
    texts = header.pop("__metadata__", {})
    types = {"F32": "<f4", "F64": "<f8", "I64": "<i8"}
    arrays = {}
    for name, about in header.items():
        first, last = about["data_offsets"]
        arrays[name] = np.frombuffer(blob[begin + first : begin + last], types[about["dtype"]]).reshape(about["shape"])
    return arrays, texts


def texts_of(name):
    return safetensors(name + ".safetensors")[1]


def inputs(name, data):
    import h5py

    with h5py.File(name + ".predicted.h5") as said, h5py.File(data) as file:
        shape = json.loads(texts_of(name)["input_shape"])
        if "inputs" in texts_of(name):
            for part in json.loads(texts_of(name)["inputs"]):  # datasets of the file begin with its name
                columns = [file["test/" + key][:] for key in sorted(file["test"]) if key.startswith(part["name"])]
                x = np.concatenate([c.reshape(len(c), -1) for c in columns], 1)
                x.astype(type_of(part)).tofile(f"{name}.{part['name']}.in")
            return
        if "token" in said:
            tokens = file["test/tokens"][:]
            x = np.stack([tokens[at : at + shape[0]] for at in said["token"][:]])
        else:
            x = (file["test/x"] if "test/x" in file else file["test/tokens"])[:]
        x = x.astype("f8" if name.startswith("far") else "f4")  # what the model takes
        x.reshape([-1] + shape).tofile(name + ".in")


def type_of(part):
    return "f8" if part["name"].startswith("far") else "f4"  # what the model takes


def named_inputs_of(name):
    parts = json.loads(texts_of(name)["inputs"])
    return [np.fromfile(f"{name}.{p['name']}.in", type_of(p)).reshape([-1] + p["shape"]) for p in parts]


def input_of(name):
    texts = texts_of(name)
    shape = json.loads(texts["input_shape"])
    wide = name.startswith("far")
    x = np.fromfile(name + ".in", "f8" if wide else "f4").reshape([-1] + shape)
    return x.astype("i8") if texts["input"] == "token ids" else x


def check(name):
    import onnx

    model = onnx.load(name + ".onnx")
    onnx.checker.check_model(model, full_check=True)
    if model.opset_import[0].version != 17 or model.graph.input[0].type.tensor_type.shape.dim[0].dim_param != "batch":
        sys.exit(f"{name}.onnx: another opset, or a fixed batch")


def by_torch(name):
    import torch

    spec = importlib.util.spec_from_file_location("model", name + ".pt/model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    net = module.load()
    named = "inputs" in texts_of(name)
    x = [torch.from_numpy(part) for part in (named_inputs_of(name) if named else [input_of(name)])]
    with torch.no_grad():
        torch.cat([net(*rows) for rows in zip(*(part.split(100) for part in x))]).numpy().tofile(name + ".torch.out")


def by_gpt2(name):
    """Radford et al. 2019, with Hugging Face's names; products are x w + b."""
    w, _ = safetensors(name + ".gpt2/model.safetensors")
    config = json.load(open(name + ".gpt2/config.json"))
    w = {key.removeprefix("transformer."): value.astype("f8") for key, value in w.items()}
    heads, ids = config["n_head"], input_of(name)

    def norm(x, at):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(-1, keepdims=True) + config["layer_norm_epsilon"])
        return x * w[at + ".weight"] + w[at + ".bias"]

    def product(x, at):
        return x @ w[at + ".weight"] + w[at + ".bias"]

    def softmax(x):
        x = np.exp(x - x.max(-1, keepdims=True))
        return x / x.sum(-1, keepdims=True)

    def attention(x, at):
        batch, positions, width = x.shape
        q, k, v = (
            part.reshape(batch, positions, heads, -1).transpose(0, 2, 1, 3)
            for part in np.split(product(x, at + ".c_attn"), 3, -1)
        )
        scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(width // heads)
        scores = np.where(np.tri(positions, dtype=bool), scores, -np.inf)
        return product((softmax(scores) @ v).transpose(0, 2, 1, 3).reshape(x.shape), at + ".c_proj")

    def mlp(x, at):
        x = product(x, at + ".c_fc")
        x = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
        return product(x, at + ".c_proj")

    x = w["wte.weight"][ids] + w["wpe.weight"][: ids.shape[1]]
    for i in range(config["n_layer"]):
        x = x + attention(norm(x, f"h.{i}.ln_1"), f"h.{i}.attn")
        x = x + mlp(norm(x, f"h.{i}.ln_2"), f"h.{i}.mlp")
    x = norm(x, "ln_f") @ w.get("lm_head.weight", w["wte.weight"]).T
    softmax(x).astype("f4").tofile(name + ".gpt2.out")


def keras(name):
    """As tensorflowjs_converter does: the configuration as it is, the weights in one piece by their names."""
    import h5py

    with h5py.File(name + ".keras.h5") as file, open(name + ".keras.bin", "wb") as blob:
        topology = {key: file.attrs[key] for key in ("keras_version", "backend")}
        topology = {key: value.decode() if isinstance(value, bytes) else value for key, value in topology.items()}
        topology["model_config"] = json.loads(file.attrs["model_config"])
        weights, group = [], file["model_weights"]
        if set(group.attrs["layer_names"]) != set(group):
            sys.exit(f"{name}.keras.h5: layer_names are not the layers")
        order = [layer["name"] for layer in layers_in_order(topology["model_config"]["config"]["layers"])]
        there = [layer.decode() if isinstance(layer, bytes) else layer for layer in group.attrs["layer_names"]]
        if there != order:  # by which Keras takes the weights
            sys.exit(f"{name}.keras.h5: layer_names are {there}, and Keras has {order}")
        for layer in group.attrs["layer_names"]:
            for weight in group[layer].attrs["weight_names"]:
                values = group[layer][weight][()]
                blob.write(values.astype("<f4").tobytes())
                weights.append({"name": weight.removesuffix(":0"), "shape": values.shape, "dtype": "float32"})
    json.dump({"topology": topology, "weights": weights}, open(name + ".keras.json", "w"))


def layers_in_order(layers):
    """As keras/src/ops/function.py sorts them: by steps to the output, then by a walk from there."""
    reads = {layer["name"]: [node[0] for node in (layer["inbound_nodes"] or [[]])[0]] for layer in layers}
    depth, visit = {name: 0 for name in reads}, {}

    def walk(name):
        if name not in visit:
            visit[name] = len(visit)
            for read in reads[name]:
                walk(read)

    walk(layers[-1]["name"])
    for name in reversed(reads):  # layers read what is before them
        for read in reads[name]:
            depth[read] = max(depth[read], depth[name] + 1)
    return sorted(layers, key=lambda layer: (-depth[layer["name"]], visit[layer["name"]]))


def keras3(name):
    """As keras/src/saving/saving_lib.py reads it: weights by class and number, in the order of the variables."""
    import io
    import re
    import zipfile

    import h5py

    variables = {"BatchNormalization": "gamma beta moving_mean moving_variance", "LayerNormalization": "gamma beta", "Embedding": "embeddings"}
    archive = zipfile.ZipFile(name + ".keras")
    if archive.testzip() or archive.namelist() != ["metadata.json", "config.json", "model.weights.h5"]:
        sys.exit(f"{name}.keras: holds {archive.namelist()}")
    model, known = json.loads(archive.read("config.json")), json.loads(archive.read("metadata.json"))
    if model["class_name"] != "Functional" or known["dtrain_digest"] != texts_of(name)["digest"]:
        sys.exit(f"{name}.keras: another model")
    file, weights, seen, used = h5py.File(io.BytesIO(archive.read("model.weights.h5"))), [], {}, set()
    with open(name + ".keras.bin", "wb") as blob:
        for layer in layers_in_order(model["config"]["layers"]):
            kind, config = layer["class_name"], layer["config"]
            snake = re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", kind)).lower()
            number = seen[kind] = seen.get(kind, -1) + 1
            group = f"layers/{snake}{f'_{number}' if number else ''}/{'cell/' if kind in ('LSTM', 'GRU', 'SimpleRNN') else ''}vars"
            for old, new in ("batch_input_shape", "batch_shape"), ("alpha", "negative_slope"):
                if new in config:
                    config[old] = config.pop(new)
            if group not in file:
                continue
            called = variables.get(kind, "kernel recurrent_kernel bias" if "cell" in group else "kernel bias").split()
            called = [c for c in called if not (c == "gamma" and not config["scale"] or c == "beta" and not config["center"])]
            called_there = file[group].attrs["name"]
            called_there = called_there.decode() if isinstance(called_there, bytes) else called_there
            if called_there != layer["name"] or not 0 < len(file[group]) <= len(called):
                sys.exit(f"{name}.keras: {group} is not {layer['name']}")
            for i in range(len(file[group])):
                values = file[f"{group}/{i}"][()]
                blob.write(values.astype("<f4").tobytes())
                weights.append({"name": f"{layer['name']}/{called[i]}", "shape": values.shape, "dtype": "float32"})
                used.add(f"{group}/{i}")
    there = []
    file.visititems(lambda at, item: there.append(at) if isinstance(item, h5py.Dataset) else None)
    if set(there) != used:
        sys.exit(f"{name}.keras: nothing reads {set(there) - used}")
    config = {"class_name": "Functional", "config": model["config"]}
    json.dump({"topology": {"keras_version": "2.15.0", "backend": "tensorflow", "model_config": config}, "weights": weights}, open(name + ".keras.json", "w"))


def compare(judge, names):
    import h5py

    bad = []
    for name in names:
        with h5py.File(name + ".predicted.h5") as file:
            ours = file["output"][:].astype("f8").ravel()
        theirs = np.fromfile(f"{name}.{judge}.out", "f4").astype("f8")
        if ours.size != theirs.size or ours.size == 0:
            sys.exit(f"{name}: {judge} gives {theirs.size} numbers and dtrain {ours.size}")
        share = abs(ours - theirs).max() / (ours.max() - ours.min())
        print(f"{name} {judge}: {ours.size} outputs, the largest difference is {share:.2g} of their range")
        if not share <= 1e-5:
            bad.append(name)
    if bad:
        sys.exit(f"{judge}: above 1e-5: {' '.join(bad)}")


def same(name, run):
    import h5py

    arrays, texts = safetensors(name + ".safetensors")
    archive = np.load(name + ".npz")
    with h5py.File(sorted(glob.glob(run + "/checkpoints/*.h5"))[-1]) as file:
        expected = {}
        file["weights"].visititems(lambda at, item: expected.update({at: item[()]} if isinstance(item, h5py.Dataset) else {}))
        if set(expected) != set(arrays) or not expected:
            sys.exit(f"{name}: {set(expected) ^ set(arrays)}")
        for at, value in expected.items():
            for kind, other in (("safetensors", arrays[at]), ("npz", archive[at])):
                if other.shape != value.shape or other.tobytes() != value.tobytes():
                    sys.exit(f"{name}.{kind}: {at} differs")
        digest = file.attrs["digest"]
        digest = digest.decode() if isinstance(digest, bytes) else str(digest)
        if texts["digest"] != digest or str(archive["digest"]) != digest:
            sys.exit(f"{name}: its digest is {texts['digest']}, not {digest}")


def main():
    what, *names = sys.argv[1:]
    if what == "inputs":
        inputs(*names)
    elif what == "same":
        same(*names)
    elif what == "compare":
        compare(names[0], names[1:])
    else:
        for name in names:
            {"check": check, "torch": by_torch, "gpt2": by_gpt2, "keras": keras, "keras3": keras3}[what](name)


main()
