#!/usr/bin/env python3
"""Small data of every kind for the tests of predict and eval: predict_data.py DIRECTORY"""
import sys

import h5py
import numpy as np

directory = sys.argv[1]
random = np.random.default_rng(7)


def split(file, x, y, train):
    for name, part in (("train", slice(None, train)), ("test", slice(train, None))):
        file[f"{name}/x"] = x[part]
        file[f"{name}/y"] = y[part]


x = random.normal(size=(500, 6)).astype("f4")
kind = np.argmax(x[:, :3] + 0.3 * random.normal(size=(500, 3)), axis=1)
with h5py.File(f"{directory}/table.h5", "w") as file:  # classes -7, 40 and 1000
    split(file, x, np.array([-7, 40, 1000])[kind].astype("i4"), 300)
with h5py.File(f"{directory}/named.h5", "w") as file:
    animals = h5py.enum_dtype({"cat": 0, 'dog, "big"': 1, "cow": 2}, basetype="i1")
    for name, part in (("train", slice(None, 300)), ("test", slice(300, None))):
        file[f"{name}/x"] = x[part]
        file.create_dataset(f"{name}/y", data=kind[part].astype("i1"), dtype=animals)
with h5py.File(f"{directory}/bare.h5", "w") as file:
    file["some/samples"] = x[300:]
    file["some/labels"] = np.array([-7, 40, 1000])[kind[300:]].astype("i8")
    file["more/samples"] = x[300:371]
    file["more/labels"] = np.array([-7, 40, 1000])[kind[300:371]].astype("i8")
    bad = x[300:].copy()
    bad[77, 2] = np.nan
    file["bad"] = bad
    file["wide"] = random.normal(size=(9, 7)).astype("f4")
with h5py.File(f"{directory}/values.h5", "w") as file:
    split(file, x, np.stack([x[:, 0] * x[:, 1], x.sum(axis=1) * 3 + 5], axis=1).astype("f4"), 300)
with h5py.File(f"{directory}/pairs.h5", "w") as file:
    split(file, x, (x[:, 0] + random.normal(size=500) > 0.2).astype("u1"), 300)
with h5py.File(f"{directory}/pictures.h5", "w") as file:
    pictures = random.integers(0, 256, size=(300, 10, 10, 1), dtype="u1")
    split(file, pictures, (pictures.mean(axis=(1, 2, 3)) > 127).astype("u1") + (pictures[:, 0, 0, 0] > 200), 150)
with open(f"{directory}/text.txt", "w") as file:
    file.write("".join(random.choice(list("abcdef \n"), p=[0.3, 0.2, 0.1, 0.1, 0.05, 0.05, 0.15, 0.05], size=6000)))
