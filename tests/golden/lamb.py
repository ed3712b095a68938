#!/usr/bin/python3
"""Writes lamb.h: LAMB as You et al. 2020 write it down (algorithm 2), in plain Python's float64, for
tests/unit/test_optim.c. PyTorch has no LAMB.

    tests/golden/lamb.py > tests/golden/lamb.h

The tensors, gradients and rates are those of optimizers.h. Tensors without decay have no trust ratio either, as in the
authors' program (google-research/bert, lamb_optimizer.py: exclude_from_layer_adaptation).
"""
import math
import pathlib
import re

from c_source import begin, braced, struct

HEADER = (pathlib.Path(__file__).parent / "optimizers.h").read_text()
MATRIX, STEPS, KEEP = 15, 10, (1, 2, 10)


def numbers_of(name):
    body = re.search(name + r"\[.*?= \{(.*?)\};", HEADER, re.S)[1]
    return [float(x) for x in re.findall(r"-?\d[\d.e+-]*", body)]


START, RATE = numbers_of("golden_start"), numbers_of("golden_rate")
ALL = numbers_of("golden_grads")
GRADS = [ALL[i * len(START):(i + 1) * len(START)] for i in range(STEPS)]


def norm(x):
    return math.sqrt(math.fsum(e * e for e in x))


def layer_path(x, grads, decay, adapts, b1, b2, eps):
    """The weights of a layer after each step, and its ratios."""
    m, v, path, ratios = [0.0] * len(x), [0.0] * len(x), [], []
    for t, (g, lr) in enumerate(zip(grads, RATE), 1):
        m = [b1 * mi + (1 - b1) * gi for mi, gi in zip(m, g)]
        v = [b2 * vi + (1 - b2) * gi * gi for vi, gi in zip(v, g)]
        r = [(mi / (1 - b1**t)) / (math.sqrt(vi / (1 - b2**t)) + eps) for mi, vi in zip(m, v)]
        step = [ri + decay * xi for ri, xi in zip(r, x)]
        ratio = norm(x) / norm(step) if adapts else 1.0
        x = [xi - lr * ratio * si for xi, si in zip(x, step)]
        path.append(x)
        ratios.append(ratio)
    return path, ratios


def row(name, decay=0.0, beta1=0.9, beta2=0.999, eps=1e-8):
    matrix, ratios = layer_path(START[:MATRIX], [g[:MATRIX] for g in GRADS], decay, True, beta1, beta2, eps)
    bias, _ = layer_path(START[MATRIX:], [g[MATRIX:] for g in GRADS], 0.0, False, beta1, beta2, eps)
    print(f'    {{"{name}", {{.kind = DT_LAMB, .beta1 = {beta1}, .beta2 = {beta2}, .eps = {eps}, .weight_decay = {decay}}}, {{')
    for step in KEEP:
        print(f"        {braced(matrix[step - 1] + bias[step - 1], '{!r}')},")
    print("    }, " + braced((ratios[step - 1] for step in KEEP), "{!r}") + "},")


begin("/* Written by tests/golden/lamb.py; do not edit. */")
struct("golden_lamb", "const char *name;", "dt_recipe_optimizer config;",
       "double w[GOLDEN_KEPT][GOLDEN_MATRIX + GOLDEN_BIAS];", "double ratio[GOLDEN_KEPT]; /* the matrix's */")
row("lamb")
row("lamb, decay", decay=0.1)
row("lamb, strong decay", decay=3.0)
row("lamb, large eps", decay=0.05, beta1=0.8, beta2=0.9, eps=0.1)
print("};")
