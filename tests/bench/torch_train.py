"""The networks of launch/recipes/ in PyTorch, as fast as plain PyTorch gets on a CPU: the other side of compare.sh.

Data wholly in memory as float32, no DataLoader; one thread a rank; DistributedDataParallel over gloo for several ranks,
the global batch split between them. Only the training loop is timed. Prints one line of JSON.
"""

import argparse
import json
import os
import time

import h5py
import numpy
import torch
import torch.distributed
import torch.multiprocessing
from torch import nn

NETWORKS = {
    "mlp": lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)),
    "cnn": lambda: nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10)),
}


def load(path, split):
    with h5py.File(path, "r") as file:
        x = torch.from_numpy(numpy.asarray(file[f"{split}/x"], dtype=numpy.float32)).unsqueeze(1)
        y = torch.from_numpy(numpy.asarray(file[f"{split}/y"], dtype=numpy.int64)).flatten()
    return (x - 72.94) / 90.02, y


def accuracy_of(model, x, y):
    with torch.no_grad():
        right = sum((model(xs).argmax(1) == ys).sum().item() for xs, ys in zip(x.split(1000), y.split(1000)))
    return right / len(y)


def train(rank, options, results):
    torch.set_num_threads(1)
    torch.manual_seed(1)
    torch.set_flush_denormal(True)
    ranks = options.ranks
    x, y = load(options.data, "train")
    model = NETWORKS[options.workload]()
    if options.workload != "mlp" and not options.channels_first:
        model = model.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    replica = model
    if ranks > 1:
        torch.distributed.init_process_group("gloo", f"tcp://127.0.0.1:{options.port}", rank=rank, world_size=ranks)
        replica = nn.parallel.DistributedDataParallel(model)
    loss_of = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, foreach=options.foreach)

    share = options.batch // ranks
    per_epoch = len(x) // options.batch
    marks = []
    for step in range(options.steps):
        if step % per_epoch == 0:
            order = torch.randperm(len(x))  # the same on every rank: the seeds are equal
        if step % max(1, options.steps // 10) == 0:
            marks.append((step, time.perf_counter()))
        first = step % per_epoch * options.batch + rank * share
        index = order[first : first + share]
        optimizer.zero_grad(set_to_none=True)
        loss_of(replica(x[index]), y[index]).backward()
        optimizer.step()
    marks.append((options.steps, time.perf_counter()))
    rates = [(b[0] - a[0]) * options.batch / (b[1] - a[1]) for a, b in zip(marks, marks[1:])]

    if rank == 0:
        accuracy = accuracy_of(model, *load(options.data, "test"))
        results.put({"samples_per_s": float(numpy.median(rates)), "test_accuracy": accuracy, "steps": options.steps})
    if ranks > 1:
        torch.distributed.destroy_process_group()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workload", choices=NETWORKS)
    parser.add_argument("--data", required=True, help="HDF5 file with train/x, train/y, test/x, test/y")
    parser.add_argument("--batch", type=int, default=32, help="global batch")
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--port", type=int, default=29501)
    parser.add_argument("--foreach", action="store_true", help="Adam's multi-tensor variant")
    parser.add_argument("--channels-first", action="store_true", help="PyTorch's default layout, which is slower here")
    options = parser.parse_args()

    os.environ["OMP_NUM_THREADS"] = "1"
    results = torch.multiprocessing.get_context("spawn").SimpleQueue()
    if options.ranks == 1:
        train(0, options, results)
    else:
        torch.multiprocessing.spawn(train, (options, results), nprocs=options.ranks)
    print(json.dumps(results.get()))


if __name__ == "__main__":
    main()
