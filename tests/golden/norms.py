#!/usr/bin/python3
"""Writes norms.h: normalisation layers and a small residual network as PyTorch computes them (float64), for
tests/unit/test_norms.c.

    /usr/bin/python3 tests/golden/norms.py > tests/golden/norms.h

Pictures are channels-last here and channels-first in PyTorch. A row has the layers of a recipe, the input, every tensor
of the model in the table's order, the outputs in training, the gradient of their sum weighted by `weight`, by each
tensor (for running statistics: their values after the step) and by the input, and the outputs in evaluation after it.
"""
import torch
from torch import nn

from c_source import begin, end, enum, shape, table

torch.set_default_dtype(torch.float64)
torch.manual_seed(20240611)
ROWS = 3
MOMENTUM = 0.1  # ours is 1 minus that


def first(x):  # channels first
    return x.movedim(-1, 1)


def last(x):
    return x.movedim(1, -1)


class Around(nn.Module):
    """A module that wants channels first."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return last(self.inner(first(x)))


class RMSNorm(nn.Module):
    """Zhang and Sennrich 2019, equation 4, with eps inside the root."""

    def __init__(self, width, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x):
        return x / torch.sqrt((x * x).mean(-1, keepdim=True) + self.eps) * self.weight


class Residual(nn.Module):
    def __init__(self, inner, shortcut):
        super().__init__()
        self.inner, self.shortcut = inner, shortcut

    def forward(self, x):
        return torch.relu(self.inner(x) + self.shortcut(x))


def tensors(module):
    """(name, tensor) in the order of our table; a Linear's w is transposed."""
    if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
        own = [("running_mean", module.running_mean), ("running_var", module.running_var)]
        return own + ([("scale", module.weight), ("shift", module.bias)] if module.affine else [])
    if isinstance(module, (nn.LayerNorm, nn.GroupNorm)):
        return [("scale", module.weight), ("shift", module.bias)] if module.weight is not None else []
    if isinstance(module, RMSNorm):
        return [("scale", module.weight)]
    if isinstance(module, nn.Linear):
        return [("w", module.weight), ("b", module.bias)]
    return [pair for child in module.children() for pair in tensors(child)]


def flat(name, tensor):
    return (tensor.t() if name == "w" else tensor).reshape(-1).tolist()


def row(layers, dims, model):
    for name, tensor in tensors(model):
        if name in ("scale", "shift", "b", "w"):
            tensor.data = torch.randn_like(tensor)
        elif name == "running_mean":
            tensor.copy_(torch.randn_like(tensor))
        else:
            tensor.copy_(torch.rand_like(tensor) + 0.5)
    own = tensors(model)
    start = [value for name, tensor in own for value in flat(name, tensor)]
    x = (torch.randn(ROWS, *dims) * 2 + 1).requires_grad_()
    model.train()
    y = model(x)
    weight = torch.randn_like(y)
    (y * weight).sum().backward()
    after = [value for name, tensor in own
             for value in flat(name, tensor.grad if tensor.requires_grad else tensor)]
    model.eval()
    return dict(layers=layers, shape=dims, x=x.reshape(-1).tolist(), start=start, y=y.reshape(-1).tolist(),
                weight=weight.reshape(-1).tolist(), after=after, dx=x.grad.reshape(-1).tolist(),
                evaluated=model(x).reshape(-1).tolist())


ROWS_OF = [
    row("[batch_norm]", (6,), nn.BatchNorm1d(6, momentum=MOMENTUM)),
    row("[{batch_norm: {eps: 0.01, activation: relu}}]", (2, 2, 3),
        nn.Sequential(Around(nn.BatchNorm2d(3, eps=0.01, momentum=MOMENTUM)), nn.ReLU())),
    row("[{batch_norm: {momentum: 0.7, scale: no, shift: no}}]", (2, 2, 3),
        Around(nn.BatchNorm2d(3, momentum=0.3, affine=False))),
    row("[layer_norm]", (2, 5), nn.LayerNorm(5)),
    row("[{layer_norm: {eps: 0.1, scale: no, shift: no}}]", (7,), nn.LayerNorm(7, eps=0.1, elementwise_affine=False)),
    row("[{rms_norm: {eps: 1e-3}}]", (2, 5), RMSNorm(5, 1e-3)),
    row("[{group_norm: 2}]", (2, 2, 4), Around(nn.GroupNorm(2, 4))),
    row("[{group_norm: {groups: 4, eps: 0.1}}]", (3, 4), Around(nn.GroupNorm(4, 4, eps=0.1))),
    row("[{upsample: {factor: 2, method: linear}}, layer_norm]", (2, 2, 3),
        nn.Sequential(Around(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)), nn.LayerNorm(3))),
    row("[{dense: 6}, {residual: {layers: [batch_norm, relu, {dense: 5}, {batch_norm: {eps: 0.01}}], "
        "shortcut: [{dense: 5}], activation: relu}}, {residual: {layers: [layer_norm, {dense: {out: 5, activation: "
        "tanh}}], activation: relu}}, {dense: 3}]", (4,),
        nn.Sequential(nn.Linear(4, 6),
                      Residual(nn.Sequential(nn.BatchNorm1d(6, momentum=MOMENTUM), nn.ReLU(), nn.Linear(6, 5),
                                             nn.BatchNorm1d(5, eps=0.01, momentum=MOMENTUM)), nn.Linear(6, 5)),
                      Residual(nn.Sequential(nn.LayerNorm(5), nn.Linear(5, 5), nn.Tanh()), nn.Identity()),
                      nn.Linear(5, 3))),
]


begin("/* Normalisation layers and a residual network as PyTorch computes them. Written by norms.py; do not edit. */")
enum(GOLDEN_NORM_ROWS=ROWS)
table("golden_norms", "golden_norm", ["const char *layers;", "dt_shape input;", "int tensors; /* elements */"],
      ("x", "start", "y", "weight", "after", "dx", "evaluated"),
      [(f'"{r["layers"]}",\n     {{{shape(r["shape"])}}}, {len(r["start"])}', r) for r in ROWS_OF])
end()
