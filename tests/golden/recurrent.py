#!/usr/bin/python3
"""Writes recurrent.h: recurrent layers as PyTorch computes them (float64), for tests/unit/test_recurrent.c.

    /usr/bin/python3 tests/golden/recurrent.py > tests/golden/recurrent.h

A row has the layer of a recipe, the input [rows, positions, channels], every tensor in the table's order, the state it
begins with and ends with (for each row h of every stacked layer, then c), the outputs, and the gradient of their sum
weighted by `weight`, by each tensor and by the input. PyTorch has a bias for each of the two products; ours is the
input's, except that the GRU's candidate has both.
"""
import torch
from torch import nn

from c_source import begin, end, enum, table

torch.set_default_dtype(torch.float64)
torch.manual_seed(19971115)
ROWS, POSITIONS, CHANNELS = 3, 4, 3


def tensors(model, layer):
    """Values and gradients, transposed where ours are, in the order of our table."""
    own = [getattr(model, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    parts = [(own[0].t(), own[0].grad.t()), (own[1].t(), own[1].grad.t()), (own[2], own[2].grad)]
    if isinstance(model, nn.GRU):
        last = 2 * model.hidden_size
        parts.append((own[3][last:], own[3].grad[last:]))
    return parts


def flat(tensor):
    return tensor.detach().reshape(-1).tolist()


def row(kind, cls, units, layers, last=False):
    model = cls(CHANNELS, units, layers, batch_first=True)
    for name, parameter in model.named_parameters():
        parameter.data = torch.randn_like(parameter) * 0.7
        if name.startswith("bias_hh"):
            parameter.data[: 2 * units if kind == "gru" else None] = 0
    x = torch.randn(ROWS, POSITIONS, CHANNELS, requires_grad=True)
    before = [torch.randn(layers, ROWS, units) * 0.5 for _ in range(2 if kind == "lstm" else 1)]
    y, after = model(x, tuple(before) if kind == "lstm" else before[0])
    after = list(after) if kind == "lstm" else [after]
    y = y[:, -1] if last else y
    weight = torch.randn_like(y)
    (y * weight).sum().backward()
    parts = [part for layer in range(layers) for part in tensors(model, layer)]
    by_row = lambda state: flat(torch.cat([part.transpose(0, 1).reshape(ROWS, -1) for part in state], 1))
    return dict(layers=f"[{{{kind}: {{units: {units}, layers: {layers}, last: {'yes' if last else 'no'}}}}}]",
                elements=sum(value.numel() for value, _ in parts), x=flat(x), w=sum((flat(v) for v, _ in parts), []),
                before=by_row(before), after=by_row(after), y=flat(y), weight=flat(weight),
                dw=sum((flat(g) for _, g in parts), []), dx=flat(x.grad))


ROWS_OF = [
    row("simple_rnn", nn.RNN, 5, 1), row("simple_rnn", nn.RNN, 2, 3, True),
    row("gru", nn.GRU, 5, 1), row("gru", nn.GRU, 3, 2, True),
    row("lstm", nn.LSTM, 5, 1), row("lstm", nn.LSTM, 3, 2), row("lstm", nn.LSTM, 2, 2, True),
]


begin("/* Recurrent layers as PyTorch computes them. Written by recurrent.py; do not edit. */")
enum(GOLDEN_ROWS=ROWS, GOLDEN_POSITIONS=POSITIONS, GOLDEN_CHANNELS=CHANNELS)
table("golden_recurrent", "golden_recurrent", ["const char *layers;", "int elements, state_width, outputs;"],
      ("x", "w", "before", "after", "y", "weight", "dw", "dx"),
      [(f'"{r["layers"]}", {r["elements"]}, {len(r["before"]) // ROWS}, {len(r["y"])}', r) for r in ROWS_OF])
end()
