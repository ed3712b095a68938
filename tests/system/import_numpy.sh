#!/usr/bin/env bash
# import npy and npz: arrays of all types, orders and versions arrive bit for bit; what has no number format here is refused
# by name, and so is an archive that is more than it can be.
. "$(dirname "$0")/../support/lib.sh"

"$python" - "$dtrain" <<'PYTHON' >"$out" 2>"$err"
import io, itertools, os, re, struct, subprocess, sys, zipfile
import h5py, numpy as np

random = np.random.default_rng(3)
failures = 0


def check(what, good, shown=""):
    global failures
    failures += not good
    print("ok   " if good else "FAIL ", what, "" if good else shown)


def run(kind, *arguments):
    if os.path.exists("out.h5"):
        os.remove("out.h5")
    done = subprocess.run([sys.argv[1], "import", kind, *arguments], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


def same(dataset, array):
    if array.dtype == np.float16:
        array = array.astype("f4")
    if array.dtype == bool:
        array = array.astype("u1")
    got = dataset[()]
    return got.shape == array.shape and got.dtype == array.dtype.newbyteorder("=") and got.tobytes() == array.astype(got.dtype).tobytes()


def taken(what, kind, arguments, **expected):
    code, err = run(kind, *arguments, "out.h5")
    if code == 0:
        with h5py.File("out.h5") as f:
            bad = [name for name, array in expected.items() if not same(f[name.replace("_", "/")], array)]
            extra = {f"{part}_{v}" for part in f for v in (f[part] if isinstance(f[part], h5py.Group) else ())} - set(expected)
            check(what, not bad and not extra, f"{bad} {extra}")
    else:
        check(what, False, err)


def refused(what, kind, regex, *arguments):
    code, err = run(kind, *arguments, "out.h5")
    good = code == 1 and err.count("\n") == 1 and re.search(regex, err) and not os.path.exists("out.h5")
    check(f"{what}: {err.strip()[:150]}", good, f"exit code {code}, not /{regex}/")


def numbers(dtype, shape):
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    raw = np.frombuffer(random.bytes(size), dtype).reshape(shape)
    return raw > 127 if dtype == bool else raw


def save(name, array, version=None):
    with open(name, "wb") as f:
        np.lib.format.write_array(f, array, version)


# Every type, byte order, order of the dimensions; half precision has all its 65536 values.
for code, order in itertools.product("u1 i1 u2 i2 u4 i4 u8 i8 f4 f8".split(), "<>"):
    x = numbers(order + code, (7, 3, 5))
    save("x.npy", x)
    taken(order + code, "npy", ["x.npy"], train_x=x)
    save("x.npy", np.asfortranarray(x))
    taken(order + code + " columns first", "npy", ["x.npy"], train_x=x)
for order in "<>":
    x = np.arange(65536, dtype="u2").view(np.float16).astype(order + "f2").reshape(256, 256)
    x = np.where(np.isnan(x), np.float16(np.nan), x).astype(order + "f2") # one NaN: which bits another has is not said
    save("x.npy", x)
    code, err = run("npy", "x.npy", "out.h5")
    with h5py.File("out.h5") as f:
        check(order + "f2", np.array_equal(f["train/x"][()], x.astype("f4"), equal_nan=True) and f["train/x"].dtype == "f4")
x = np.array([[True, False], [False, True]])
save("x.npy", x)
taken("truth values", "npy", ["x.npy"], train_x=x)
for version in (1, 0), (2, 0), (3, 0):
    save("x.npy", x := numbers("f4", (4, 2)), version)
    taken(f"version {version}", "npy", ["x.npy"], train_x=x)

# Larger than a block: both ways.
x = numbers("<u2", (70001, 40))
save("x.npy", x), save("y.npy", y := numbers(">i4", (70001,)))
taken("5.6 MB, with labels", "npy", ["x.npy", "y.npy"], train_x=x, train_y=y.astype("i4"))
save("x.npy", np.asfortranarray(x))
taken("5.6 MB, columns first", "npy", ["x.npy"], train_x=x)
x = numbers("<f4", (20, 3, 4, 2))
np.savez("a.npz", x_train=x, y_train=y[:20], x_test=x[:3], y_test=y[:3], more=np.arange(3))
taken("an archive with usual names", "npz", ["a.npz"], train_x=x, train_y=y[:20].astype("i4"), test_x=x[:3], test_y=y[:3].astype("i4"))
np.savez_compressed("a.npz", first=np.asfortranarray(x), second=y[:20])
taken("a packed one, columns first", "npz", ["a.npz", "--x", "first", "--y", "second"], train_x=x, train_y=y[:20].astype("i4"))
np.savez("a.npz", x)
taken("one array", "npz", ["a.npz"], train_x=x)
big = np.zeros((3000, 1000), "f4")
np.savez_compressed("a.npz", x=big)
taken("12 MB of zeros", "npz", ["a.npz"], train_x=big)

# Refused by name.
for name, array, what in [
    ("object", np.array([1, None]), "Python objects, kept as a pickle"),
    ("text", np.array(["cat", "dog"]), "texts"),
    ("bytes", np.array([b"cat"]), "texts"),
    ("complex", np.zeros(3, "c16"), "complex numbers"),
    ("date", np.zeros(3, "M8[D]"), "dates"),
    ("duration", np.zeros(3, "m8[s]"), "durations"),
    ("structure", np.zeros(3, [("a", "f4"), ("b", "i4")]), "a structure: save each field"),
    ("long double", np.zeros(3, "f16"), "floats of more than 64 bits"),
    ("void", np.zeros(3, "V5"), "raw bytes"),
    ("scalar", np.float32(3), "a single value"),
    ("empty", np.zeros((0, 3)), r"empty \(shape \[0, 3\]\)"),
    ("7 dimensions", np.zeros((1,) * 7), "more than 6 dimensions"),
]:
    np.save("x.npy", array, allow_pickle=True)
    refused(name, "npy", "x.npy: .*" + what, "x.npy")
save("x.npy", np.zeros((3, 2))), save("y.npy", np.zeros(4)), save("z.npy", np.zeros((3, 5)))
refused("rows that do not fit", "npy", "x.npy has 3 rows but y.npy has 4", "x.npy", "y.npy")
refused("tests of another shape", "npy", r"x.npy is \[3, 2\] but z.npy is \[3, 5\]", "x.npy", "x.npy", "z.npy", "z.npy")
np.savez("a.npz", p=x, q=x)
refused("an archive without usual names", "npz", "which array are the samples.*there are p, q", "a.npz")
refused("a name that is not there", "npz", '--x: there is no array "r"; there are p, q', "a.npz", "--x", "r")
refused("no archive", "npz", "y.npy: is no archive", "y.npy")


def packed(header, data):
    body = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data
    with zipfile.ZipFile("a.npz", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("x.npy", body)
    return bytearray(open("a.npz", "rb").read())


def write(data):
    with open("a.npz", "wb") as f:
        f.write(data)


raw = packed(b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000, 1000)}\n", bytes(8000000))
size = struct.pack("<I", 8000000 + len(b"\x93NUMPY\x01\x00") + 2 + 64)
check("the archive claims its size twice", raw.count(size) == 2)
write(raw.replace(size, struct.pack("<I", 0xF0000000)))
refused("a claim that cannot be packed in so little", "npz", "claims [0-9]+ bytes, more than", "a.npz")
wrong = raw.replace(size, struct.pack("<I", 9000000 + 74))
write(wrong)
refused("a member that is shorter than the archive says", "npz", "a.npz: x: .*(too|damaged)", "a.npz")
raw[200] ^= 1
write(raw)
refused("a damaged member", "npz", "a.npz: x: the archive is damaged", "a.npz")
print("done", failures)
PYTHON
cat "$out"
tail -n 1 "$out" | grep -qx 'done 0' || fail "arrays" && show "$err"
finish
