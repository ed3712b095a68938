#!/usr/bin/python3
"""The numbers of the base set (data_files.py) in the forms that users' HDF5 files have them in: array_files.py writes them
here. Each must lead to the digest of base.h5, whose form is the plain one."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import h5py
import numpy as np
from data_files import TEST_X, TEST_Y, X, Y, both, save

PARTS = (("train", X, Y), ("test", TEST_X, TEST_Y))


def write(name, fill):
    """A file that fill(file, "train" or "test", x, y) makes."""
    with h5py.File(name + ".h5", "w") as file:
        for part, x, y in PARTS:
            fill(file, part, x, y)


# ---- compounds and columns ----

POINT = np.dtype([("u", "<f8"), ("v", ">i2")])
ROW = np.dtype([("name", "S5"), ("y", "u1"), ("a b", "f4"), ("p", POINT), ("rest", "f4", (4,)), ("b", "i1"), ("big", "?")])


def rows_of(x, y):
    table = np.zeros(len(x), dtype=ROW)
    table["y"], table["a b"], table["p"]["u"], table["p"]["v"] = y, x[:, 0], x[:, 1], x[:, 2]
    table["rest"], table["b"], table["big"] = x[:, 3:7], x[:, 7], y > 1
    return table


write("table", lambda file, part, x, y: file.create_dataset(part, data=rows_of(x, y)))
write("table_gzip", lambda file, part, x, y: file.create_dataset(part, data=rows_of(x, y), chunks=(64,), compression="gzip"))


def wide(x, y):
    columns = np.full((len(x), 12), 1e9)
    columns[:, 0], columns[:, 2:5], columns[:, 5:10] = y, x[:, 5:8], x[:, 0:5]
    return columns


write("columns", lambda file, part, x, y: file.create_dataset(part, data=wide(x, y)))
write("columns_gzip", lambda file, part, x, y: file.create_dataset(part, data=wide(x, y).astype(">f4"), chunks=(37, 5), compression="gzip"))
write("brackets", lambda file, part, x, y: (file.create_dataset(f"{part}/x[1]", data=x), file.create_dataset(f"{part}/y", data=y)))

# rows of a 2-D table of compounds: [N, 4] of two fields are [N, 4, 2]
pair = np.dtype([("l", "f4"), ("r", "f4")])
both("grid", x=lambda x: x.reshape(-1, 4, 2))
write("pairs", lambda file, part, x, y: (file.create_dataset(f"{part}/x", data=x.view(pair)), file.create_dataset(f"{part}/y", data=y)))

def array_type(name):
    """Elements that are arrays, which numpy turns into a dimension before h5py sees them."""
    save(name, X, Y, TEST_X, TEST_Y)
    with h5py.File(name + ".h5", "r+") as file:
        for part, x, _ in PARTS:
            del file[part]["x"]
            kind = h5py.h5t.array_create(h5py.h5t.IEEE_F32BE, (4, 2))
            made = h5py.h5d.create(file[part].id, b"x", kind, h5py.h5s.create_simple((len(x),)))
            made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(x), h5py.h5t.array_create(h5py.h5t.NATIVE_FLOAT, (4, 2)))


array_type("array_type")

# ---- datasets side by side ----


def sides(file, part, x, y):
    file[f"{part}/y"], file[f"{part}/a"], file[f"{part}/c"] = y, x[:, :2].astype("i1"), x[:, 6:].astype(">f8")
    file.create_dataset(f"{part}/b", data=x[:, 2:6].reshape(-1, 2, 2), chunks=True, compression="gzip")
    file[f"{part}/flat"], file[f"{part}/short"] = x[:, 2:6], x[:50, :2]


write("sides", sides)

# ---- numbers of odd formats ----


def integer(bits, size, offset=0):
    kind = h5py.h5t.STD_I32BE.copy()
    kind.set_size(size)
    kind.set_precision(bits)
    kind.set_offset(offset)
    return kind


def packed_bits(name, bits, size, offset):
    save(name)
    with h5py.File(name + ".h5", "r+") as file:
        for part, x, _ in PARTS:
            del file[part]["x"]
            made = h5py.h5d.create(file[part].id, b"x", integer(bits, size, offset), h5py.h5s.create_simple(x.shape))
            made.write(h5py.h5s.ALL, h5py.h5s.ALL, x.astype("i4"), h5py.h5t.NATIVE_INT32)


packed_bits("bits_12", 12, 2, 3)
packed_bits("bits_24", 24, 3, 0)
for form in ("u1", "i1", "u2", ">u2", "u4", ">u4", "u8", ">i8"):
    both("y_as_" + form.replace(">", "big_"), y=lambda y: y.astype(form))
both("longdouble", x=lambda x: x.astype("longdouble"))

# ---- several files ----

CUT, TEST_CUT = (0, 100, 350, 600), (0, 50, 100, 200)
for i, number in enumerate((1, 2, 10)):
    own, test = slice(*CUT[i : i + 2]), slice(*TEST_CUT[i : i + 2])
    save(f"run-{number}", X[own], Y[own], TEST_X[test], TEST_Y[test])
    save(f"site-{i}", X[own], Y[own], TEST_X[test], TEST_Y[test], **({} if i == 1 else {"chunks": True, "compression": "gzip"}))
    save(f"gap-{2 * i}", X[own], Y[own], TEST_X[test], TEST_Y[test])
save("b, c", X[100:], Y[100:], TEST_X[50:], TEST_Y[50:])
save("narrow", X[:, :7])
save("other_type", X.astype("f8"))
names = h5py.enum_dtype({"CAT": 0, "DOG": 1, "FOX": 2, "OWL": 3}, basetype="u1")
other = h5py.enum_dtype({"DOG": 0, "CAT": 1, "FOX": 2, "OWL": 3}, basetype="u1")
both("named", dtype=None, y=lambda y: y.astype(names))
both("named_apart", dtype=None, y=lambda y: y.astype(other))

# ---- dimensions ----

both("pictures", x=lambda x: x.reshape(-1, 2, 2, 2))
both("channels_first", x=lambda x: np.ascontiguousarray(np.moveaxis(x.reshape(-1, 2, 2, 2), 3, 1)))
both("channels_first_gzip", x=lambda x: np.moveaxis(x.reshape(-1, 2, 2, 2), 3, 1), y=lambda y: y, chunks=True, compression="gzip")
both("matlab", x=lambda x: np.ascontiguousarray(x.reshape(-1, 2, 2, 2).T), y=lambda y: np.ascontiguousarray(y[:, None].T))
both("matlab_gzip", x=lambda x: x.reshape(-1, 2, 2, 2).T, y=lambda y: y[:, None].T, chunks=True, compression="gzip")
both("middle", x=lambda x: np.ascontiguousarray(np.moveaxis(x.reshape(-1, 2, 2, 2), 0, 2)))

# ---- netCDF: dimension scales, packed numbers ----


def netcdf(file, part, x, y):
    group = file.create_group(part)
    packed = group.create_dataset("x", data=np.rint(x * 2 + 40).astype(">i2"), chunks=(100, 8), compression="gzip")
    packed.attrs["scale_factor"], packed.attrs["add_offset"] = np.float32([0.5]), np.float32([-20])
    group.create_dataset("y", data=y)
    for name, size in (("sample", len(x)), ("feature", 8)):
        group.create_dataset(name, data=np.arange(size, dtype="f8")).make_scale(name)
    packed.dims[0].attach_scale(group["sample"])
    packed.dims[1].attach_scale(group["feature"])


write("netcdf", netcdf)


def attribute(name, key, value):
    write(name, netcdf)
    with h5py.File(name + ".h5", "r+") as file:
        file["train/x"].attrs[key] = value


attribute("factor_text", "scale_factor", "twice")
attribute("factor_list", "add_offset", [1.0, 2.0])
attribute("unsigned", "_Unsigned", "true")
attribute("filled", "_FillValue", np.int16([np.rint(X[77, 3] * 2 + 40)]))

save("fill_value", np.where(np.arange(600)[:, None] == 77, np.float32(-999), X))
with h5py.File("fill_value.h5", "r+") as file:
    file["train/x"].attrs["_FillValue"] = np.float32(-999)
    file["test/x"].attrs["_FillValue"] = np.float32(-999)
save("without_77", np.delete(X, 77, axis=0), np.delete(Y, 77))

# ---- claims and oddities ----


def element(name, kind, rows=600):
    with h5py.File(name + ".h5", "w") as file:
        file["train/y"] = Y
        h5py.h5d.create(file["train"].id, b"x", kind, h5py.h5s.create_simple((rows,)))


element("huge_array", h5py.h5t.array_create(h5py.h5t.NATIVE_FLOAT, (1 << 15, 1 << 13)))
deep = h5py.h5t.NATIVE_FLOAT
for _ in range(40):
    outer = h5py.h5t.create(h5py.h5t.COMPOUND, deep.get_size())
    outer.insert(b"d", 0, deep)
    deep = outer
element("deep", deep)
many = h5py.h5t.create(h5py.h5t.COMPOUND, 4 * 700)
for i in range(700):
    many.insert(b"field%d" % i, 4 * i, h5py.h5t.NATIVE_FLOAT)
element("many_fields", many)
with h5py.File("odd.h5", "w") as file:
    file["train/y"] = Y
    file.create_dataset("train/x", data=["a", "b"], dtype=h5py.string_dtype())
    file.create_dataset("vlen", (3,), dtype=h5py.vlen_dtype("f4"))
    file.create_dataset("complex", data=np.ones(4, "c8"))
    strange = np.zeros(3, dtype=[("a\x1b[31m", "f4"), ("s", "S3")])
    file["strange"] = strange
    file["nothing"] = h5py.Empty("f4")
    file["seven"] = np.zeros((2,) * 7, "f4")
