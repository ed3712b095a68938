"""The default recipe's network in PyTorch, as fast as plain PyTorch gets on a CPU: the other side of mlp.sh.

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


def load(path, split):
    with h5py.File(path, "r") as file:
        x = torch.from_numpy(numpy.asarray(file[f"{split}/x"], dtype=numpy.float32)).flatten(1) / 255
        y = torch.from_numpy(numpy.asarray(file[f"{split}/y"], dtype=numpy.int64)).flatten()
    return x, y


def train(rank, options, results):
    torch.set_num_threads(1)
    torch.manual_seed(1)
    torch.set_flush_denormal(True)
    ranks = options.ranks
    x, y = load(options.data, "train")
    model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    replica = model
    if ranks > 1:
        torch.distributed.init_process_group("gloo", f"tcp://127.0.0.1:{options.port}", rank=rank, world_size=ranks)
        replica = nn.parallel.DistributedDataParallel(model)
    loss_of = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, foreach=options.foreach)

    rates = []
    share = options.batch // ranks
    for _ in range(options.epochs):
        start = time.perf_counter()
        order = torch.randperm(len(x))  # the same on every rank: the seeds are equal
        if options.gather == "epoch":
            mine = order[: len(x) // options.batch * options.batch].view(-1, ranks, share)[:, rank].flatten()
            shuffled_x, shuffled_y = x[mine], y[mine]
        for step in range(len(x) // options.batch):
            if options.gather == "epoch":
                xs, ys = shuffled_x[step * share : (step + 1) * share], shuffled_y[step * share : (step + 1) * share]
            else:
                first = step * options.batch + rank * share
                index = order[first : first + share]
                xs, ys = x[index], y[index]
            optimizer.zero_grad(set_to_none=True)
            loss_of(replica(xs), ys).backward()
            optimizer.step()
        rates.append(len(x) // options.batch * options.batch / (time.perf_counter() - start))

    if rank == 0:
        x, y = load(options.data, "test")
        with torch.no_grad():
            accuracy = (model(x).argmax(1) == y).double().mean().item()
        results.put({"samples_per_s": float(numpy.median(rates)), "test_accuracy": accuracy, "epochs": options.epochs})
    if ranks > 1:
        torch.distributed.destroy_process_group()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="HDF5 file with train/x, train/y, test/x, test/y")
    parser.add_argument("--batch", type=int, default=32, help="global batch")
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--port", type=int, default=29501)
    parser.add_argument("--foreach", action="store_true", help="Adam's multi-tensor variant")
    parser.add_argument("--gather", choices=["step", "epoch"], default="step", help="index every batch, or all at once")
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
