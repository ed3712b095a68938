#!/usr/bin/python3
"""jacobian.py CHECKPOINT: the function of the checkpoint's network, dense layers tanh, sigmoid and linear, computed here in
double from its weights alone; its outputs and its derivatives by central differences, at one sample, in the format of
example.c, each with the unit it is large or small in."""
import sys

import h5py
import numpy as np

with h5py.File(sys.argv[1]) as file:
    w = {name: file[f"weights/{name}"][:].astype("f8") for name in
         (f"dense{i}/{part}" for i in (1, 2, 3) for part in "wb")}
    mean, deviation, offset, unit = (file[f"state/{name}"][:] for name in ("input_mean", "input_std", "target_mean", "target_std"))


def function(x):
    h = np.tanh((x - mean) / deviation @ w["dense1/w"] + w["dense1/b"])
    h = 1 / (1 + np.exp(-(h @ w["dense2/w"] + w["dense2/b"])))
    return (h @ w["dense3/w"] + w["dense3/b"]) * unit + offset


x = np.array(sys.argv[2:], "f8")
for o, y in enumerate(function(x)):
    print(f"y[{o}] = {y:.9g} {unit[o]:.9g}")
for i in range(len(x)):
    step = np.zeros_like(x)
    step[i] = 1e-5 * deviation[i]
    print(f"dy[0]/dx[{i}] = {(function(x + step) - function(x - step))[0] / (2 * step[i]):.9g} {unit[0] / deviation[i]:.9g}")
