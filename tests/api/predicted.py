#!/usr/bin/python3
"""predicted.py inputs DATA: the test samples, a line each, as C99 hexadecimal floats.
predicted.py compare PREDICTIONS TEXT: how many numbers of the text, which test_api printed, are others than /output's."""
import sys

import h5py
import numpy as np

if sys.argv[1] == "inputs":
    with h5py.File(sys.argv[2]) as file:
        for row in file["test/x"][:]:
            print(*(float(value).hex() for value in row.ravel()))
else:
    with h5py.File(sys.argv[2]) as file:
        want = file["output"][:].astype("f4").ravel()
    got = np.array([float.fromhex(word) for word in open(sys.argv[3], encoding="utf-8").read().split()], "f8")
    if got.size != want.size:
        sys.exit(f"{got.size} numbers, not {want.size}")
    print(f"{np.count_nonzero(got.astype('f4') != want)} of {want.size} differ")
