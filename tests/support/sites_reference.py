"""Rounds of sites as their papers have them, in float64 and with nothing of dtrain: make DIR writes data of three sites of
different sizes as files and as one; check CHECKPOINT DIR RULES… compares a checkpoint's weights with what these rules make of
softmax regression. A site's step takes all its samples, so no order is needed. RULES: rounds steps lr momentum weights outer
outer_lr outer_momentum proximal control."""
import sys

import h5py
import numpy as np

SIZES, CLASSES, FEATURES = (40, 90, 25), 4, 6


def make(where):
    rng = np.random.default_rng(3)
    centre = rng.normal(0, 1, (CLASSES, FEATURES))
    parts = []
    for site, size in enumerate(SIZES):
        y = rng.choice(CLASSES, size, p=np.roll([0.6, 0.2, 0.1, 0.1], site))
        parts.append(((centre[y] + rng.normal(0, 0.7, (size, FEATURES))).astype("f4"), y.astype("u1")))
    for site, (x, y) in enumerate(parts):
        with h5py.File(f"{where}/site-{site}.h5", "w") as file:
            file["train/x"], file["train/y"], file["test/x"], file["test/y"] = x, y, x[:10], y[:10]


def read(where):
    parts = []
    for site in range(len(SIZES)):
        with h5py.File(f"{where}/site-{site}.h5") as file:
            parts.append((file["train/x"][:].astype("f8"), file["train/y"][:]))
    return parts


def gradient(w, x, y):
    logits = x @ w[:-1] + w[-1]
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    p[np.arange(len(y)), y] -= 1
    return np.vstack([x.T @ p, p.sum(0)]) / len(y)


def train(parts, rounds, steps, lr, momentum, weights, outer, outer_lr, outer_momentum, proximal, control):
    common = np.zeros((FEATURES + 1, CLASSES))
    c, own = np.zeros_like(common), [np.zeros_like(common) for _ in parts]
    m, v = np.zeros_like(common), np.zeros_like(common)
    for _ in range(rounds):
        changes, controls = [], []
        for site, (x, y) in enumerate(parts):
            w, velocity = common.copy(), np.zeros_like(common)
            for _ in range(steps):
                g = gradient(w, x, y) + proximal * (w - common)
                velocity = momentum * velocity + g
                w -= lr * velocity
                if control:
                    w += lr * (own[site] - c)
            changes.append(w - common)
            if control:
                fresh = own[site] - c + (common - w) / (steps * lr)
                controls.append(fresh - own[site])
                own[site] = fresh
        share = np.array([len(y) if weights == "samples" else 1 for _, y in parts], "f8")
        d = sum(s * change for s, change in zip(share, changes)) / share.sum()
        if control:
            c += sum(controls) / len(parts)
        if outer == "adam":
            m, v = 0.9 * m + 0.1 * d, 0.99 * v + 0.01 * d * d
            common = common + outer_lr * m / (np.sqrt(v) + 0.001)
        else:
            m = outer_momentum * m + d
            common = common + outer_lr * (d + outer_momentum * m if outer == "nesterov" else m)
    return common


if sys.argv[1] == "make":
    make(sys.argv[2])
else:
    path, where, *r = sys.argv[2:]
    wanted = train(read(where), int(r[0]), int(r[1]), float(r[2]), float(r[3]), r[4], r[5], float(r[6]), float(r[7]),
                   float(r[8]), r[9] == "true")
    with h5py.File(path) as file:
        got = np.vstack([file["weights/dense1/w"][:], file["weights/dense1/b"][:]])
    error = np.abs(got - wanted).max() / np.abs(wanted).max()
    print(f"{error:.2g}")
    sys.exit(not error < float(r[10] if len(r) > 10 else 2e-5))
