#!/usr/bin/env bash
# import images: pictures of every kind PNG and JPEG know arrive with the values they have, upright, in one shape, with the
# names of their folders; what would arrive as something else is refused by its name.
. "$(dirname "$0")/../support/lib.sh"

PYTHONPATH=$source/tests/support "$python" -B - "$dtrain" <<'PYTHON' >"$out" 2>"$err"
import os, re, shutil, struct, subprocess, sys, zlib
from fractions import Fraction
import h5py, numpy as np
from pictures import CHANNELS, JPEGS, PIXELS, chunk, exif, png, with_exif

random = np.random.default_rng(11)
failures = 0


def check(what, good, shown=""):
    global failures
    failures += not good
    print("ok   " if good else "FAIL ", what, "" if good else shown)


def folder(**files):
    shutil.rmtree("in", ignore_errors=True)
    for name, data in files.items():
        path = "in/" + name.replace("__", "/")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)


def run(*arguments):
    if os.path.exists("out.h5"):
        os.remove("out.h5")
    done = subprocess.run([sys.argv[1], "import", "images", "in", "out.h5", *arguments], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr, done.stdout


def taken(what, files, expected, arguments=()):
    """`expected` is the values of datasets; what else there is must be a label."""
    folder(**files)
    code, err, out = run(*arguments)
    if code != 0:
        return check(what, False, err)
    with h5py.File("out.h5") as f:
        for name, values in expected.items():
            if name not in f:
                return check(what, False, f"no {name}")
            got, values = f[name][()], np.asarray(values)
            if got.shape != values.shape or not np.array_equal(got, values):
                return check(what, False, f"{name} {got.shape} {values.shape}\n{got}\n{values}")
    check(what, True)


def refused(what, files, regex, arguments=(), code=1):
    folder(**files)
    got, err, out = run(*arguments)
    good = got == code and err.count("\n") == 1 and re.search(regex, err) and not os.path.exists("out.h5")
    check(f"{what}: {err.strip()[:160]}", good, f"exit code {got}, not /{regex}/")


def noise(height, width, kind, bits=8):
    return random.integers(0, 2**bits, (height, width, CHANNELS[kind])).astype("u2")


# Every type of PNG, also interlaced.
for interlaced in 0, 1:
    for bits in 1, 2, 4, 8, 16:
        grey = noise(9, 11, 0, bits)
        scale = 255 // (2**bits - 1) if bits < 16 else 1
        taken(f"grey of {bits} bits, interlaced {interlaced}", {"a.png": png(grey, 0, bits, interlaced)}, {"train/x": [grey * scale]})
    for kind, bits in (2, 8), (2, 16), (4, 8), (4, 16), (6, 8), (6, 16):
        x = noise(9, 11, kind, bits)
        taken(f"type {kind} of {bits} bits, interlaced {interlaced}", {"a.png": png(x, kind, bits, interlaced)}, {"train/x": [x]})
for bits in 1, 2, 4, 8:
    indices, colours = noise(5, 7, 3, bits), random.integers(0, 256, (2**bits, 3)).astype("u1")
    palette = chunk(b"PLTE", colours.tobytes())
    taken(f"a palette of {bits} bits", {"a.png": png(indices, 3, bits, before=palette)}, {"train/x": [colours[indices[..., 0]]]})
alpha = random.integers(0, 256, 2**8).astype("u1")
clear = palette + chunk(b"tRNS", alpha.tobytes())
taken("a palette with alpha", {"a.png": png(indices, 3, 8, before=clear)}, {"train/x": [np.concatenate([colours, alpha[:, None]], 1)[indices[..., 0]]]})
with_colour = noise(4, 4, 2)
taken("a profile and a gamma are left aside", {"a.png": png(with_colour, 2, before=chunk(b"gAMA", struct.pack(">I", 100000)))}, {"train/x": [with_colour]})

# JPEG, and how the camera was held: what numpy makes of the picture is upright.
for name, pixels in PIXELS.items():
    taken(f"a JPEG, {name}", {"a.jpg": JPEGS[name]}, {"train/x": [pixels]})
upright = [None, lambda p: p, lambda p: p[:, ::-1], lambda p: p[::-1, ::-1], lambda p: p[::-1], lambda p: p.swapaxes(0, 1),
           lambda p: np.rot90(p, -1), lambda p: p[::-1, ::-1].swapaxes(0, 1), lambda p: np.rot90(p)]
colour = noise(8, 12, 2)
for way in range(1, 9):
    for order in "<>":
        taken(f"held the way {way}{order}", {"a.jpeg": with_exif(JPEGS["rgb"], exif(way, order))}, {"train/x": [upright[way](PIXELS["rgb"])]})
    turned = png(colour, 2, before=chunk(b"eXIf", exif(way)))
    taken(f"a PNG held the way {way}", {"a.png": turned}, {"train/x": [upright[way](colour)]})
taken("a damaged EXIF says nothing", {"a.jpg": with_exif(JPEGS["rgb"], b"II*\0\xff\xff\xff\xff")}, {"train/x": [PIXELS["rgb"]]})

# Classes and parts.
x = [noise(3, 4, 0) for _ in range(6)]
files = {f"{name}.png": png(p, 0) for name, p in zip(("zebra__2", "ant__b", "ant__a", "zebra__10"), x)}
taken("classes and files in the order of their names", files, {"train/x": [x[2], x[1], x[3], x[0]], "train/y": [0, 0, 1, 1]})
with h5py.File("out.h5") as f:
    check("names of classes", h5py.check_enum_dtype(f["train/y"].dtype) == {"ant": 0, "zebra": 1})
files = {f"{name}.png": png(p, 0) for name, p in zip(("train__ant__1", "train__bee__1", "train__cat__1", "test__cat__1", "val__bee__1"), x)}
taken("parts", files, {"train/y": [0, 1, 2], "test/x": [x[3]], "test/y": [2], "validation/x": [x[4]], "validation/y": [1]})
files = {f"{name}.png": png(p, 0) for name, p in zip(("ant__2024__may__1", "ant__2", "ant__2023__9", "bee__wild__1"), x)}
taken("folders inside classes", files, {"train/x": [x[1], x[2], x[0], x[3]], "train/y": [0, 0, 0, 1]})
files = {f"{name}.png": png(p, 0) for name, p in zip(("train__ant__red__1", "train__bee__1", "test__bee__wild__far__1"), x)}
taken("folders inside classes of parts", files, {"train/y": [0, 1], "test/x": [x[2]], "test/y": [1]})
taken("a class called train", {"train__1.png": png(x[0], 0), "car__1.png": png(x[1], 0)}, {"train/x": [x[1], x[0]], "train/y": [0, 1]})
folder(**{"a__1.png": png(x[0], 0)})
os.rename("in", "tests")
folder(**{"a__1.png": png(x[1], 0), "b__1.png": png(x[2], 0), "b__notes.txt": b"?", "b__.hidden.png": b"?"})
code, err, out = run("--test", "tests")
with h5py.File("out.h5") as f:
    check("another folder of tests", np.array_equal(f["test/x"], [x[0]]) and np.array_equal(f["test/y"], [0]))
check("what is no picture is told", "1 files are no pictures by their names, as in/b/notes.txt" in out + err, out + err)

# Pictures of several kinds have one shape.
g, c = noise(3, 4, 0), noise(3, 4, 2)
taken("grey among colours", {"a.png": png(g, 0), "b.png": png(c, 2)}, {"train/x": [np.repeat(g, 3, 2), c]})
wide = c.astype(int)
lum = (299 * wide[..., :1] + 587 * wide[..., 1:2] + 114 * wide[..., 2:] + 500) // 1000
taken("colours as grey", {"a.png": png(g, 0), "b.png": png(c, 2)}, {"train/x": [g, lum]}, ["--channels", "grey"])
taken("grey as colours", {"a.png": png(g, 0)}, {"train/x": [np.repeat(g, 3, 2)]}, ["--channels", "rgb"])
deep = noise(3, 4, 0, 16)
taken("8 bits among 16", {"a.png": png(g, 0), "b.png": png(deep, 0, 16)}, {"train/x": [g * 257, deep]})
a = noise(3, 4, 6)
opaque = np.full((3, 4, 1), 255)
taken("alpha among others", {"a.png": png(g, 0), "b.png": png(a, 6)}, {"train/x": [np.concatenate([g, g, g, opaque], 2), a]})
taken("alpha left out", {"b.png": png(a, 6)}, {"train/x": [a[..., :3]]}, ["--alpha", "drop"])
for under, level in ("white", 255), ("black", 0):
    shade = a.astype(int)
    mixed = (shade[..., :3] * shade[..., 3:] + level * (255 - shade[..., 3:]) + 127) // 255
    taken(f"alpha on {under}", {"b.png": png(a, 6)}, {"train/x": [mixed]}, ["--alpha", under])


# Sizes, by fractions: the mean over a new pixel's area, or linear between the nearest centres.
def weights(old, new):
    w = np.full((new, old), Fraction(0))
    for i in range(new):
        for k in range(old):
            if new < old:
                w[i, k] = max(Fraction(0), min(Fraction(k + 1), Fraction((i + 1) * old, new)) - max(Fraction(k), Fraction(i * old, new))) * Fraction(new, old)
            else:
                centre = min(max(Fraction(2 * i + 1, 2) * old / new - Fraction(1, 2), Fraction(0)), Fraction(old - 1))
                w[i, k] = max(Fraction(0), 1 - abs(centre - k))
    return w


def resized(p, height, width):
    out = np.empty((height, width, p.shape[2]), int)
    for ch in range(p.shape[2]):
        exact = weights(p.shape[0], height) @ p[..., ch].astype(object) @ weights(p.shape[1], width).T
        out[..., ch] = np.vectorize(lambda v: (v + Fraction(1, 2)) // 1)(exact)
    return out


for height, width in (3, 5), (20, 31), (4, 40), (7, 9), (1, 1):
    p = noise(7, 9, 2)
    taken(f"7x9 to {height}x{width}", {"a.png": png(p, 2)}, {"train/x": [resized(p, height, width)]}, ["--size", f"{height}x{width}"])
p, deep = noise(6, 12, 0), noise(5, 4, 0, 16)
taken("16 bits", {"a.png": png(deep, 0, 16)}, {"train/x": [resized(deep, 3, 3)]}, ["--size", "3x3"])
taken("the middle", {"a.png": png(p, 0)}, {"train/x": [resized(p[:, 3:9], 2, 2)]}, ["--size", "2x2", "--fit", "crop"])
taken("two sizes to one", {"a.png": png(p, 0), "b.png": png(g, 0)}, {"train/x": [resized(p, 4, 4), resized(g, 4, 4)]}, ["--size", "4x4"])

# Refused, each by its name.
good = png(g, 0)
cut = good[: len(good) - 20]
flipped = bytearray(good)
flipped[45] ^= 1
wide = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 10000, 10000, 8, 2, 0, 0, 0)) + good[33:]
for what, name, data, regex in [
    ("another size", "b.png", png(p, 0), "in/b.png is 6x12 but in/a.png is 3x4; --size 3x4"),
    ("CMYK", "b.jpg", JPEGS["cmyk"], "in/b.jpg: is a JPEG in colours for print"),
    ("an animation", "b.png", png(g, 0, before=chunk(b"acTL", struct.pack(">II", 2, 0))), "in/b.png: is an animated PNG"),
    ("a GIF", "b.gif", b"GIF89a" + bytes(20), "in/b.gif: is a GIF"),
    ("a WebP under another name", "b.jpg", b"RIFF\0\0\0\0WEBPVP8 ", "in/b.jpg: is a WebP"),
    ("a text", "b.png", b"hello", "in/b.png: is neither PNG nor JPEG: begins with the bytes 68 65"),
    ("nothing", "b.png", b"", "in/b.png: the file is empty"),
    ("a PNG that is cut", "b.png", cut, "in/b.png: the PNG is damaged"),
    ("a PNG with another bit", "b.png", bytes(flipped), "in/b.png: the PNG is damaged"),
    ("a PNG without enough pixels", "b.png", png(g, 0, data=zlib.compress(b"\0\1\2\3\4")), "in/b.png: the PNG is damaged"),
    ("a PNG that claims much", "b.png", wide, "in/b.png: claims 10000x10000 pixels"),
    ("a PNG that claims more", "b.png", good[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0)) + good[33:], "in/b.png: a picture of 2147483647x2147483647 pixels"),
]:
    refused(what, {"a.png": good, name: data}, regex)
jpeg = JPEGS["rgb"]
for what, data in ("cut", jpeg[:-40]), ("begun", jpeg[:30]), ("hit", jpeg[:-60] + b"\xff\xd8" + jpeg[-58:]), ("without tables", jpeg[:2] + jpeg[jpeg.index(b"\xff\xc0") :]):
    refused(f"a JPEG that is {what}", {"a.jpg": data}, "in/a.jpg: the JPEG is damaged: [A-Za-z]")
refused("no pictures", {"a.txt": b""}, "in: there is no picture in the folder")
refused("an empty class", {"a__1.png": good, "b__1.txt": b""}, "in/b: there is no picture in the folder")
refused("classes a folder further down", {"a__b__1.png": good, "a__c__1.png": good}, "in: its one folder, a, has pictures in folders alone; if these are the classes, name in/a")
refused("parts inside classes", {"a__train__1.png": good, "b__test__1.png": good}, "in/a/train: a folder for a part of the data inside that of a class; .* FOLDER/train/a/")
folder(**{"a__1.png": good, "b__2.png": good})
os.symlink("..", "in/b/again")
code, err, out = run()
check("a link that leads back", code == 1 and re.search("in/b/again/.*: more than 16 folders inside each other", err) and len(err.splitlines()) == 1, err)
refused("an empty class whose folders are empty", {"a__1.png": good, "b__c__1.txt": b""}, "in/b: there is no picture in the folder")
refused("a picture beside classes", {"a__1.png": good, "1.png": good}, "in/1.png: a picture beside the folders")
refused("a class for tests alone", {"train__a__1.png": good, "test__b__1.png": good}, "in/test/b: is a class that the training")
refused("a size that is none", {"a.png": good}, '--size is "64"', ["--size", "64"], 2)
refused("a size that is too large", {"a.png": good}, '--size is "99999x9"', ["--size", "99999x9"], 2)
print("done", failures)
PYTHON
if grep -q 'built without lib\(png\|jpeg\)' "$out"; then
    lacks "pictures: $(grep -o 'built without lib[a-z]*' "$out" | sort -u | tr '\n' ' ')"
    exit 77
fi
cat "$out"
tail -n 1 "$out" | grep -qx 'done 0' || { fail "pictures" && show "$err"; }
finish
