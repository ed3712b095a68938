#!/usr/bin/env python3
"""Writes the parts of the corpora that are no text: corpus.py KIND DIRECTORY."""
import gzip
import pathlib
import struct
import sys

BETWEEN = b"\n%%%%\n"


def idx(kind, shape, values):
    return struct.pack(">BBBB", 0, 0, kind, len(shape)) + struct.pack(f">{len(shape)}I", *shape) + values


def idx_inputs():
    pictures = idx(8, (4, 3, 2), bytes(range(24)))
    labels = idx(8, (4,), bytes([0, 1, 2, 1]))
    yield "plain", pictures + BETWEEN + labels
    yield "packed", gzip.compress(pictures, mtime=0) + BETWEEN + gzip.compress(labels, mtime=0)
    yield "short", pictures[:-5] + BETWEEN + labels
    yield "huge", idx(8, (0xFFFFFFFF, 0xFFFFFFFF, 2), bytes(24)) + BETWEEN + labels
    yield "floats", idx(13, (2, 3), struct.pack(">6f", *range(6))) + BETWEEN + idx(8, (2,), bytes(2))
    yield "targets", idx(8, (2, 3), bytes(6)) + BETWEEN + idx(14, (2,), struct.pack(">2d", 1.5, -2))


def main():
    kind, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    for name, data in {"idx": idx_inputs}[kind]():
        (directory / name).write_bytes(data)


main()
