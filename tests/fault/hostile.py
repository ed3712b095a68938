#!/usr/bin/python3
"""Gives damaged and hostile HDF5 files to every command that reads files of others, and looks at what becomes of the process.

  hostile.py --program dtrain --recipe R.yaml [--seed N] [--count N]     makes look-alikes of the kinds that public reports have: small good
                                                                         files with flipped bits, cut, with pieces moved, with huge claims
  hostile.py --program dtrain --recipe R.yaml --files DIRECTORY          takes files as they are, those of HDFGroup's cve_hdf5 for example

What must hold, of every file and every command: the process ends by itself, with 0 or 1, within --seconds; it never has more than
--megabytes of memory, children included; a refusal is one line that names the file; no control character is printed.
"""

import argparse
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import h5py
import numpy as np

ENVIRONMENT = dict(os.environ, OMP_NUM_THREADS="1", OMPI_MCA_rmaps_base_oversubscribe="1")
CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")


# ---- files ----


def good_dataset(path, **args):
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 3, 60).astype("u1")
    values = (rng.normal(0, 1, (60, 6)) + 3 * np.eye(3, 6)[labels]).astype("f4")
    with h5py.File(path, "w", **args) as file:
        for part in ("train", "test"):
            file.create_dataset(f"{part}/x", data=values, chunks=(20, 6), compression="gzip", shuffle=True, fletcher32=True)
            file[f"{part}/y"] = labels
        file["train/x"].attrs["name"] = "a text\nof two lines"
        file["train/x"].attrs["numbers"] = np.arange(10)
        file["soft"] = h5py.SoftLink("/train")
        file["compact"] = np.bytes_(b"abc")
        file.create_dataset("texts", data=["one", "two", "three"], dtype=h5py.string_dtype())
        file.create_dataset("grows", (5, 2), "i4", maxshape=(None, None), chunks=(2, 2))[:] = 7


def mutate(data, rng):
    """One change of the kind that damage and malice make."""
    data = bytearray(data)
    kind = rng.choice(["bits", "bits", "bytes", "cut", "move", "huge", "huge", "zeros", "signature"])
    at = rng.randrange(len(data))
    if kind == "bits":
        for _ in range(rng.choice([1, 1, 1, 4, 16])):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "bytes":
        data[at] = rng.choice([0, 1, 0x7F, 0x80, 0xFF])
    elif kind == "cut":
        del data[at:]
    elif kind == "move":
        length, to = rng.randrange(1, 64), rng.randrange(len(data))
        data[to : to + length] = data[at : at + length]
    elif kind == "huge":
        width = rng.choice([2, 4, 8])
        value = rng.choice([2**63, 2**32, 2**31 - 1, 2**50, 2**16 - 1, len(data), at]) % 256**width
        data[at : at + width] = value.to_bytes(width, "little")
    elif kind == "zeros":
        data[at : at + rng.randrange(1, 32)] = bytes(min(rng.randrange(1, 32), len(data) - at))
    else:  # what HDF5 marks its parts with
        places = [m.start() for m in re.finditer(rb"TREE|HEAP|SNOD|OHDR|GCOL|FRHP|BTHD", data)]
        if places:
            data[rng.choice(places) + rng.randrange(4, 24)] ^= 1 << rng.randrange(8)
    return bytes(data)


def make_files(options, directory, checkpoint):
    """`count` mutants of two datasets, of the old and the latest format, and of a checkpoint."""
    rng = random.Random(options.seed)
    good_dataset(f"{directory}/old.h5")
    good_dataset(f"{directory}/latest.h5", libver="latest")
    shutil.copy(checkpoint, f"{directory}/checkpoint.h5")
    parents = {name: open(f"{directory}/{name}.h5", "rb").read() for name in ("old", "latest", "checkpoint")}
    for i in range(options.count):
        name = rng.choice(list(parents))
        with open(f"{directory}/{i:05d}-{name}.h5", "wb") as file:
            file.write(mutate(parents[name], rng))
    return [f"{directory}/{i}" for i in sorted(os.listdir(directory)) if re.match(r"\d{5}-", i)]


# ---- processes ----


def memory_of(pid):
    """Resident bytes of a process and its children, without what they share twice."""
    total = 0
    try:
        pids = [pid] + [int(p) for p in open(f"/proc/{pid}/task/{pid}/children").read().split()]
        for p in pids:
            for line in open(f"/proc/{p}/smaps_rollup"):
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        pass
    return total


class Watch(threading.Thread):
    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.most, self.over = pid, 0, threading.Event()

    def run(self):
        while not self.over.wait(0.02):
            self.most = max(self.most, memory_of(self.pid))


def run(command, seconds):
    started = time.monotonic()
    process = subprocess.Popen(command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    watch = Watch(process.pid)
    watch.start()
    try:
        output, errors = process.communicate(timeout=seconds)
        code = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        output, errors = process.communicate()
        code = None
    watch.over.set()
    watch.join()
    return code, output, errors, time.monotonic() - started, watch.most


def commands(options, file, checkpoint, where):
    program, recipe = options.program, options.recipe
    train = [program, "train", recipe, "--run", f"{where}/run", "--set", f"data.spool={where}"]
    return {
        "inspect": [program, "inspect", file],
        "verify": [program, "verify", file],
        "data": train + ["--set", f"data.file={file}"],
        "names": train + ["--set", f"data.file={file}"] + first_datasets(file),
        "text": train + ["--set", f"data.file={file}", "--set", "data.context=8"],
        "eval": [program, "eval", file, "--data", f"{where}/../good.h5"],
        "eval --data": [program, "eval", checkpoint, "--data", file],
        "resume": train + ["--set", f"data.file={where}/../good.h5", "--resume", file],
        "sample": [program, "sample", file, "--tokens", "5"],
    }


def first_datasets(file):
    """Names that h5py finds in a file, looked for by another process, since it may crash."""
    script = (
        "import h5py, sys\nnames = []\n"
        "h5py.File(sys.argv[1]).visititems(lambda n, o: names.append('/' + n) if isinstance(o, h5py.Dataset) else None)\n"
        "print('\\n'.join(names))"
    )
    try:
        found = subprocess.run(["/usr/bin/python3", "-c", script, file], capture_output=True, timeout=20, check=False).stdout
    except subprocess.TimeoutExpired:
        found = b""
    names = [n for n in found.decode("utf-8", "replace").split("\n") if re.fullmatch(r"/[\w/ .-]{1,200}", n)] or ["/x"]
    x, y = names[0], names[-1]
    return [w for field, n in (("train_x", x), ("train_y", y), ("test_x", x), ("test_y", y)) for w in ("--set", f'data.{field}="{n}"')]


def look(options, file, checkpoint, work, tally):
    where = f"{work}/place"
    for name, command in commands(options, file, checkpoint, where).items():
        if options.only and name not in options.only:
            continue
        shutil.rmtree(where, ignore_errors=True)
        os.makedirs(where)
        code, output, errors, seconds, memory = run(command, options.seconds)
        row = tally.setdefault(name, {"runs": 0, "accepted": 0, "contained": 0, "seconds": 0, "memory": 0, "faults": 0})
        contained = b"the process that read it" in errors or b"reading it took" in errors
        row["runs"] += 1
        row["accepted"] += code == 0
        row["contained"] += contained
        row["seconds"], row["memory"] = max(row["seconds"], seconds), max(row["memory"], memory)
        lines = [line for line in errors.decode("utf-8", "replace").splitlines() if not line.startswith("dtrain: warning: ")]
        faults = []
        if code is None:
            faults.append(f"did not end within {options.seconds} s")
        elif code not in (0, 1):
            faults.append(f"ended with {code}")
        if memory > options.megabytes << 20:
            faults.append(f"had {memory >> 20} MB")
        if code == 1 and (len(lines) != 1 or contained and os.path.basename(file) not in lines[0]):
            faults.append("did not name the file in one line")
        if CONTROL.search(output) or CONTROL.search(errors):
            faults.append("printed control characters")
        if [n for n in os.listdir(where) if n.startswith("dtrain-spool")]:
            faults.append("left its spool")
        if faults:
            row["faults"] += 1
            print(f"{os.path.basename(file)}: {name}: {'; '.join(faults)}\n  {errors[-400:]!r}", flush=True)
            if options.keep:
                shutil.copy(file, options.keep)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--recipe", required=True, help="of a network for 6 numbers and 3 classes")
    parser.add_argument("--files", help="a directory of files")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=200)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--only", action="append", help="one of the commands")
    parser.add_argument("--keep", help="where to put files with which something is wrong")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    work = tempfile.mkdtemp(prefix="dtrain-hostile-")
    try:
        good_dataset(f"{work}/good.h5")
        made = [options.program, "train", options.recipe, "--run", f"{work}/run", "--set", f"data.file={work}/good.h5"]
        code, output, errors, _, _ = run(made, options.seconds)
        if code != 0:
            sys.exit(f"the good files cannot be used: {errors!r}")
        checkpoints = f"{work}/run/checkpoints"
        checkpoint = f"{checkpoints}/{sorted(os.listdir(checkpoints))[-1]}"
        if options.files:
            files = [os.path.join(d, n) for d, _, names in os.walk(options.files) for n in sorted(names)]
            files = [f for f in files if not re.search(r"\.(md|c|yml|sh|py)$", f) and "/.git/" not in f]
        else:
            os.makedirs(f"{work}/files")
            files = make_files(options, f"{work}/files", checkpoint)
        tally = {}
        for file in files:
            look(options, file, checkpoint, work, tally)
        print(f"{len(files)} files")
        print(f"{'command':<12} {'runs':>5} {'used':>5} {'contained':>9} {'longest s':>9} {'most MB':>8} {'faults':>6}")
        for name, row in tally.items():
            print(
                f"{name:<12} {row['runs']:>5} {row['accepted']:>5} {row['contained']:>9} {row['seconds']:>9.1f}"
                f" {row['memory'] / 2**20:>8.0f} {row['faults']:>6}"
            )
        sys.exit(any(row["faults"] for row in tally.values()) or not tally)
    finally:
        shutil.rmtree(work, ignore_errors=True)


main()
