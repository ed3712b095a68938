"""Data for tests/system/labels.sh: one data set, whose labels are stored in every way that classes have names in."""
import h5py
import numpy as np

NAMES = ["ant", "bee", "cow"]
variable = h5py.string_dtype()
rng = np.random.default_rng(3)
x = rng.normal(size=(300, 5)).astype("f4")
code = (x[:, 0] > 0).astype("i4") + (x[:, 1] > 0)
text = np.array([NAMES[c] for c in code], dtype=object)
patient = np.arange(300) % 60


def padded(file, name, values, length, padding):
    kind = h5py.h5t.C_S1.copy()
    kind.set_size(length)
    kind.set_strpad(padding)
    fill = b" " if padding == h5py.h5t.STR_SPACEPAD else b"\0"
    rows = np.array([v.encode().ljust(length, fill) for v in values], dtype=f"S{length}")
    h5py.h5d.create(file.id, name.encode(), kind, h5py.h5s.create_simple((len(values),))).write(
        h5py.h5s.ALL, h5py.h5s.ALL, rows, kind)


def enumeration(file, name, order, codes):
    names = {n: i for i, n in enumerate(order)}
    file.create_dataset(name, data=np.array([names[NAMES[c]] for c in codes], "u1"), dtype=h5py.enum_dtype(names, "u1"))


with h5py.File("d.h5", "w") as f:
    f["x"], f["code"] = x, code
    f["variable"] = text
    f["utf8"] = text.astype("S9").astype(h5py.string_dtype("utf-8", 9))
    f["numpy"] = text.astype("S3")
    padded(f, "ended", text, 8, h5py.h5t.STR_NULLTERM)
    padded(f, "zeros", text, 8, h5py.h5t.STR_NULLPAD)
    padded(f, "spaces", text, 8, h5py.h5t.STR_SPACEPAD)
    f["characters"] = np.array([list(t.ljust(6)) for t in text], "S1")  # netCDF's
    f.create_dataset("chunked", data=text.reshape(300, 1), dtype=variable, chunks=(32, 1), compression="gzip")
    table = np.zeros(300, [("pressure", "f4"), ("kind", variable), ("fixed", "S5"), ("in", [("kind", "S4")])])
    table["kind"], table["fixed"], table["in"]["kind"] = text, text.astype("S5"), text.astype("S4")
    f["table"] = table
    f["patient"], f["patient_text"] = patient, np.array([f"p{p:03}" for p in patient], dtype=object)
    f["patient_fixed"] = f["patient_text"][:].astype("S6")
    f["own"] = np.array([f"sample {i}" for i in range(300)], dtype=object)
    f["two"] = np.stack([text, text], 1)
    f["wide"] = np.arange(300) % 2 + 0.5
    one_hot = np.eye(3)[code]
    for kind in ("u1", "i8", "f4", ">f8", "f2", bool):
        f[f"hot_{np.dtype(kind).name}"] = one_hot.astype(kind)
    fields = np.zeros(300, [(n, "i1") for n in NAMES])
    for i, name in enumerate(NAMES):
        fields[name] = code == i
    f["hot_fields"] = fields
    for name, row, values in (("none", 7, [0, 0, 0]), ("both", 8, [1, 0, 1])):
        f[f"hot_{name}"] = np.where(np.arange(300)[:, None] == row, values, one_hot)
    soft = one_hot.copy()
    soft[11] = [0.5, 0.25, 0.25]
    f["shares"] = soft
    for name, row, value in (("empty", 4, ""), ("latin", 5, b"ca\xf1on"), ("long", 298, "y" * 10_000_000)):
        bad = text.copy()
        bad[row] = value
        f.create_dataset(name, data=bad, dtype=variable)
    bad = text.astype("S8")
    bad[6] = b"a\0b"
    padded(f, "nul", [b.decode() for b in bad], 8, h5py.h5t.STR_NULLPAD)

for name, rows in (("part1.h5", np.flatnonzero(code < 2)), ("part2.h5", np.flatnonzero(code > 0))):
    with h5py.File(name, "w") as f:
        f["x"], f["code"], f["variable"] = x[rows], code[rows], text[rows]
        f["numpy"] = text[rows].astype("S12" if name == "part1.h5" else "S3")
        f["mixed"] = text[rows] if name == "part1.h5" else code[rows]

# the same samples in files of one layout, whose classes have names of every kind: FORM.h5, and FORM_some.h5 without ants
number = np.array([33, 4, 210])[code]
number_text = np.array([str(n) for n in number], dtype=object)
for some, rows in (("", np.arange(300)), ("_some", np.flatnonzero(code > 0))):
    forms = {"codes": code, "texts": text, "fixed": text.astype("S7"), "numbers": number, "number_texts": number_text,
             "one_hot": one_hot}
    for form, values in forms.items():
        with h5py.File(f"{form}{some}.h5", "w") as f:
            f["x"], f["y"] = x[rows], values[rows]
    for form, order in (("in_order", NAMES), ("turned", ["cow", "ant", "bee"])):
        with h5py.File(f"{form}{some}.h5", "w") as f:
            f["x"] = x[rows]
            enumeration(f, "y", order, code[rows])
with h5py.File("strange.h5", "w") as f:
    strange = text.copy()
    strange[9] = "e\x1bmu"
    f["x"], f["y"] = x, strange
with h5py.File("many.h5", "w") as f:
    f["x"] = np.zeros((1_200_000, 1), "f4")
    f["y"] = np.char.add("w", np.arange(1_200_000).astype("S7").astype("U7")).astype("S8")
