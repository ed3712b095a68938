#!/usr/bin/python3
"""Writes optimizers.h: update rules and schedules as PyTorch computes them (float64), for tests/unit/test_optim.c.

    /usr/bin/python3 tests/golden/optimizers.py > tests/golden/optimizers.h

Two tensors: a matrix of 15 elements that decays and a bias of 4 that does not. PyTorch's `weight_decay` is our `l2`
except in AdamW, where it is our `weight_decay`; elsewhere decoupled decay is applied here by hand, before the step, as
AdamW does it. Clipping by norm is by hand too, because PyTorch adds 1e-6 to the norm. Some gradients are zero for many
steps and some tiny, so that where eps is put shows.
"""
import torch

from c_source import begin, braced, enum, struct

torch.set_default_dtype(torch.float64)
MATRIX, BIAS, STEPS, KEEP = 15, 4, 10, (1, 2, 10)
torch.manual_seed(20240501)
START = torch.randn(MATRIX + BIAS) * 0.5
GRADS = torch.randn(STEPS, MATRIX + BIAS)
GRADS[:, 3] = 0
GRADS[:6, 5] = 0
GRADS[:, 7] *= 1e-6
GRADS[:, 9] *= 1e3


def rate(step):
    return 0.05 / (1 + 0.3 * step)


def row(name, make, ours, decoupled=0.0, clip_norm=0.0, clip_value=0.0):
    matrix = START[:MATRIX].clone().requires_grad_()
    bias = START[MATRIX:].clone().requires_grad_()
    optimizer = make(matrix, bias)
    kept = []
    for step in range(STEPS):
        g = GRADS[step].clone()
        if clip_norm:
            g *= min(1.0, clip_norm / g.norm().item())
        if clip_value:
            g.clamp_(-clip_value, clip_value)
        matrix.grad, bias.grad = g[:MATRIX].clone(), g[MATRIX:].clone()
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        with torch.no_grad():
            matrix.mul_(1 - rate(step) * decoupled)
        optimizer.step()
        if step + 1 in KEEP:
            kept.append(torch.cat([matrix.detach(), bias.detach()]))
    return name, ours, dict(weight_decay=decoupled, clip_norm=clip_norm, clip_value=clip_value), kept


def with_decay(cls, decay=0.0, **options):
    def make(matrix, bias):
        return cls([{"params": [matrix], "weight_decay": decay}, {"params": [bias], "weight_decay": 0.0}], lr=1.0,
                   **options)
    return make


O = torch.optim
ROWS = [
    row("sgd", with_decay(O.SGD), dict(kind="DT_SGD")),
    row("sgd, l2", with_decay(O.SGD, 0.1), dict(kind="DT_SGD", l2=0.1)),
    row("sgd, decay", with_decay(O.SGD), dict(kind="DT_SGD"), decoupled=0.1),
    row("momentum", with_decay(O.SGD, momentum=0.9), dict(kind="DT_SGD", momentum=0.9)),
    row("momentum, l2", with_decay(O.SGD, 0.1, momentum=0.9), dict(kind="DT_SGD", momentum=0.9, l2=0.1)),
    row("momentum, decay", with_decay(O.SGD, momentum=0.9), dict(kind="DT_SGD", momentum=0.9), decoupled=0.1),
    row("nesterov", with_decay(O.SGD, momentum=0.9, nesterov=True), dict(kind="DT_SGD", momentum=0.9, nesterov=True)),
    row("nesterov, l2", with_decay(O.SGD, 0.1, momentum=0.8, nesterov=True),
        dict(kind="DT_SGD", momentum=0.8, nesterov=True, l2=0.1)),
    row("adam", with_decay(O.Adam), dict(kind="DT_ADAM")),
    row("adam, l2", with_decay(O.Adam, 0.1), dict(kind="DT_ADAM", l2=0.1)),
    row("adam, large eps", with_decay(O.Adam, eps=0.1, betas=(0.8, 0.9)),
        dict(kind="DT_ADAM", eps=0.1, beta1=0.8, beta2=0.9)),
    row("adam, clip value", with_decay(O.Adam), dict(kind="DT_ADAM"), clip_value=0.5),
    row("adamw, by hand", with_decay(O.Adam), dict(kind="DT_ADAMW"), decoupled=0.1),
    row("rmsprop", with_decay(O.RMSprop, alpha=0.9, eps=1e-8), dict(kind="DT_RMSPROP", rho=0.9)),
    row("rmsprop, momentum", with_decay(O.RMSprop, alpha=0.9, eps=1e-8, momentum=0.9),
        dict(kind="DT_RMSPROP", rho=0.9, momentum=0.9)),
    row("rmsprop, l2", with_decay(O.RMSprop, 0.1, alpha=0.9, eps=1e-8), dict(kind="DT_RMSPROP", rho=0.9, l2=0.1)),
    row("rmsprop, decay, large eps", with_decay(O.RMSprop, alpha=0.9, eps=0.1), dict(kind="DT_RMSPROP", rho=0.9, eps=0.1),
        decoupled=0.1),
    row("rmsprop, momentum, decay", with_decay(O.RMSprop, alpha=0.9, eps=1e-8, momentum=0.5),
        dict(kind="DT_RMSPROP", rho=0.9, momentum=0.5), decoupled=0.1),
    row("adagrad", with_decay(O.Adagrad, eps=1e-8), dict(kind="DT_ADAGRAD")),
    row("adagrad, l2", with_decay(O.Adagrad, 0.1, eps=1e-8), dict(kind="DT_ADAGRAD", l2=0.1)),
    row("adagrad, decay, large eps", with_decay(O.Adagrad, eps=0.1), dict(kind="DT_ADAGRAD", eps=0.1), decoupled=0.1),
    row("sgd, clip norm", with_decay(O.SGD), dict(kind="DT_SGD"), clip_norm=2.0),
]


def adamw():
    def make(matrix, bias):
        return O.AdamW([{"params": [matrix], "weight_decay": 0.1}, {"params": [bias], "weight_decay": 0.0}], lr=1.0)
    name, ours, extra, kept = row("adamw", make, dict(kind="DT_ADAMW"))
    extra["weight_decay"] = 0.1
    return name, ours, extra, kept


ROWS.append(adamw())


def rates(make, steps):
    optimizer = O.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    scheduler = make(optimizer)
    out = []
    for step in range(steps):
        out.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step + 1 < steps:
            scheduler.step()
    return out


L, N = torch.optim.lr_scheduler, 21
SCHEDULES = [
    ("DT_SCHEDULE_CONSTANT", {}, rates(lambda o: L.ConstantLR(o, factor=1.0), N)),
    ("DT_SCHEDULE_STEP", dict(period=4, factor=0.5), rates(lambda o: L.StepLR(o, 4, 0.5), N)),
    ("DT_SCHEDULE_COSINE", dict(final=0.1), rates(lambda o: L.CosineAnnealingLR(o, N - 1, 0.01), N)),
    ("DT_SCHEDULE_COSINE", dict(final=0.0), rates(lambda o: L.CosineAnnealingLR(o, N - 1, 0.0), N)),
    ("DT_SCHEDULE_LINEAR", dict(final=0.25), rates(lambda o: L.LinearLR(o, 1.0, 0.25, N - 1), N)),
    # PyTorch's first phase ends at step pct_start*N - 1, ours at peak*(N - 1): both are step 6 here.
    ("DT_SCHEDULE_ONE_CYCLE", dict(initial=0.04, final=0.04 / 50, peak=0.3),
     rates(lambda o: L.OneCycleLR(o, 0.1, total_steps=N, pct_start=7 / N, div_factor=25, final_div_factor=50,
                                  cycle_momentum=False), N)),
]


def numbers(values):
    return braced(map(float, values), "{!r}")


def fields(values):
    return "".join(f", .{k} = {str(v).lower() if isinstance(v, bool) else v}" for k, v in values.items() if v)


begin("/* Written by tests/golden/optimizers.py with PyTorch " + torch.__version__ + "; do not edit. */")
enum(GOLDEN_MATRIX=MATRIX, GOLDEN_BIAS=BIAS, GOLDEN_STEPS=STEPS, GOLDEN_KEPT=len(KEEP))
print(f"static const int golden_keep[GOLDEN_KEPT] = {braced(KEEP)};")
print(f"static const double golden_rate[GOLDEN_STEPS] = {numbers(map(rate, range(STEPS)))};")
print(f"static const double golden_start[GOLDEN_MATRIX + GOLDEN_BIAS] = {numbers(START)};")
print("static const double golden_grads[GOLDEN_STEPS][GOLDEN_MATRIX + GOLDEN_BIAS] = {")
for g in GRADS:
    print(f"    {numbers(g)},")
print("};")
struct("golden_rules", "const char *name;", "dt_recipe_optimizer config;",
       "double w[GOLDEN_KEPT][GOLDEN_MATRIX + GOLDEN_BIAS];")
for name, ours, extra, kept in ROWS:
    config = dict(kind="DT_SGD", beta1=0.9, beta2=0.999, rho=0.99, eps=1e-8)
    config.update(ours)
    config.update(extra)
    kind = config.pop("kind")
    print(f'    {{"{name}", {{.kind = {kind}{fields(config)}}}, {{')
    for w in kept:
        print(f"        {numbers(w)},")
    print("    }},")
print("};")
print("/* lr 0.1 */")
enum(GOLDEN_TOTAL=N)
struct("golden_schedules", "dt_recipe_schedule schedule;", "double rate[GOLDEN_TOTAL];")
for kind, ours, values in SCHEDULES:
    print(f"    {{{{.kind = {kind}{fields(ours)}}}, {numbers(values)}}},")
print("};")
