#!/usr/bin/python3
"""Writes attention.h: attention layers as PyTorch computes them (float64), for tests/unit/test_attention.c.

    /usr/bin/python3 tests/golden/attention.py > tests/golden/attention.h

The plain rows are torch.nn.MultiheadAttention itself, its masks given as matrices; shared heads of keys and rotary
positions, which it does not have, are written here with complex numbers and repeated heads. A row has the fields of a
recipe's layer, the input, padding (1 where a place is hidden), every tensor in the table's order, the outputs, the
gradient of their sum weighted by `weight`, by each tensor and by the input.
"""
import torch
from torch import nn

from c_source import begin, end, enum, table

torch.set_default_dtype(torch.float64)
torch.manual_seed(20240612)
ROWS = 2


def masks(causal, hidden, positions):
    """True where a query must not look, [ROWS, query, key]."""
    mask = hidden[:, None, :].expand(ROWS, positions, positions)
    return mask | torch.ones(positions, positions).triu(1).bool() if causal else mask


def turned(x, base):
    """x[row, head, place, size] with numbers (i, i + size/2) as one complex number, times e^(i place base^(-2i/size))."""
    half = x.shape[-1] // 2
    place = torch.arange(x.shape[-2])[:, None]
    rate = torch.pow(torch.tensor(float(base)), -torch.arange(half) * 2.0 / x.shape[-1])
    z = torch.complex(x[..., :half], x[..., half:]) * torch.polar(torch.ones(1), place * rate)
    return torch.cat([z.real, z.imag], -1)


class Attention(nn.Module):
    def __init__(self, channels, heads, pairs, bias, base):
        super().__init__()
        self.heads, self.pairs, self.base = heads, pairs, base
        size = channels // heads
        self.into = nn.Linear(channels, (heads + 2 * pairs) * size, bias=bias)
        self.out = nn.Linear(channels, channels, bias=bias)

    def forward(self, x, mask):
        size = x.shape[-1] // self.heads
        cut = [self.heads * size, self.pairs * size, self.pairs * size]
        q, k, v = (part.unflatten(-1, (-1, size)).transpose(1, 2) for part in self.into(x).split(cut, -1))
        if self.base:
            q, k = turned(q, self.base), turned(k, self.base)
        k, v = (part.repeat_interleave(self.heads // self.pairs, 1) for part in (k, v))
        score = torch.einsum("rhqd,rhkd->rhqk", q, k) / size**0.5
        weight = score.masked_fill(mask[:, None], float("-inf")).softmax(-1)
        return self.out(torch.einsum("rhqk,rhkd->rqhd", weight, v).flatten(2))


class Whole(nn.Module):
    """PyTorch's own."""

    def __init__(self, channels, heads, bias):
        super().__init__()
        self.heads = heads
        self.inner = nn.MultiheadAttention(channels, heads, bias=bias, batch_first=True)

    def forward(self, x, mask):
        return self.inner(x, x, x, attn_mask=mask.repeat_interleave(self.heads, 0), need_weights=False)[0]


def tensors(model):
    if isinstance(model, Whole):
        own = [model.inner.in_proj_weight, model.inner.in_proj_bias, model.inner.out_proj.weight,
               model.inner.out_proj.bias]
    else:
        own = [model.into.weight, model.into.bias, model.out.weight, model.out.bias]
    return [tensor for tensor in own if tensor is not None]


def flat(tensor):
    return (tensor.t() if tensor.dim() == 2 else tensor).reshape(-1).tolist()


def row(fields, positions, channels, model, causal, hide=()):
    hidden = torch.zeros(ROWS, positions, dtype=torch.bool)
    for r, t in hide:
        hidden[r, t] = True
    for tensor in tensors(model):
        tensor.data = torch.randn_like(tensor) * 0.7
    x = torch.randn(ROWS, positions, channels).requires_grad_()
    y = model(x, masks(causal, hidden, positions))
    weight = torch.randn_like(y)
    (y * weight).sum().backward()
    own = tensors(model)
    return dict(fields=fields, positions=positions, channels=channels, x=x.reshape(-1).tolist(),
                hidden=hidden.double().reshape(-1).tolist(), start=[v for t in own for v in flat(t)],
                y=y.reshape(-1).tolist(), weight=weight.reshape(-1).tolist(),
                grads=[v for t in own for v in flat(t.grad)], dx=x.grad.reshape(-1).tolist())


PADDING = [(0, 0), (0, 4), (1, 2), (1, 3), (1, 4)]
ROWS_OF = [
    row("heads: 2", 5, 6, Whole(6, 2, True), True),
    row("heads: 1, bias: no", 3, 4, Whole(4, 1, False), True),
    row("heads: 3, causal: no", 4, 6, Whole(6, 3, True), False),
    row("heads: 2, causal: no", 5, 4, Whole(4, 2, True), False, PADDING),
    row("heads: 4, kv_heads: 2", 4, 4, Attention(4, 4, 2, True, None), True),
    row("heads: 3, kv_heads: 1, causal: no, bias: no", 5, 6, Attention(6, 3, 1, False, None), False, PADDING),
    row("heads: 1, rotary: yes", 6, 4, Attention(4, 1, 1, True, 10000), True),
    row("heads: 2, kv_heads: 1, rotary: yes, rotary_base: 50", 4, 8, Attention(8, 2, 1, True, 50), True),
    row("heads: 2, causal: no, rotary: yes, rotary_base: 100", 5, 4, Attention(4, 2, 2, True, 100), False, PADDING),
]


begin("/* Attention layers as PyTorch computes them. Written by attention.py; do not edit. */")
enum(GOLDEN_ATTENTION_ROWS=ROWS)
table("golden_attention", "golden_attention",
      ["const char *fields;", "int positions, channels, elements; /* of all tensors */"],
      ("x", "hidden", "start", "y", "weight", "grads", "dx"),
      [(f'"{r["fields"]}", {r["positions"]}, {r["channels"]}, {len(r["start"])}', r) for r in ROWS_OF])
end()
