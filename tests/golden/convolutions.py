#!/usr/bin/python3
"""Writes convolutions.h: small convolutional networks as PyTorch computes them (float64), for tests/unit/test_model.c.

    /usr/bin/python3 tests/golden/convolutions.py > tests/golden/convolutions.h

Each row is a network of two or more layers, so that the gradient of the first layer's weights goes through the second's
input. Inputs and outputs are channels last and weights [height, width, in/groups, out], as ours are; the loss is half
the sum of squares of output - target.
"""
import torch
from torch import nn
from torch.nn import functional as F

from c_source import begin, braced, enum, shape, struct

torch.set_default_dtype(torch.float64)
ROWS = 3


class Same(nn.Module):
    """A layer after zeros (or what a maximum ignores) have been put around: unequal numbers before and after."""

    def __init__(self, layer, before_after, value=0.0):
        super().__init__()
        self.layer, self.pad, self.value = layer, before_after, value

    def forward(self, x):
        return self.layer(F.pad(x, self.pad, value=self.value))


class GlobalMean(nn.Module):
    def forward(self, x):
        return x.flatten(2).mean(2)


class GlobalMax(nn.Module):
    def forward(self, x):
        return x.flatten(2).amax(2)


INF = float("inf")
CASES = [
    ("[{conv2d: {out: 4, activation: tanh}}, {max_pool: 2}, {conv2d: {out: 3, kernel: 2, padding: valid}}]", (6, 7, 2),
     [nn.Conv2d(2, 4, 3, padding=1), nn.Tanh(), nn.MaxPool2d(2), nn.Conv2d(4, 3, 2)]),
    ("[{conv2d: {out: 4, kernel: 3x2, stride: 2x1, padding: 2x1, activation: sigmoid}}, {avg_pool: {kernel: 2, stride: "
     "1}}, {conv2d: {out: 2, kernel: 1, bias: false}}]", (5, 4, 3),
     [nn.Conv2d(3, 4, (3, 2), (2, 1), (2, 1)), nn.Sigmoid(), nn.AvgPool2d(2, 1), nn.Conv2d(4, 2, 1, bias=False)]),
    ("[{conv2d: {out: 6, groups: 2, dilation: 2, padding: valid, activation: silu}}, {conv2d: {out: 12, groups: 6, "
     "activation: gelu}}, {conv2d: 2}, global_avg_pool]", (7, 6, 4),
     [nn.Conv2d(4, 6, 3, dilation=2, groups=2), nn.SiLU(), nn.Conv2d(6, 12, 3, padding=1, groups=6),
      nn.GELU(approximate="tanh"), nn.Conv2d(12, 2, 3, padding=1), GlobalMean()]),
    # `same` where the padding is odd: one more after than before
    ("[{conv2d: {out: 3, kernel: 4, stride: 3, activation: tanh}}, {max_pool: {kernel: 2, stride: 1, padding: same}}, "
     "{conv2d: {out: 2, kernel: 2}}]", (8, 10, 1),
     [Same(nn.Conv2d(1, 3, 4, 3), (1, 2, 1, 1)), nn.Tanh(), Same(nn.MaxPool2d(2, 1), (0, 1, 0, 1), -INF),
      Same(nn.Conv2d(3, 2, 2), (0, 1, 0, 1))]),
    ("[{conv2d: {out: 3, activation: leaky_relu, slope: 0.1}}, {avg_pool: {kernel: 3, stride: 2, padding: 1}}, "
     "{conv2d: 3}, global_max_pool]", (6, 5, 2),
     [nn.Conv2d(2, 3, 3, padding=1), nn.LeakyReLU(0.1), nn.AvgPool2d(3, 2, 1, count_include_pad=False),
      nn.Conv2d(3, 3, 3, padding=1), GlobalMax()]),
    ("[{conv2d: {out: 4, activation: relu}}, {max_pool: {kernel: 3, stride: 2, padding: 1}}, {conv2d: {out: 2, stride: "
     "2}}]", (9, 7, 1),
     [nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2, 1), Same(nn.Conv2d(4, 2, 3, 2), (0, 1, 1, 1))]),
    ("[{conv1d: {out: 4, kernel: 5, padding: 2, stride: 2, activation: tanh}}, {max_pool: {kernel: 3, stride: 2}}, "
     "{conv1d: {out: 4, groups: 2, dilation: 2}}, {avg_pool: 2}]", (19, 3),
     [nn.Conv1d(3, 4, 5, 2, 2), nn.Tanh(), nn.MaxPool1d(3, 2), nn.Conv1d(4, 4, 3, dilation=2, padding=2, groups=2),
      nn.AvgPool1d(2)]),
]


def channels_last(x):
    return x if x.dim() == 2 else x.movedim(1, -1)


def ours(parameter):
    """[out, in, height, width] as [height, width, in, out]; a bias as it is."""
    return parameter if parameter.dim() == 1 else parameter.movedim((0, 1), (-1, -2))


def main():
    torch.manual_seed(20240502)
    begin("/* Written by tests/golden/convolutions.py with PyTorch " + torch.__version__ + "; do not edit. */")
    rows, widest = [], dict(GOLDEN_INPUTS=0, GOLDEN_OUTPUTS=0, GOLDEN_WEIGHTS=0)
    for text, dims, layers in CASES:
        network = nn.Sequential(*layers)
        x = torch.randn(ROWS, *dims)
        y = channels_last(network(x.movedim(-1, 1)))
        target = torch.randn_like(y)
        ((y - target) ** 2).sum().div(2).backward()
        weights = torch.cat([ours(p.detach()).flatten() for p in network.parameters()])
        grads = torch.cat([ours(p.grad).flatten() for p in network.parameters()])
        rows.append((text, dims, y[0].numel(), len(weights), [x, weights, y.detach(), target, grads]))
        for name, array in zip(widest, (x, y, weights)):
            widest[name] = max(widest[name], array.numel())
    enum(GOLDEN_ROWS=ROWS, **widest)
    struct("golden_networks", "const char *layers;", "dt_shape input;",
           "int outputs, weights; /* a sample's, the network's */",
           "double x[GOLDEN_INPUTS], w[GOLDEN_WEIGHTS], y[GOLDEN_OUTPUTS], target[GOLDEN_OUTPUTS], "
           "grads[GOLDEN_WEIGHTS];")
    for text, dims, outputs, weights, arrays in rows:
        print(f'    {{"{text}", {{{shape(dims)}}}, {outputs}, {weights},')
        for array in arrays:
            print(f"     {braced(array.flatten().tolist(), '{:.9g}')},")
        print("    },")
    print("};")


main()
