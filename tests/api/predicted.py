#!/usr/bin/python3
"""predicted.py DATA PREDICTIONS OUT [CONTEXT [PAD]]: the samples that were predicted, as doubles; of a text CONTEXT tokens
each, and PAD is the id of no token."""
import sys

import h5py
import numpy as np

with h5py.File(sys.argv[1]) as file, h5py.File(sys.argv[2]) as predicted:
    if "token" in predicted:
        x = file["test/tokens"][:][predicted["token"][:][:, None] + np.arange(int(sys.argv[4]))]
    else:
        x = file["test/x"][:]
if len(sys.argv) > 5:
    x[x == int(sys.argv[5])] = -1
x.astype("f8").tofile(sys.argv[3])
