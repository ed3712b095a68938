#!/usr/bin/env python3
"""Operands of real products: operands.py FASHION_MNIST.h5 FOLDER. A network of 784-768-3072-10 with ReLUs learns for 300
steps of 64, in float32 with a BLAS; then what each of its products has in a batch of 2048 is written, a file each:
rows, columns, depth, whether A and B are stored turned (int64), A and B (float32)."""
import sys

import h5py
import numpy as np

widths, batch, steps, rate, seen = (784, 768, 3072, 10), 64, 300, 0.1, 2048
data, folder = sys.argv[1:3]
with h5py.File(data, "r") as file:
    x = file["train/x"][:32768].reshape(-1, 784).astype(np.float32) / 255
    y = file["train/y"][:32768].astype(np.int64)

draw = np.random.default_rng(1)
w = [(draw.standard_normal(s) * (2 / s[0]) ** 0.5).astype(np.float32) for s in zip(widths, widths[1:])]
b = [np.zeros(n, np.float32) for n in widths[1:]]


def forward(x):
    """What each layer reads, and the outputs."""
    read = [x]
    for i, weights in enumerate(w):
        z = read[-1] @ weights + b[i]
        read.append(np.maximum(z, 0) if i + 1 < len(w) else z)
    return read


def backward(read, labels):
    """Gradients of each layer's outputs before the activation."""
    e = np.exp(read[-1] - read[-1].max(1, keepdims=True))
    dy = e / e.sum(1, keepdims=True)
    dy[np.arange(len(labels)), labels] -= 1
    back = [dy]
    for i in range(len(w) - 1, 0, -1):
        back.insert(0, (back[0] @ w[i].T) * (read[i] > 0))
    return back


for step in range(steps):
    rows = draw.integers(len(x), size=batch)
    read = forward(x[rows])
    for i, dy in enumerate(backward(read, y[rows])):
        w[i] -= rate / batch * (read[i].T @ dy)
        b[i] -= rate / batch * dy.sum(0)


def write(name, a, b, a_turned=False, b_turned=False):
    """a [rows, depth] and b [depth, columns], or turned, as they are stored."""
    depth, rows = a.shape if a_turned else a.shape[::-1]
    columns = b.shape[0] if b_turned else b.shape[1]
    with open(f"{folder}/{name}", "wb") as file:
        np.array([rows, columns, depth, a_turned, b_turned], np.int64).tofile(file)
        for operand in a, b:
            np.ascontiguousarray(operand, np.float32).tofile(file)


read = forward(x[:seen])
right = (read[-1].argmax(1) == y[:seen]).mean()
print(f"accuracy {right:.3f} of what it learned from", file=sys.stderr)
for i, dy in enumerate(backward(read, y[:seen])):
    write(f"{i + 1}-forward", read[i], w[i])
    if i > 0:
        write(f"{i + 1}-data", dy, w[i], b_turned=True)
    write(f"{i + 1}-weights", read[i], dy, a_turned=True)
    write(f"{i + 1}-weights-of-32", read[i][:32], dy[:32], a_turned=True)
