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


def safetensors_inputs():
    import json

    def file(header, data, length=None):
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text) if length is None else length) + text + data

    def array(dtype, shape, begin, end):
        return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}

    two = {"__metadata__": {"format": "pt"}, "a": array("F32", [2, 3], 0, 24), "b": array("F16", [2], 24, 28)}
    yield "plain", file(two, bytes(range(28)))
    yield "short", file(two, bytes(range(20)))
    yield "long", file(two, bytes(28), 1 << 60)
    yield "overlap", file({"a": array("I8", [4], 0, 4), "b": array("BOOL", [4], 2, 6)}, bytes(6))
    yield "huge", file({"a": array("F64", [1 << 62, 4], 0, 8)}, bytes(8))
    yield "types", file({"a": array("BF16", [], 0, 2), "b": array("F8_E5M2", [3], 2, 5), "c": array("U64", [0], 5, 5)}, bytes(5))


def message_inputs():
    def message(how, kind, payload, bits=8, count=8, length=None, number=3, site=b"south"):
        fields = struct.pack("<8sII64sQIIQQ16sQQQ32sQ64s", b"\x89dtmail\n", 1, kind, site, number, 0, bits, 5, 7, bytes(16), 10, count,
                             len(payload) if length is None else length, bytes(32), 0, bytes(64))
        return bytes([how]) + fields + payload

    signed, vote = 5, 7
    yield "part", message(signed, 1, bytes(range(8)))
    yield "unsigned", message(0, 1, bytes(8))
    yield "torn", message(signed, 1, bytes(8))[:-3]
    yield "huge", message(1, 1, bytes(8), length=1 << 62)
    yield "replayed", message(signed, 1, bytes(8), number=2)
    yield "stranger", message(signed, 1, bytes(8), site=b"west")
    for name, ballot, what, ids in ("report", 1, 0, bytes(32) + b"x" * 32), ("proposal", 1, 1, b"y" * 64), ("none", 2, 2, bytes(64)), ("late", 61, 0, b"z" * 64):
        yield name, message(vote, 2, struct.pack("<II", ballot, what) + ids, bits=0, count=0)


def masks_inputs():
    for phase in range(4):
        for name, rest in ("true", [0]), ("longer", [3]), ("shorter", [0xF0, 0x28, 0, 1]), ("other", [0, 5, 0, 1]), ("behind", [0, 0x60, 0, 0xFF]):
            yield f"{name}-{phase}", bytes([phase, *rest])


def numpy_inputs():
    import io

    import numpy

    def npy(array, version=None):
        out = io.BytesIO()
        numpy.lib.format.write_array(out, array, version)
        return out.getvalue()

    def npz(save, **arrays):
        out = io.BytesIO()
        save(out, **arrays)
        return out.getvalue()

    x = numpy.arange(24.0).reshape(2, 3, 4)
    yield "plain", npy(x.astype("<f4"))
    yield "turned", npy(numpy.asfortranarray(x.astype(">i2")))
    yield "half", npy(x.astype("f2"), (3, 0))
    yield "truth", npy(x > 5, (2, 0))
    yield "text", npy(numpy.array(["a", "b"]))
    yield "archive", npz(numpy.savez, x=x, y=numpy.arange(2))
    yield "packed", npz(numpy.savez_compressed, x_train=x.astype("u1"), y_train=numpy.arange(2), x_test=numpy.asfortranarray(x.astype("u1")))


def pictures_inputs():
    import numpy

    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
    from pictures import CHANNELS, JPEGS, chunk, exif, png, with_exif

    for kind, bits, interlaced in (0, 1, 0), (0, 16, 1), (2, 8, 1), (4, 8, 0), (6, 16, 0):
        values = numpy.arange(5 * 6 * CHANNELS[kind]).reshape(5, 6, -1) * 37 % 2**bits
        yield f"png{kind}-{bits}", png(values, kind, bits, interlaced)
    palette = chunk(b"PLTE", bytes(range(12))) + chunk(b"tRNS", bytes([0, 128, 255]))
    yield "palette", png(numpy.arange(12).reshape(3, 4, 1) % 4, 3, 2, before=palette)
    yield "held", png(numpy.arange(12).reshape(3, 4, 1), 0, before=chunk(b"eXIf", exif(6)))
    yield "exif", exif(8, ">")
    for name, jpeg in JPEGS.items():
        yield name, with_exif(jpeg, exif(5)) if name == "rgb" else jpeg


def data_files(directory):
    import h5py
    import numpy

    def split(file, name, x, y, **how):
        file.create_dataset(f"{name}/x", data=x, **how)
        file.create_dataset(f"{name}/y", data=y)

    pictures = numpy.arange(6 * 4, dtype="u1").reshape(6, 2, 2)
    labels = numpy.array([0, 1, 2, 0, 1, 2], dtype="u1")
    with h5py.File(directory / "plain", "w") as file:
        split(file, "train", pictures, labels)
        split(file, "test", pictures[:2], labels[:2])
    with h5py.File(directory / "packed", "w", libver="latest") as file:
        split(file, "train", pictures.astype("f4"), labels.astype(">i8"), chunks=(2, 2, 2), compression="gzip")
        split(file, "test", pictures.astype("f2"), labels.astype("?"), chunks=(2, 2, 2), fletcher32=True)
    with h5py.File(directory / "values", "w", libver="latest") as file:
        split(file, "train", pictures.astype("i8"), pictures.reshape(6, 4).astype("f8"))
        layout = h5py.VirtualLayout(shape=(6, 2, 2), dtype="i8")
        layout[:] = h5py.VirtualSource(file["train/x"])
        file.create_virtual_dataset("test/x", layout)
        file["test/y"] = h5py.SoftLink("/train/y")
    with h5py.File(directory / "tokens", "w", libver="latest") as file:
        for name, count in (("train", 40), ("test", 12)):
            tokens = file.create_dataset(f"{name}/tokens", data=numpy.arange(count, dtype="i4") % 7)
            tokens.attrs["chars"] = count


def main():
    kind, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    if kind == "data":
        data_files(directory)
        return
    for name, data in {"idx": idx_inputs, "safetensors": safetensors_inputs, "numpy": numpy_inputs, "pictures": pictures_inputs, "message": message_inputs, "masks": masks_inputs}[kind]():
        (directory / name).write_bytes(data)


main()
