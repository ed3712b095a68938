#!/usr/bin/python3
"""Data of several kinds and a recipe for each, for the tests of the library: small, and trained in a second."""
import sys

import h5py
import numpy as np

rng = np.random.default_rng(3)


def save(name, x, y, layers, data=""):
    rows = len(x) * 3 // 4
    with h5py.File(name + ".h5", "w") as file:
        for part, rows_of in (("train", slice(0, rows)), ("test", slice(rows, None))):
            file[part + "/x"], file[part + "/y"] = x[rows_of], y[rows_of]
    recipe(name, layers, data)


def recipe(name, layers, data="", of=None):
    with open(name + ".yaml", "w", encoding="utf-8") as file:
        file.write(f"name: {name}\nrun: {name}\ndata: {{file: {of or name}.h5{data}}}\n"
                   "optimizer: {lr: 0.002}\ntrain: {batch: 32, shards: 4, epochs: 2}\nmodel:\n")
        file.write(layers)


# Columns of very different size, one far from 0, as a simulation writes them; values as targets.
x = rng.normal(size=(400, 16)) * np.logspace(0, 3, 16)
x[:, 3] = 101325 + 40 * rng.normal(size=400)
y = np.tanh((x - x.mean(0)) / x.std(0) @ rng.normal(size=(16, 8)) / 4) * np.logspace(-3, 6, 8) + np.linspace(0, 1e6, 8)
save("values", x, y, "  loss: mean_squared_error\n  layers:\n    - dense: {out: 64, activation: tanh}\n"
     "    - dropout: 0.2\n    - dense: {out: 64, activation: sigmoid}\n    - dense: 8\n", ", normalize: standardise, target: {normalize: standardise}")

# Pictures of classes, with everything a convolutional network has.
y = rng.integers(0, 3, 300)
x = np.clip(rng.normal(90, 30, (300, 8, 8)) + 60 * y[:, None, None] * (np.arange(8) % 3 == 1), 0, 255).astype("u1")
save("pictures", x, y.astype("u1") + 1, "  layers:\n    - reshape: [8, 8, 1]\n    - conv2d: {out: 6, kernel: 3}\n"
     "    - batch_norm: {activation: relu}\n    - max_pool: 2\n    - residual:\n        - conv2d: {out: 6, kernel: 3}\n"
     "        - batch_norm\n    - flatten\n    - dense: {out: 12, activation: silu}\n    - dense: 3\n")

# Series of numbers; two classes from one output.
x = rng.normal(size=(300, 6, 4)).astype("f4")
y = (x[:, :, 0].sum(1) > 0).astype("u1")
save("series", x, y, "  loss: binary_cross_entropy\n  layers:\n    - lstm: {units: 8, layers: 2, dropout: 0.1}\n"
     "    - gru: {units: 8, last: true}\n    - layer_norm\n"
     "    - dense: {out: 6, activation: gelu}\n    - dense: 1\n")

# A picture, measurements beside it far from 0, and a label's answer from both: three datasets, two inputs.
y = rng.integers(0, 3, 320)
inputs = {"image": np.clip(rng.normal(90, 30, (320, 6, 8)) + 60 * (y == 1)[:, None, None] * (np.arange(8) % 3 == 1), 0, 255).astype("u1"),
          "age": (40 + 10 * rng.normal(size=320) + 20 * (y == 2)).astype("f4"),
          "site": rng.normal(size=(320, 3)).astype("f4") * [1, 100, 1e4] + [0, 5, 9e5]}
with h5py.File("named.h5", "w") as file:
    for part, rows in (("train", slice(0, 256)), ("test", slice(256, None))):
        file[part + "/y"] = y[rows].astype("u1")
        for name, values in inputs.items():
            file[part + "/" + name] = values[rows]
recipe("named", "  layers:\n    - concat:\n        - [{input: image}, {reshape: [6, 8, 1]}, {conv2d: {out: 4, kernel: 3, activation: silu}}, flatten]\n"
       "        - [{input: meta}, {dense: {out: 6, activation: tanh}}]\n    - dense: {out: 12, activation: silu}\n    - dense: 3\n",
       ", normalize: standardise, train_x: {image: /train/image, meta: [/train/age, /train/site]}, "
       "test_x: {image: /test/image, meta: [/test/age, /test/site]}")

if "text" in sys.argv:
    with open("text.txt", "w", encoding="utf-8") as file:
        file.write("".join("abcdefgh "[i] for i in rng.integers(0, 9, 4000)))
    recipe("text", "  layers:\n    - gpt: {layers: 2, heads: 2, width: 16}\n", ", context: 8")

if "bits" in sys.argv:
    residual = ("    - residual:\n        activation: relu\n        layers: [conv2d: {out: 16, stride: 2, bias: false}, batch_norm: {activation: relu}, "
                "conv2d: {out: 16, bias: false}, batch_norm]\n"
                "        shortcut: [conv2d: {out: 16, kernel: 1, stride: 2, bias: false}, batch_norm]\n")
    y = rng.integers(0, 3, 160)
    x = np.clip(rng.normal(90, 30, (160, 12, 12, 3)) + 60 * y[:, None, None, None] * (np.arange(12) % 3 == 1)[:, None], 0, 255)
    save("resnet", x.astype("u1"), y.astype("u1"), "  layers:\n    - conv2d: {out: 8, bias: false}\n    - batch_norm: {activation: relu}\n"
         + residual + "    - global_avg_pool\n    - dense: 3\n", ", mean: 90, std: 50")
    # The same without corners, which differences of numbers would meet.
    save("smooth", x.astype("u1"), y.astype("u1"), "  layers:\n    - conv2d: {out: 8, activation: tanh}\n    - batch_norm\n    - residual:\n"
         "        layers: [conv2d: {out: 16, stride: 2, activation: silu}, batch_norm, conv2d: {out: 16, bias: false}, batch_norm]\n"
         "        shortcut: [conv2d: {out: 16, kernel: 1, stride: 2, bias: false}, batch_norm]\n"
         "    - global_avg_pool\n    - dense: 3\n", ", mean: 90, std: 50")
    x = rng.normal(size=(240, 400)).astype("f4")
    save("wide", x, (x[:, :3].argmax(1)).astype("u1"), "  layers:\n    - dense: {out: 20, activation: relu}\n    - dense: 3\n")
    x = rng.normal(size=(240, 12)).astype("f4")
    save("single", x, x[:, :1] * x[:, 1:2], "  loss: mean_squared_error\n  layers:\n    - dense: {out: 20, activation: tanh}\n    - dense: 1\n")
    for cell in "lstm", "gru":
        recipe(cell, f"  layers:\n    - {cell}: {{units: 24, layers: 2}}\n    - dense: 9\n", ", context: 7, windows: stream", "text")
    recipe("masked", "  layers:\n    - bert: {layers: 2, heads: 2, width: 16}\n", ", context: 8, objective: masked", "text")
    x = rng.integers(1, 9, (240, 8)).astype("i2")
    x[np.arange(8)[None, :] >= rng.integers(3, 9, 240)[:, None]] = 0
    save("bert", x, ((x == 5).sum(1) > 0).astype("u1"), "  layers:\n    - bert: {layers: 2, heads: 2, width: 16, classes: 2}\n",
         ", context: 8, objective: class, vocabulary: 9, pad: 0, train_tokens: /train/x, test_tokens: /test/x")
