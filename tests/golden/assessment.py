#!/usr/bin/python3
"""Writes assessment.h: figures of classes, of two classes and of values as scikit-learn computes them, and the calibration
error as NumPy does by its formula (Guo et al. 2017, section 2), for tests/unit/test_assessment.c.

    tests/golden/assessment.py > tests/golden/assessment.h

Needs python3-sklearn. Outputs are multiples of 1/8, so that equal ones are equal probabilities and no others are.
"""
import numpy as np
from sklearn import metrics

from c_source import array, begin, end, enum

random = np.random.default_rng(3)
BINS = 15


def ece(confidence, right):
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    return sum(
        (bins == b).mean() * abs(right[bins == b].mean() - confidence[bins == b].mean())
        for b in range(BINS)
        if (bins == b).any()
    )


def classes(name, labels, chosen, confidence, count):
    present = [c for c in range(count) if c in labels or c in chosen]
    each = metrics.precision_recall_fscore_support(labels, chosen, labels=range(count), zero_division=0)
    array(f"golden_{name}_classes", np.array(each[:3]).T.ravel().tolist(), "{:.17g}")
    means = [
        metrics.precision_recall_fscore_support(labels, chosen, labels=present, average=kind, zero_division=0)[:3]
        for kind in ("macro", "weighted")
    ]
    array(f"golden_{name}_means", np.array(means).ravel().tolist(), "{:.17g}")
    confusion = metrics.confusion_matrix(labels, chosen, labels=range(count))
    array(f"golden_{name}_confusion", confusion.ravel().tolist(), "{}", "int64_t")
    print(f"static const double golden_{name}_ece = {ece(confidence, labels == chosen):.17g};")


begin("/* Written by tests/golden/assessment.py; do not edit. */")
ROWS, CLASSES, VALUES = 150, 5, 3
enum(GOLDEN_ROWS=ROWS, GOLDEN_CLASSES=CLASSES, GOLDEN_VALUES=VALUES)

# Class 4 is never there, and class 3 never chosen.
logits = np.round(random.normal(size=(ROWS, CLASSES)) * 16) / 8
logits[:, 3] = -9
labels = random.integers(0, 4, size=ROWS)
logits[np.arange(ROWS), labels] += np.where(labels == 3, 0, 1)
shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
array("golden_many", logits.ravel().tolist(), "{}")
array("golden_many_labels", labels.tolist(), "{}", "int32_t")
classes("many", labels, logits.argmax(axis=1), shares.max(axis=1), CLASSES)

one = np.round(random.normal(size=ROWS) * 8) / 8
one_labels = (one + random.normal(size=ROWS) > 0.3).astype(int)
p = 1 / (1 + np.exp(-one))
array("golden_one", one.tolist(), "{}")
array("golden_one_labels", one_labels.tolist(), "{}", "int32_t")
classes("one", one_labels, (one > 0).astype(int), np.maximum(p, 1 - p), 2)
print(f"static const double golden_auc = {metrics.roc_auc_score(one_labels, one):.17g};")

targets = np.round(random.normal(size=(ROWS, VALUES)) * [8, 80, 1] + [0, 80000, 5]) / 8
targets[:, 2] = 5
outputs = targets + np.round(random.normal(size=(ROWS, VALUES)) * 4) / 8
array("golden_outputs", outputs.ravel().tolist(), "{}")
array("golden_targets", targets.ravel().tolist(), "{}")
array(
    "golden_values",
    np.array(
        [
            metrics.mean_absolute_error(targets, outputs, multioutput="raw_values"),
            np.sqrt(metrics.mean_squared_error(targets, outputs, multioutput="raw_values")),
            metrics.r2_score(targets, outputs, multioutput="raw_values"),
        ]
    ).T.ravel().tolist(),
    "{:.17g}",
)
end()
