#!/usr/bin/python3
"""Data files as other programs write them: data_files.py writes them here. The base set has 4 classes and 8 whole-numbered
features, 600 training and 200 test rows, which a small dense network learns; its values are exact in int8, float16 and
bfloat16, so a file that holds the same numbers in another form must lead to the same digest."""
import h5py
import numpy as np

CLASSES = 4


def base():
    rng = np.random.default_rng(5)
    centre = rng.integers(-70, 70, (CLASSES, 8))

    def part(rows):
        y = rng.integers(0, CLASSES, rows)
        x = np.clip(np.rint(centre[y] + rng.normal(0, 12, (rows, 8))), -100, 100)
        return x.astype("f4"), y.astype("u1")

    return *part(600), *part(200)


X, Y, TEST_X, TEST_Y = base()


def save(name, x=X, y=Y, test_x=TEST_X, test_y=TEST_Y, **options):
    with h5py.File(name + ".h5", "w") as file:
        for key, data in (("train/x", x), ("train/y", y), ("test/x", test_x), ("test/y", test_y)):
            if data is not None:
                file.create_dataset(key, data=data, **options)


def both(name, x=lambda x: x, y=lambda y: y, **options):
    """Training and test data changed alike."""
    save(name, x(X), y(Y), x(TEST_X), y(TEST_Y), **options)


def typed(name, key, kind, bits):
    """A data set of a type that numpy has not, from its bits."""
    save(name)
    with h5py.File(name + ".h5", "r+") as file:
        for split in ("train", "test"):
            data = file[f"{split}/{key}"][:]
            del file[f"{split}/{key}"]
            space = h5py.h5s.create_simple(data.shape)
            made = h5py.h5d.create(file[split].id, key.encode(), kind, space)
            made.write(h5py.h5s.ALL, h5py.h5s.ALL, bits(data), kind)


def bfloat16():
    kind = h5py.h5t.IEEE_F32LE.copy()
    kind.set_fields(15, 7, 8, 0, 7)
    kind.set_precision(16)
    kind.set_size(2)
    kind.set_ebias(127)
    return kind


# ---- the same numbers in another form ----

save("base")
for form in ("i1", "i2", "i4", "i8", "f2", "f8", ">f4", ">f8", ">i2", ">i4"):
    both("x_" + form.replace(">", "big_"), x=lambda x: x.astype(form))
for form in ("i1", "u2", "i4", ">i8", "u8", "f2", "f4", ">f8"):
    both("y_" + form.replace(">", "big_"), y=lambda y: y.astype(form))
both("y_column", y=lambda y: y[:, None])
both("y_float_column", y=lambda y: y[:, None].astype("f8"))
save("y_mixed", test_y=TEST_Y.astype("f4"))
typed("x_bfloat16", "x", bfloat16(), lambda x: (x.view("u4") >> 16).astype("u2"))
names = h5py.enum_dtype({"CAT": 0, "DOG": 1, "FOX": 2, "OWL": 3}, basetype="u1")
both("y_names", dtype=None, y=lambda y: y.astype(names))
both("gzip", chunks=True, compression="gzip", shuffle=True, fletcher32=True)
both("scaleoffset", x=lambda x: x.astype("i4"), y=lambda y: y.astype("i4"), chunks=True, scaleoffset=0)

# two classes, and inputs that are true or false
both("two", y=lambda y: (y > 1).astype("u1"))
both("two_bool", y=lambda y: y > 1)
save("two_mixed", y=(Y > 1).astype("u1"), test_y=(TEST_Y > 1).astype("f4"))
typed("two_bits", "y", h5py.h5t.STD_B8LE, lambda y: (y > 1).astype("u1"))
both("truth", x=lambda x: (x > 0).astype("f4"))
both("truth_bool", x=lambda x: x > 0)
one_hot = np.eye(CLASSES)
both("shares", y=lambda y: one_hot[y].astype("f4"))
both("shares_bool", y=lambda y: one_hot[y].astype(bool))
both("shares_u1", y=lambda y: one_hot[y].astype("u1"))

# ---- labels that are not 0, 1, … ----

both("from_one", y=lambda y: y + 1)
both("names_apart", y=lambda y: (y.astype("i4") * 10 + 5).astype(h5py.enum_dtype({"A": 5, "B": 15, "C": 25, "D": 35}, "i4")))
both("plus_minus", y=lambda y: np.where(y > 1, 1, -1).astype("i1"))
both("one_two", y=lambda y: np.where(y > 1, 2, 1).astype("u1"))
save("stray", y=np.where(np.arange(600) == 77, 255, Y).astype("u1"))
save("only_in_test", test_y=np.where(np.arange(200) == 5, 9, TEST_Y).astype("u1"))
both("one_class", y=lambda y: y * 0)
save("large", y=np.where(np.arange(600) == 9, np.uint64(2**63 + 5), Y.astype("u8")))

# ---- numbers to predict, and targets that mean nothing ----

weight = np.random.default_rng(3).integers(-3, 4, 8)
goal, test_goal = (X @ weight).astype("i4"), (TEST_X @ weight).astype("i4")
least = min(goal.min(), test_goal.min())
save("goal_int", y=goal, test_y=test_goal)
save("goal_float", y=goal.astype("f4"), test_y=test_goal.astype("f4"))
save("goal_positive", y=goal - least, test_y=test_goal - least)
save("goal_million", y=goal + 1000000, test_y=test_goal + 1000000)
both("shares_255", y=lambda y: (one_hot[y] * 255).astype("u1"))
both("shares_minus", y=lambda y: (one_hot[y] * 2 - 1).astype("i1"))
both("binary_255", y=lambda y: np.where(y > 1, 255, 0).astype("f4"))
both("half", y=lambda y: y + 0.5)

# ---- numbers far from zero, and none ----

both("moved", x=lambda x: (x.astype("f8") * 1e-3 + 1.7e9))
both("moved_int", x=lambda x: x.astype("i8") * 1000 + 1700000000123456789)
x = X.copy()
x[137, 3] = np.nan
save("nan", x)
x = X.astype("f8")
x[200, 1] = 1e300
save("huge", x)

# ---- other shapes ----

both("last", x=lambda x: np.ascontiguousarray(x.T.astype("f8")), y=lambda y: y[None, :].astype("f8"))
both("last_packed", x=lambda x: np.ascontiguousarray(x.T), y=lambda y: y[None, :], chunks=True, compression="gzip")
both("pictures", x=lambda x: x.reshape(-1, 2, 4))
both("pictures_last", x=lambda x: np.ascontiguousarray(np.moveaxis(x.reshape(-1, 2, 4), 0, -1)))
both("one_row", y=lambda y: y[None, :])

save("no_test", test_x=None, test_y=None)
