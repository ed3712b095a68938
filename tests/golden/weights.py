#!/usr/bin/python3
"""Writes weights.h: losses and gradients of weighted samples as PyTorch computes them (float64), for
tests/unit/test_kernels.c.

    /usr/bin/python3 tests/golden/weights.py > tests/golden/weights.h

A sample counts for its own weight times its class's. PyTorch has class weights as `weight` of cross_entropy and as
`pos_weight` of binary_cross_entropy_with_logits, and weights of samples as factors of unreduced losses. `keras` is the
mean of a batch as Keras documents sample_weight and class_weight with the reduction sum_over_batch_size: the sum of
weighted losses divided by the number of samples. `torch` is PyTorch's mean, which divides by the weights' sum. Gradients
are of the sum. All inputs are floats exactly.
"""
import torch
from torch.nn import functional as F

from c_source import begin, end, enum, table

torch.set_default_dtype(torch.float64)
torch.manual_seed(20240807)
ROWS, COLS = 6, 5


def exact(*shape):
    return torch.round(torch.randn(*shape) * 32) / 16


samples = torch.tensor([1.0, 0.5, 2.25, 0.0, 3.0, 0.125])
classes = torch.tensor([1.0, 3.5, 0.25, 2.0, 0.75])
labels = torch.tensor([1, 4, 0, 2, 1, 3])
shares = torch.tensor([[8.0, 0, 4, 4, 0], [0, 16, 0, 0, 0], [2, 2, 4, 4, 4], [16, 0, 0, 0, 0], [1, 1, 6, 4, 4],
                       [0, 0, 0, 3, 13]]) / 16
likely = torch.round(torch.rand(ROWS, COLS) * 16) / 16
positive = torch.tensor([1.0, 0, 0, 1, 1, 0])
begin("/* Weighted losses; written by weights.py. */")
rows = []


def add(kind, cols, target, weights, torch_mean, each, output, is_label):
    """`each` are the samples' losses, with their classes' weights."""
    total = (each * weights[0]).sum()
    total.backward()
    rows.append((f"{kind}, {cols}, {int(is_label)}, {total.item() / ROWS:.15g}, {torch_mean:.15g}",
                 {"output": output.detach().flatten().tolist(), "target": target.flatten().tolist(),
                  "weight": (weights[0] * weights[1]).tolist(), "gradient": output.grad.flatten().tolist()}))


ones = torch.ones(ROWS)
for own in (ones, samples):
    output = exact(ROWS, COLS).requires_grad_()
    each = F.cross_entropy(output, labels, weight=classes, reduction="none")
    mean = (each * own).sum() / (own * classes[labels]).sum()
    if own is ones:  # the formula that PyTorch's mean is
        torch.testing.assert_close(mean, F.cross_entropy(output, labels, weight=classes))
    add("DT_LOSS_SOFTMAX_CROSS_ENTROPY", COLS, labels, (own, classes[labels]), mean, each, output, True)

    output = exact(ROWS, 1).requires_grad_()
    each = F.binary_cross_entropy_with_logits(output[:, 0], positive, pos_weight=torch.tensor(3.5), reduction="none")
    factor = torch.where(positive > 0, 3.5, 1.0)
    add("DT_LOSS_BINARY_CROSS_ENTROPY", 1, positive, (own, factor), (each * own).sum() / (own * factor).sum(), each,
        output, True)

output = exact(ROWS, COLS).requires_grad_()
each = F.cross_entropy(output, shares, reduction="none")
add("DT_LOSS_SOFTMAX_CROSS_ENTROPY", COLS, shares, (samples, ones), (each * samples).sum() / samples.sum(), each, output,
    False)
output = exact(ROWS, COLS).requires_grad_()
each = F.binary_cross_entropy_with_logits(output, likely, reduction="none").sum(1)
add("DT_LOSS_BINARY_CROSS_ENTROPY", COLS, likely, (samples, ones), (each * samples).sum() / samples.sum(), each, output,
    False)
output, values = exact(ROWS, COLS).requires_grad_(), exact(ROWS, COLS)
each = F.mse_loss(output, values, reduction="none").sum(1) / 2
add("DT_LOSS_MEAN_SQUARED_ERROR", COLS, values, (samples, ones), (each * samples).sum() / samples.sum(), each, output,
    False)

enum(WEIGHED_ROWS=ROWS)
table("weighed", "weighed", ["int loss, cols, labels;", "double keras, torch;"],
      ["output", "target", "weight", "gradient"], rows)
end()
