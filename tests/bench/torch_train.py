"""The networks of launch/recipes/ in PyTorch, as fast as plain PyTorch gets on a CPU: the other side of compare.sh.

Data wholly in memory, no DataLoader; one thread a rank; DistributedDataParallel over gloo for several ranks, the global
batch split between them. Only the training loop is timed. Prints one line of JSON. Where PyTorch offers several ways to
the same numbers the default is what was fastest, and an option takes another.
"""

import argparse
import contextlib
import copy
import json
import math
import os
import time

import h5py
import numpy
import torch
import torch.distributed
import torch.multiprocessing
import torch.nn.functional as F
from torch import nn

VOCABULARY = 65


# ---- networks of pictures


def mlp(options):
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))


def cnn(options):
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10))


# ---- networks of text


class CharLSTM(nn.Module):
    """Two layers of LSTM over characters, as in char-rnn; the state goes from window to window."""

    def __init__(self, width, embedded):
        super().__init__()
        if embedded:
            self.embedding = nn.Embedding(VOCABULARY, width)
        else:
            self.register_buffer("one_hot", torch.eye(VOCABULARY))
        self.embedded = embedded
        self.lstm = nn.LSTM(width if embedded else VOCABULARY, width, 2)
        self.output = nn.Linear(width, VOCABULARY)

    def forward(self, tokens, state):
        """tokens [window, batch] -> logits [window, batch, vocabulary] and the state after them."""
        x = self.embedding(tokens) if self.embedded else F.embedding(tokens, self.one_hot)
        y, state = self.lstm(x, state)
        return self.output(y), state


class LayerNorm(nn.Module):
    """Without a shift."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return F.layer_norm(x, self.weight.shape, self.weight, None, 1e-5)


class Attention(nn.Module):
    """Causal self-attention; `way` names one of attend_*."""

    def __init__(self, width, heads, context, dropout, way):
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.heads, self.dropout, self.way = heads, dropout, way
        self.scale = (width // heads) ** -0.5
        self.register_buffer("mask", torch.full((context, context), -math.inf).triu(1), persistent=False)

    def attend_fused(self, q, k, v):
        return F._scaled_dot_product_attention(q, k, v, None, self.dropout if self.training else 0.0, False, True)[0]

    def attend_products(self, q, k, v):
        n, heads, context, width = q.shape
        q, k, v = (t.reshape(n * heads, context, width) for t in (q, k, v))
        mask = self.mask[:context, :context].to(q.dtype)
        scores = torch.baddbmm(mask, q, k.transpose(1, 2), alpha=self.scale)  # mask and scale in the product
        y = torch.bmm(F.dropout(scores.softmax(-1), self.dropout, self.training and self.dropout > 0), v)
        return y.view(n, heads, context, width)

    def forward(self, x):
        n, context, width = x.shape
        q, k, v = (part.view(n, context, self.heads, -1).transpose(1, 2) for part in self.qkv(x).split(width, 2))
        y = getattr(self, "attend_" + self.way)(q, k, v)
        return self.out(y.transpose(1, 2).reshape(n, context, width))


def dropped(module, rate):
    return nn.Sequential(module, nn.Dropout(rate)) if rate else module


class Block(nn.Module):
    def __init__(self, width, heads, context, dropout, way):
        super().__init__()
        self.norm1, self.norm2 = LayerNorm(width), LayerNorm(width)
        self.attention = dropped(Attention(width, heads, context, dropout, way), dropout)
        self.mlp = dropped(nn.Sequential(nn.Linear(width, 4 * width, bias=False), nn.GELU(),
                                         nn.Linear(4 * width, width, bias=False)), dropout)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    """A decoder as in GPT-2, without biases, the output tied to the embedding. GELU is the exact one, which is faster
    than its tanh form here."""

    def __init__(self, layers, heads, width, context, dropout, way):
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, width)
        self.positions = nn.Parameter(torch.empty(context, width))
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.blocks = nn.Sequential(*(Block(width, heads, context, dropout, way) for _ in range(layers)))
        self.norm = LayerNorm(width)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:  # smaller where a branch ends, or the sum of all branches grows with the depth
                ends = name.endswith("out.weight") or ".mlp." in name and parameter.shape[0] < parameter.shape[1]
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * layers) if ends else 0.02)

    def forward(self, tokens):
        x = self.dropout(self.tokens(tokens) + self.positions[: tokens.shape[1]])
        return F.linear(self.norm(self.blocks(x)), self.tokens.weight)


# ---- data: batches of (inputs, targets), the same on every rank but for the share taken


class Pictures:
    def __init__(self, options, rank):
        self.x, self.y = self.load(options, "train")
        self.batch, self.share, self.rank = options.batch, options.batch // options.ranks, rank
        self.per_epoch = len(self.x) // self.batch

    @staticmethod
    def load(options, split):
        with h5py.File(options.data, "r") as file:
            x = torch.from_numpy(numpy.asarray(file[f"{split}/x"], dtype=numpy.float32)).unsqueeze(1)
            y = torch.from_numpy(numpy.asarray(file[f"{split}/y"], dtype=numpy.int64)).flatten()
        x = (x - 72.94) / 90.02
        return (x if options.workload == "mlp" or options.channels_first else
                x.to(memory_format=torch.channels_last)), y

    def get(self, step):
        if step % self.per_epoch == 0:
            self.order = torch.randperm(len(self.x))  # the same on every rank: the seeds are equal
        first = step % self.per_epoch * self.batch + self.rank * self.share
        index = self.order[first : first + self.share]
        return self.x[index], self.y[index]


def load_tokens(path, split):
    with h5py.File(path, "r") as file:
        return torch.from_numpy(numpy.asarray(file[f"{split}/tokens"], dtype=numpy.int64))


class Windows:
    """Windows that begin anywhere."""

    def __init__(self, options, rank):
        self.context = WORKLOADS[options.workload]["context"]
        self.windows = load_tokens(options.data, "train").unfold(0, self.context + 1, 1)
        self.batch, self.share, self.rank = options.batch, options.batch // options.ranks, rank
        self.draws = torch.Generator().manual_seed(1)  # its own: dropout draws differently on every rank

    def get(self, step):
        index = torch.randint(len(self.windows), (self.batch,), generator=self.draws)
        window = self.windows[index[self.rank * self.share : (self.rank + 1) * self.share]]
        return window[:, :-1], window[:, 1:]


class Streams:
    """The text cut into as many streams as the batch has rows, read on from window to window."""

    def __init__(self, options, rank):
        self.context = WORKLOADS[options.workload]["context"]
        tokens = load_tokens(options.data, "train")
        share = options.batch // options.ranks
        streams = tokens[: len(tokens) // options.batch * options.batch].view(options.batch, -1)
        self.streams = streams[rank * share : (rank + 1) * share].t().contiguous()
        self.per_epoch = (len(self.streams) - 1) // self.context

    def get(self, step):
        first = step % self.per_epoch * self.context
        return self.streams[first : first + self.context], self.streams[first + 1 : first + 1 + self.context]


# ---- workloads


def lstm(width):
    return {"network": lambda options: CharLSTM(width, options.embedding), "data": Streams, "batch": 50,
            "context": 50, "lr": 2e-3, "clip": 5.0, "bf16": "copy"}


def gpt(layers, heads, width, context, dropout, batch):
    return {"network": lambda options: GPT(layers, heads, width, context, dropout, options.attention), "data": Windows,
            "batch": batch, "context": context, "lr": 1e-3, "clip": 1.0, "betas": (0.9, 0.99), "decay": 0.1}


WORKLOADS = {
    "mlp": {"network": mlp, "data": Pictures, "batch": 32, "lr": 1e-3},
    "cnn": {"network": cnn, "data": Pictures, "batch": 32, "lr": 1e-3},
    "lstm128": lstm(128),
    "lstm512": lstm(512),
    "gpt": gpt(4, 4, 128, 64, 0.0, 12),  # nanoGPT's setting for a CPU
    "gpt-baby": gpt(6, 6, 384, 256, 0.2, 8),
}


def optimizer_of(workload, parameters, foreach):
    if "decay" not in workload:
        return torch.optim.Adam(parameters, lr=workload["lr"], foreach=foreach)
    groups = [{"params": [p for p in parameters if p.dim() >= 2], "weight_decay": workload["decay"]},
              {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=workload["lr"], betas=workload["betas"], foreach=foreach)


def rate_of(step, steps):
    """Share of the learning rate: 100 steps up to it, then half a cosine down to a tenth."""
    if step < 100:
        return (step + 1) / 101
    return 0.1 + 0.45 * (1 + math.cos(math.pi * (step - 100) / max(1, steps - 100)))


class Copies:
    """bfloat16 without autocast: a copy of the model computes, float32 parameters of the model itself are trained."""

    def __init__(self, model):
        self.model = copy.deepcopy(model).bfloat16()
        self.pairs = list(zip(model.parameters(), self.model.parameters()))

    def gradients(self):
        for own, computed in self.pairs:
            own.grad = computed.grad.float()
            computed.grad = None

    def weights(self):
        with torch.no_grad():
            for own, computed in self.pairs:
                computed.copy_(own)


def accuracy_of(model, options):
    x, y = Pictures.load(options, "test")
    with torch.no_grad():
        right = sum((model(xs).argmax(1) == ys).sum().item() for xs, ys in zip(x.split(1000), y.split(1000)))
    return right / len(y)


def loss_of_text(model, options):
    """Mean over every token of the test split but the first, window after window in order."""
    context = WORKLOADS[options.workload]["context"]
    tokens = load_tokens(options.data, "test")
    whole = (len(tokens) - 1) // context * context
    batches = list(zip(tokens[:whole].view(-1, context).split(64), tokens[1 : whole + 1].view(-1, context).split(64)))
    if whole + 1 < len(tokens):
        batches.append((tokens[None, whole:-1], tokens[None, whole + 1 :]))
    model.eval()
    with torch.no_grad():
        total = sum(F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum").item() for x, y in batches)
    return total / (len(tokens) - 1)


def train(rank, options, results):
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    torch.set_flush_denormal(True)
    ranks, workload = options.ranks, WORKLOADS[options.workload]
    data = workload["data"](options, rank)
    recurrent = workload["data"] is Streams
    model = workload["network"](options)
    if options.workload == "cnn" and not options.channels_first:
        model = model.to(memory_format=torch.channels_last)
    copies = Copies(model) if options.precision == "bf16" and options.bf16 == "copy" else None
    replica = copies.model if copies else model
    if ranks > 1:
        torch.distributed.init_process_group("gloo", f"tcp://127.0.0.1:{options.port}", rank=rank, world_size=ranks)
        # Buffers here are constants: nothing to broadcast.
        replica = nn.parallel.DistributedDataParallel(replica, broadcast_buffers=False, gradient_as_bucket_view=True)
    torch.manual_seed(options.seed + (rank if workload["data"] is Windows else 0))
    parameters = list(model.parameters())
    optimizer = optimizer_of(workload, parameters, options.foreach)
    cast = (lambda: torch.autocast("cpu", dtype=torch.bfloat16)) if options.precision == "bf16" and not copies \
        else contextlib.nullcontext

    state, marks = None, []
    for step in range(options.steps):
        if step % max(1, options.steps // 10) == 0:
            marks.append((step, time.perf_counter()))
        x, y = data.get(step)
        if recurrent and step % data.per_epoch == 0:
            state = None
        if not copies:
            optimizer.zero_grad(set_to_none=True)
        with cast():
            logits = replica(x, state) if recurrent else replica(x)
            if recurrent:
                logits, state = logits[0], tuple(s.detach() for s in logits[1])
        loss = F.cross_entropy(logits.float().flatten(0, -2), y.flatten())
        loss.backward()
        if copies:
            copies.gradients()
        if "clip" in workload:
            nn.utils.clip_grad_norm_(parameters, workload["clip"])
        if options.schedule:
            for group in optimizer.param_groups:
                group["lr"] = workload["lr"] * rate_of(step, options.steps)
        optimizer.step()
        if copies:
            copies.weights()
        if rank == 0 and options.log and (step + 1) % options.log == 0:
            print(f"step {step + 1} loss {loss.item():.4f}", flush=True)
    marks.append((options.steps, time.perf_counter()))
    rates = [(b[0] - a[0]) * options.batch / (b[1] - a[1]) for a, b in zip(marks, marks[1:])]

    if rank == 0:
        rate = float(numpy.median(rates))
        result = {"samples_per_s": rate, "train_loss": loss.item(), "steps": options.steps}
        if workload["data"] is Pictures:
            result["test_accuracy"] = accuracy_of(model, options)
        else:
            result["tokens_per_s"] = rate * workload["context"]
        if options.evaluate:
            result["test_loss"] = loss_of_text(model, options)
        results.put(result)
    if ranks > 1:
        torch.distributed.destroy_process_group()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--data", required=True, help="HDF5 file with train/x, train/y, test/x, test/y, or "
                        "with train/tokens, test/tokens")
    parser.add_argument("--batch", type=int, help="global batch")
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port", type=int, default=29501)
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--evaluate", action="store_true", help="gpt, gpt-baby: loss of the test split at the end")
    parser.add_argument("--schedule", action="store_true", help="100 steps of warm-up, then a cosine to a tenth")
    parser.add_argument("--log", type=int, metavar="N", help="print the loss every N steps")
    parser.add_argument("--attention", choices=("products", "fused"), default="products",
                        help="matrix products and softmax, or PyTorch's own function of them")
    parser.add_argument("--bf16", choices=("autocast", "copy"), help="how: torch.autocast, or a bfloat16 copy of the "
                        "model (default: the faster one)")
    parser.add_argument("--embedding", action="store_true", help="a trained embedding before the LSTM, not one-hot")
    parser.add_argument("--foreach", action="store_true", help="Adam's multi-tensor variant")
    parser.add_argument("--channels-first", action="store_true", help="PyTorch's default layout, which is slower here")
    options = parser.parse_args()
    if options.evaluate and WORKLOADS[options.workload]["data"] is not Windows:
        parser.error("--evaluate is for gpt and gpt-baby")
    options.batch = options.batch or WORKLOADS[options.workload]["batch"]
    can_copy = options.ranks == 1 and WORKLOADS[options.workload]["data"] is not Pictures
    if options.bf16 == "copy" and not can_copy:
        parser.error("--bf16 copy is for text, and for one rank: gloo does not sum bfloat16")
    options.bf16 = options.bf16 or (WORKLOADS[options.workload].get("bf16", "autocast") if can_copy else "autocast")
    if options.batch % options.ranks:
        parser.error(f"--batch {options.batch} cannot be split between {options.ranks} ranks")

    os.environ["OMP_NUM_THREADS"] = "1"
    results = torch.multiprocessing.get_context("spawn").SimpleQueue()
    if options.ranks == 1:
        train(0, options, results)
    else:
        torch.multiprocessing.spawn(train, (options, results), nprocs=options.ranks)
    print(json.dumps(results.get()))


if __name__ == "__main__":
    main()
