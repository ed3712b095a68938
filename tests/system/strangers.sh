#!/usr/bin/env bash
# Data files that strangers made: none leads to another file, is taken for zeros, fills a disk, or speaks to the terminal.
. "$(dirname "$0")/../support/lib.sh"

"$python" - <<'PYTHON' || give_up "the files could not be made"
import os, struct
import h5py
import numpy as np

N, D, K = 120, 6, 3
rng = np.random.default_rng(4)
Y = rng.integers(0, K, N).astype("u1")
X = (rng.normal(0, 1, (N, D)) + 4 * np.eye(K, D)[Y]).astype("f4")


def file(name, **parts):
    """The base set with parts replaced: a function of the file, or an array."""
    with h5py.File(name, "w", libver="latest") as f:
        for key, mine in (("train/x", X), ("train/y", Y), ("test/x", X), ("test/y", Y)):
            part = parts.get(key.replace("/", "_"), mine)
            if callable(part):
                part(f, key)
            else:
                f[key] = part


def mapped(*sources):
    """A virtual dataset of these files' /x, each with an equal part of the rows."""

    def make(f, key):
        rows = np.array_split(np.arange(N), len(sources))
        layout = h5py.VirtualLayout((N, D), "f4")
        for source, r in zip(sources, rows):
            if source:
                layout[r[0] : r[-1] + 1] = h5py.VirtualSource(source, "x", (len(r), D))
        f.create_virtual_dataset(key, layout)

    return make


def half(name, rows, **args):
    with h5py.File(name, "w") as f:
        f.create_dataset("x", data=X[rows], **args)


file("base.h5")
other = "../" + os.path.basename(os.getcwd()) + "-other/b.h5"
os.makedirs("below"), os.makedirs(os.path.dirname(other))
half("a.h5", slice(0, 60)), half("b.h5", slice(60, 120)), half("below/b.h5", slice(60, 120))
file("whole.h5", train_x=mapped("a.h5", "b.h5"))
file("below.h5", train_x=mapped("./a.h5", "below/b.h5"))
file("absolute.h5", train_x=mapped(os.path.abspath("a.h5"), "b.h5"))
file("missing.h5", train_x=mapped("a.h5", "gone.h5"))
file("uncovered.h5", train_x=mapped("a.h5", None))
half("short_b.h5", slice(60, 100))
file("short.h5", train_x=mapped("a.h5", "short_b.h5"))
with h5py.File("late_b.h5", "w") as f:
    f.create_dataset("x", (60, D), "f4")
file("late.h5", train_x=mapped("a.h5", "late_b.h5"))


def own(f, key):
    f["raw"] = X
    layout = h5py.VirtualLayout((N, D), "f4")
    layout[:] = h5py.VirtualSource(".", "raw", (N, D))
    f.create_virtual_dataset(key, layout)


file("self.h5", train_x=own)

# Private files, and ways to them: external storage in a source, sources elsewhere by name and by a link.
with open("secret", "wb") as f:
    f.write(X[60:].tobytes())
with h5py.File("thief_b.h5", "w") as f:
    f.create_dataset("x", (60, D), "f4", external=[(os.path.abspath("secret"), 0, 60 * D * 4)])
file("thief.h5", train_x=mapped("a.h5", "thief_b.h5"))
file("external.h5", train_x=lambda f, key: f.create_dataset(key, (60, D), "f4", external=[("secret", 0, 60 * D * 4)]))
half(other, slice(0, 60))
file("outside.h5", train_x=mapped("a.h5", other))
file("outside_absolute.h5", train_x=mapped("a.h5", os.path.abspath(other)))
os.symlink(other, "link_b.h5")
file("outside_link.h5", train_x=mapped("a.h5", "link_b.h5"))
with h5py.File("linked_b.h5", "w") as f:
    f["x"] = h5py.ExternalLink(other, "x")
file("linked.h5", train_x=mapped("a.h5", "linked_b.h5"))


def itself(f, key):
    layout = h5py.VirtualLayout((N, D), "f4")
    layout[:] = h5py.VirtualSource(".", key, (N, D))
    f.create_virtual_dataset(key, layout)


file("itself.h5", train_x=itself)
for one, two in (("ring_a.h5", "ring_b.h5"), ("ring_b.h5", "ring_a.h5")):
    with h5py.File(one, "w", libver="latest") as f:
        layout = h5py.VirtualLayout((60, D), "f4")
        layout[:] = h5py.VirtualSource(two, "x", (60, D))
        f.create_virtual_dataset("x", layout)
file("ring.h5", train_x=mapped("ring_a.h5", "b.h5"))

# Chunks.
def chunks(written, **args):
    def make(f, key):
        data = f.create_dataset(key, (N, D), "f4", chunks=(10, D), **args)
        data[:written] = X[:written]

    return make


file("no_chunk.h5", train_x=chunks(0))
file("half.h5", train_x=chunks(60, compression="gzip"))
file("meant.h5", train_x=chunks(60, fillvalue=1))
file("unwritten.h5", train_x=lambda f, key: f.create_dataset(key, (N, D), "f4"))
file("null.h5", train_y=lambda f, key: f.create_dataset(key, data=h5py.Empty("f")))
with h5py.File("lzf.h5", "w") as f:
    f["train/y"], f["test/x"], f["test/y"] = Y, X, Y
    f.create_dataset("train/x", data=X, chunks=(10, D), compression="lzf")
with open("lzf.h5", "rb") as f:
    data = f.read()
with open("blosc.h5", "wb") as f:
    f.write(data.replace(struct.pack("<H", 32000), struct.pack("<H", 32001)).replace(b"lzf\0", b"\0\0\0\0"))

# Samples of another width: 12 MB, packed.
with h5py.File("wide.h5", "w") as f:
    for part in ("train", "test"):
        f.create_dataset(f"{part}/x", data=np.ones((20_000, 600), "u1"), chunks=(10_000, 600), compression="gzip")
        f[f"{part}/y"] = np.zeros(20_000, "u1")

# What claims to be more than it is.
def bomb(f, key):
    data = f.create_dataset(key, (10**9, D), "f4", chunks=(1000, D), compression="gzip", fillvalue=1)
    data[:1000] = 0


file("bomb.h5", train_x=bomb, train_y=np.zeros(10, "u1"))

# Rows of x and y that do not fit each other, which need not be unpacked to be seen.
with h5py.File("unequal.h5", "w") as f:
    f["train/y"], f["test/x"], f["test/y"] = Y[1:], X, Y
    f.create_dataset("train/x", data=X, chunks=(10, D), compression="gzip")

# Names and texts.
evil = "x\x1b]0;owned\x07\u202e\nnot an error"
with h5py.File("evil.h5", "w") as f:
    f[evil] = X
    f[evil].attrs["title\x1b[2J"] = "red\x1b[31m\x9b\n\x1b[2Jsecond"
    f.attrs["long"] = "y" * 3_000_000
    f.attrs["fixed"] = np.bytes_(b"\xff\xfe\x1b[1m")
PYTHON

cat >r.yaml <<'END'
name: strangers
model: {layers: [flatten, {dense: 3}]}
data: {normalize: computed}
train: {epochs: 2, batch: 16}
END

train_on() { # train_on FILE
    rm -rf run spool && mkdir spool
    run 1 train r.yaml --run run --set "data.file=$1" --set "data.spool=$work/spool"
}
accepted() { # accepted FILE: has the numbers of the base set
    train_on "$1"
    if [[ $(last_value digest) == "$digest" ]]; then pass "$1 is the base set"; else
        fail "$1 is not the base set" && show "$out" "$err"
    fi
}
refused() { # refused FILE REGEX
    train_on "$1"
    expect_bad 1 "$2" "$1"
    [[ -z $(ls spool) ]] || fail "$1: the spool is not empty"
}

train_on base.h5
expect_code 0 "the base set"
digest=$(last_value digest)
for name in whole below absolute self; do accepted $name.h5; done
refused missing.h5 'missing.h5: /train/x is a virtual dataset.*gone.h5 is missing'
refused uncovered.h5 'uncovered.h5: /train/x is a virtual dataset.*360 of its 720 values'
refused short.h5 'source x of short_b.h5 is smaller'
refused late.h5 'x of late_b.h5 \(a source of /train/x\) was never written'
refused thief.h5 'x of thief_b.h5.*keeps its data in another file'
refused external.h5 'external.h5: /train/x keeps its data in another file'
for name in outside outside_absolute outside_link; do refused $name.h5 'b.h5 is outside the file.s own directory'; done
refused linked.h5 'linked_b.h5 is a link to another file'
refused itself.h5 'maps itself'
refused ring.h5 'maps itself'
# a directory that the environment names is none of the file's
HDF5_VDS_PREFIX=$work-other accepted whole.h5
rm -rf "$work-other"

refused no_chunk.h5 '/train/x was never written'
refused unwritten.h5 '/train/x was never written'
refused half.h5 '/train/x is written in part: 6 of its 12 chunks are missing'
train_on meant.h5
expect_code 0 "chunks that a fill value stands for"
refused null.h5 '/train/y is empty'
refused lzf.h5 'packed with the filter "lzf" \(number 32000\).*h5repack'
refused blosc.h5 'packed with the filter "blosc" \(number 32001\).*h5repack'
refused bomb.h5 '/train/x claims 24000000000 bytes but has [0-9]+ in the file'

# Shapes are compared before anything is unpacked: there is no such spool directory, and nobody looks for it.
run 1 train r.yaml --run run --set data.file=unequal.h5 --set data.spool=nowhere
expect_bad 1 "unequal.h5: /train/x has [0-9]+ rows but /train/y has [0-9]+" "rows that do not fit, and no room to unpack them"

# An evaluation on samples of another width ends before there would have to be room for them.
train_on base.h5
(ulimit -f 8000 && run 1 eval run --data wide.h5 && echo "$code" >code)
code=$(cat code)
expect_bad 1 'wide.h5: /test/x is \[20000, 600\], but run/checkpoints/step-[0-9]+.h5 was trained on samples of 6 numbers' "another width"

# no_controls FILE WHAT: no byte that a terminal obeys
no_controls() {
    if LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\x8b-\x8f\xa8-\xae]' "$1"; then
        fail "$2: control characters" && cat -v "$1" | show
    else
        pass "$2 shows no control characters"
    fi
}
run 1 inspect evil.h5
expect_code 0 "inspect of a file with evil names"
no_controls "$out" "inspect"
expect_in "$out" 'x\\x1b\]0;owned\\x07\\u\{202e\}\\nnot an error' "and what they are"
expect_in "$out" 'red\\x1b\[31m' "and texts"
expect_in "$out" '3000000 bytes in all' "a long one is cut"
[[ $(wc -c <"$out") -lt 1200000 ]] || fail "inspect printed $(wc -c <"$out") bytes"
refused evil.h5 'there is no /train/x; it holds /x\\x1b'
no_controls "$err" "a message"
run 1 inspect "$(printf 'no\nsuch\033[2J.h5')"
expect_bad 1 'no\\nsuch\\x1b\[2J.h5' "a file name"

# What the reader of `inspect` does is no damage.
"$dtrain" inspect base.h5 2>"$err" | head -n 1 >/dev/null
[[ ! -s $err ]] || { fail "inspect | head" && show "$err"; }
finish
