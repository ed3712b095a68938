#!/usr/bin/python3
"""Weights of recurrent layers and what they give, by PyTorch and, for a GRU of Keras (reset_after), by its formula
(keras.layers.GRUCell): recurrent_weights.py >recurrent_weights.json. tests/system/import_recurrent.sh has them imported."""
import json

import numpy as np
import torch

torch.manual_seed(8)
UNITS, CHANNELS = 4, 3
x = torch.randn(6, 5, CHANNELS)
cases = {}
for kind, layers in (("GRU", 2), ("LSTM", 1), ("RNN", 1)):
    net = getattr(torch.nn, kind)(CHANNELS, UNITS, num_layers=layers, batch_first=True)
    with torch.no_grad():
        for parameter in net.parameters():  # biases that matter
            parameter.copy_(torch.randn_like(parameter) * 0.7)
        y = net(x)[0][:, -1]
    cases[kind] = {"y": y.tolist(), "weights": {name: value.tolist() for name, value in net.state_dict().items()}}

random = np.random.default_rng(4)
kernel, recurrent, bias = (random.normal(scale=0.7, size=shape).astype("f4") for shape in ((CHANNELS, 3 * UNITS), (UNITS, 3 * UNITS), (2, 3 * UNITS)))
h = np.zeros((6, UNITS))
for t in range(5):
    of_x = np.split(x[:, t].numpy().astype(float) @ kernel + bias[0], 3, axis=1)  # z r h
    of_h = np.split(h @ recurrent + bias[1], 3, axis=1)
    z, r = (1 / (1 + np.exp(-(of_x[i] + of_h[i]))) for i in (0, 1))
    h = z * h + (1 - z) * np.tanh(of_x[2] + r * of_h[2])
cases["keras"] = {"y": h.tolist(), "weights": {"kernel": kernel.tolist(), "recurrent_kernel": recurrent.tolist(), "bias": bias.tolist()}}


def rounded(value):
    return [rounded(v) for v in value] if isinstance(value, list) else float(f"{value:.9g}")


for case in cases.values():
    case["y"] = rounded(case["y"])
    case["weights"] = {name: rounded(value) for name, value in case["weights"].items()}
print(json.dumps({"x": rounded(x.tolist()), "cases": cases}))
