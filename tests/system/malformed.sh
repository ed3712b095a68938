#!/usr/bin/env bash
# More than six hundred tables, arrays, pictures, safetensors and HDF5 files that are strange or damaged: each is read with the values
# that an independent reader or the case itself says, or refused in one line. None ends otherwise, or leaves a file.
. "$(dirname "$0")/../support/lib.sh"

PYTHONPATH=$source/tests/support "$python" -B - "$dtrain" <<'PYTHON' >"$out" 2>"$err"
import collections, concurrent.futures, glob, io, os, re, struct, subprocess, sys, warnings, zipfile, zlib
import h5py, numpy as np
from pictures import JPEGS, PIXELS, chunk, exif, png, with_exif

warnings.simplefilter("ignore")
nan, inf = np.nan, np.inf
cases = []  # kind, what, bytes, arguments, expected: a pattern of the message, values, or what may judge


def case(kind, what, data, expected, *arguments):
    cases.append((kind, what, data, arguments, expected))


# ---- tables: x as it must arrive, or what must be said ----
def csv(what, data, expected, *arguments):
    case("csv", what, data if isinstance(data, bytes) else data.encode(), expected, *arguments)


csv("plain", "a,b\n1,2\n", [[1, 2]])
csv("no last end of line", "a,b\n1,2", [[1, 2]])
csv("CR LF", "a,b\r\n1,2\r\n", [[1, 2]])
csv("CR", "a,b\r1,2\r", [[1, 2]])
csv("all ends of lines", "a,b\n1,2\r\n3,4\r5,6", [[1, 2], [3, 4], [5, 6]])
csv("LF CR", "a,b\n\r1,2\n\r", [[1, 2]])
csv("byte-order mark", b"\xef\xbb\xbfa,b\n1,2\n", [[1, 2]])
csv("half a byte-order mark", b"\xef\xbba,b\n1,2\n", "in:1: the name of column 1 is no UTF-8")
csv("empty lines", "\n\na,b\n\n1,2\n\n\n3,4\n\n", [[1, 2], [3, 4]])
csv("lines of spaces", "a,b\n   \n1,2\n\t\n", [[1, 2]])
csv("spaces around", " a , b \n 1 ,\t2 \n", [[1, 2]])
csv("spaces around quotes", 'a,b\n "1" , "2" \n', [[1, 2]])
csv("everything quoted", '"a","b"\n"1","2"\n', [[1, 2]])
csv("a quoted header with a delimiter", '"a,b",c\n1,2\n', [[1, 2]])
csv("a quoted end of line in a name", '"a\nb",c\n1,2\n', [[1, 2]])
csv("quotes written twice", 'a,b\n1,"x""y"\n2,"x""y"\n3,""""\n', [[1, 1], [2, 1], [3, 0]])
csv("empty quotes", 'a,b\n1,""\n2,5\n', [[1, nan], [2, 5]])
csv("a quote that stays open", 'a,b\n1,"2\n3,4\n', 'in:2: the quote of field 2 is never closed')
csv("a quote that opens at the end", 'a,b\n1,"', 'in:2: the quote of field 2 is never closed')
csv("an open quote of twice written quotes", 'a\n"""""', "in:2: the quote of field 1 is never closed")
csv("an open quote behind lines in quotes", 'a,b\n"x\n\ny",1\n"z,2\n', "in:5: the quote of field 1")
csv("a quote inside", 'a,b\n1,2"3\n', "in:2: field 2 has a quote inside")
csv("something behind a quote", 'a,b\n1,"2"3\n', 'in:2: field 2 goes on with "3" behind its closing quote')
csv("a byte behind a quote", b'a,b\n1,"2"\xff\n', "in:2: field 2 goes on with")
csv("too few fields", "a,b,c\n1,2\n", 'in:2: 2 fields, but the file has 3 columns; none for "c"')
csv("one field", "a,b,c\n1,2,3\n7\n", 'in:3: 1 field, but the file has 3 columns; none for "b"')
csv("too many fields", "a,b\n1,2\n3,4,5\n", "in:3: 3 fields, but the file has 2 columns")
csv("a delimiter too many in each line", "a,b\n1,2,\n", "in:2: 3 fields")
csv("one too many in all lines", "a,b,\n1,2,\n", 'column "3" has no value in any row')
csv("too few behind quoted lines", 'a,b\n"x\ny",1\n3\n', "in:4: 1 field")
csv("nothing", "", "in: the file has no line with anything")
csv("ends of lines alone", "\n\r\n\r", "in: the file has no line with anything")
csv("a byte-order mark alone", b"\xef\xbb\xbf", "in: the file has no line with anything")
csv("a header alone", "a,b\n", "in: has no row of values behind its header")
csv("a NUL", b"a,b\n1,2\n3,\0\n", "in:3: field 2 has a NUL byte")
csv("a NUL in quotes", b'a,b\n1,"\0"\n', "in:2: field 2 has a NUL byte")
csv("a NUL in the header", b"a\0,b\n1,2\n", "in:1: field 1 has a NUL byte")
csv("UTF-16", "a,b\n1,2\n".encode("utf-16"), "in: is no CSV but UTF-16")
csv("UTF-16, the other way", b"\xfe\xff\0a", "in: is no CSV but UTF-16")
csv("gzip", b"\x1f\x8b\x08\0", "in: is no CSV but gzip")
csv("a spreadsheet", b"PK\x03\x04 xl/", "in: is no CSV but a ZIP archive or a spreadsheet")
csv("HDF5", b"\x89HDF\r\n\x1a\n", "in: is no CSV but HDF5")
csv("LATIN1 in a class", "a,b\n1,é\n".encode("latin1"), 'in:2: column "b" is ".*", which is no UTF-8')
csv("LATIN1 in a name", "é,b\n1,2\n".encode("latin1"), "in:1: the name of column 1 is no UTF-8")
csv("LATIN1 in what is left out", "a,b\n1,é\n".encode("latin1"), [[1]], "--drop", "b")
csv("names of all kinds", "ä,日本,a b,(x)\n1,2,3,4\n", [[1, 2, 3, 4]])
csv("two names alike", "a,b,a\n1,2,3\n", 'in:1: two columns are called "a", the second is number 3')
csv("no names", ",,\n1,2,3\n", [[1, 2, 3]])
csv("a name that is a number of another", "2,\n1,5\n", 'in:1: two columns are called "2"', "--header", "yes")
csv("numbers for names", "5.1,x\n4,y\n", 'in:1: "5.1" is a number where the columns\' names should be')
csv("the same, wanted", "5.1,x\n4,y\n", [[5.1, 0], [4, 1]], "--header", "no")
csv("semicolons", "a;b\n1;2\n", "in:1: there is one column, \"a;b\"; is it --delimiter ';'")
csv("tabs", "a\tb\n1\t2\n", "is it --delimiter tab")
csv("one column", "a\n1\n2.5\n", [[1], [2.5]])
for text, value in [("1", 1), ("+1", 1), ("-0", 0), ("007", 7), (".5", 0.5), ("5.", 5), ("1e3", 1000), ("1E+3", 1000), ("1e-3", 1e-3),
                    ("12345678901234567890", 12345678901234567890.0), ("1e-400", 0), ("0.1e1", 1), ("1e22", 1e22), ("9007199254740993", 9007199254740992)]:
    csv(f"the number {text}", f"a,b\n{text},2\n", [[value, 2]])
for text in ["1e999", "-1e400", "9" * 400]:
    csv(f"the number {text[:9]}", f"a,b\n1,2\n{text},3\n", 'in:3: column "a" is "')
for text in ["inf", "-Infinity", "INF"]:
    csv(f"the number {text}", f"a,b\n1,2\n{text},3\n", 'in:3: column "a" is ".*", which is not finite')
for text in ["0x10", "1_000", "1,5".replace(",", "·"), "1.2.3", "--1", "1e", "e5", ".", "+", "1 2", "١", "½", "1d3", "$5", "5%", "nan(1)", "True"]:
    csv(f"no number: {text}", f"a,b\n1,2\n{text},3\n", 'in:3: column "a" is ".*", no number, but "1" in in:2')
csv("a number among texts", "a,b\nx,2\n5,3\n", 'in:3: column "a" is "5", a number, but "x" in in:2')
csv("both as classes", "a,b\nx,2\n5,3\n", [[1, 2], [0, 3]], "--category", "a")
for text in ["", "NA", "N/A", "NaN", "nan", "NULL", "null", " NA ", '"NA"']:
    csv(f"missing: {text!r}", f"a,b\n1,2\n{text},3\n", [[1, 2], [nan, 3]])
csv("missing by another name", "a,b\n1,2\n-999,3\n", [[1, 2], [nan, 3]], "--missing", "-999")
csv("nothing but missing values", "a,b\n1,NA\n2,\n", 'column "b" has no value in any row')
csv("a decimal comma", "a;b\n1,5;2\n", [[1.5, 2]], "--decimal", "comma", "--delimiter", ";")
csv("a decimal point where commas are", "a;b\n1,5;2\n2.5;2\n", 'in:3: column "a" is "2.5", no number', "--decimal", "comma", "--delimiter", ";")
csv("escape sequences", "a,b\n1,2\n\x1b[2J,3\n", r'in:3: column "a" is "\\x1b\[2J", no number')
csv("escape sequences in a name", "\x1b]0;x\x07,b\nq,1\n1,3\n", r'in:3: column "\\x1b\]0;x\\x07" is "1"')
csv("a very long field", "a,b\n1," + "x" * 100000 + "\n", 'in:2: column "b" is "x+".* of more than 512 bytes')
csv("a very long field that is left out", "a,b\n1," + "x" * 100000 + "\n", [[1]], "--drop", "b")
csv("many fields", ",".join(f"c{i}" for i in range(9000)) + "\n" + ",".join("1" * 9000) + "\n", [[1] * 9000])
csv("a million delimiters", "a\n" + "," * 1000000 + "\n", "in:2: more than 262144 fields")
csv("a column that is not there", "a,b\n1,2\n", '--drop: there is no column "c"; there are a, b', "--drop", "c")
csv("no input left", "a,b\n1,2\n", "none is left as an input", "--drop", "*")


# ---- arrays: NumPy is the judge of every one ----
def by_numpy(data):
    try:
        x = np.load(io.BytesIO(data), allow_pickle=False)
    except Exception:
        return "."
    if x.dtype.kind not in "biuf" or x.dtype.itemsize > 8 or x.ndim == 0 or x.size == 0 or x.ndim > 6:
        return "."
    return x


buffer = io.BytesIO()
np.save(buffer, np.arange(6, dtype="<f4").reshape(3, 2))
good = buffer.getvalue()
end = good.index(b"}") + 2
for at in [*range(end), 126, 127]:
    for bit in 1, 128:
        hit = bytearray(good)
        hit[at] ^= bit
        judged = by_numpy(bytes(hit))  # NumPy passes over what follows an array
        case("npy", f"byte {at} ^ {bit}", bytes(hit), judged if isinstance(judged, str) else ("either", judged))
for length in [0, 1, 5, 6, 8, 9, 10, 11, 50, 127, 128, 129, len(good) - 1]:
    case("npy", f"the first {length} bytes", good[:length], ".")
case("npy", "a byte too many", good + b"\0", "1 bytes too long")


def header(text, version=1, data=b"\0" * 8, length=None):
    size = struct.pack("<H" if version == 1 else "<I", len(text) if length is None else length)
    return b"\x93NUMPY" + bytes([version, 0]) + size + text.encode("latin1") + data


for text, expected in [
    ("{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}", np.zeros(1)),
    ('{"descr": "<f8", "fortran_order": False, "shape": (1,)}', np.zeros(1)),
    ("{'shape': (1L,), 'fortran_order': True, 'descr': '<i8', }  \n", np.zeros(1, "i8")),
    ("{'descr': '<f8', 'fortran_order': False, 'shape': (1)}", np.zeros(1)),
    ("{'descr': '<f8', 'fortran_order': 0, 'shape': (1,)}", "neither True nor False"),
    ("{'descr': '<f8', 'fortran_order': False}", "descr, fortran_order or shape is missing"),
    ("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'x': 1}", "an unknown entry"),
    ("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}", "no dimension"),
    ("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,)}", "no dimension"),
    ("{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 4)}", "impossible shape"),
    ("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000,)}", "bytes too short"),
    ("{'descr': '<f8', 'fortran_order': False, 'shape': (1.5,)}", "no end of the shape"),
    ("{'descr': '<f8', 'fortran_order': False, 'shape': 1}", "no shape"),
    ("{'descr': '<f8', 'fortran_order': False, 'shape': ()}", "a single value"),
    ("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 5)}", "is empty"),
    ("{'descr': [('a', '<f4'), ('b', '<f4')], 'fortran_order': False, 'shape': (1,)}", "a structure"),
    ("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", "Python objects, kept as a pickle"),
    ("{'descr': '<U2', 'fortran_order': False, 'shape': (1,)}", "texts"),
    ("{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", "complex numbers"),
    ("{'descr': '<f16', 'fortran_order': False, 'shape': (1,)}", "more than 64 bits"),
    ("{'descr': '<q\x1b[31m', 'fortran_order': False, 'shape': (1,)}", r"the type <q\\x1b\[31m, which is not known"),
    ("{'descr': __import__('os').system('touch owned')}", "no name"),
    ("{", "no name"),
    ("", "no dictionary"),
    ("{}", "is missing"),
    ("{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}\0", "it has a NUL"),
    ("{'descr': '<f8', 'fortran_order': False, 'shape': (1,)} 5", "more than a dictionary"),
]:
    case("npy", text[:50], header(text), expected)
case("npy", "a header that is longer than the file", header("{", length=60000), "ends inside the array's header")
case("npy", "a header of 4 GB", header("{", 2, length=0xFFFFFFFF), "the array's header is of 4294967295 bytes")
case("npy", "version 9", header("{}", 9), "of version 9.0 of NumPy's format")
case("npy", "a pickle", b"\x80\x04\x95\0\0\0", "but a pickle, which is a program")


def npz(name, data, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        z.writestr(name, data)
    return out.getvalue()


archive = npz("x.npy", good)
x = np.arange(6, dtype="<f4").reshape(3, 2)
case("npz", "deflated", archive, x)
case("npz", "stored", npz("x.npy", good, zipfile.ZIP_STORED), x)
case("npz", "bzip2", npz("x.npy", good, zipfile.ZIP_BZIP2), "packed by method 12")
case("npz", "another name", npz("../../etc/x.npy", good), x)
case("npz", "a name of escape sequences", npz("\x1b[2J", b"?"), r"in: .\[2J: is no array")  # an arrow, in the code page of ZIP
case("npz", "no array", npz("x.npy", b"hello"), "in: x: is no array")
case("npz", "no member", npz("x.npy", good)[-22:].replace(b"\1\0\1\0", b"\0\0\0\0"), "in: (the archive|is no archive)")
case("npz", "something before the archive", b"#!/bin/sh\n" * 3 + archive, "in: ")
for length in [0, 4, 30, 60, 100, len(archive) // 2, len(archive) - 23, len(archive) - 1]:
    case("npz", f"the first {length} bytes", archive[:length], "in: is no archive of arrays")
for at in range(0, len(archive), 3):
    hit = bytearray(archive)
    hit[at] ^= 0x81
    case("npz", f"byte {at} of an archive", bytes(hit), ("either", x))

# ---- pictures: every bit of a PNG is guarded by a sum; of a JPEG what is read has the right shape ----
grey = np.arange(12, dtype="u1").reshape(3, 4, 1) * 20
picture = png(grey, 0)
for at in range(len(picture)):
    hit = bytearray(picture)
    hit[at] ^= 1 << at % 8
    case("images", f"byte {at} of a PNG", bytes(hit), "a.png: (the PNG is damaged|is neither PNG)")
for length in [1, 8, 16, 33, 40, len(picture) - 13, len(picture) - 1]:
    case("images", f"the first {length} bytes of a PNG", picture[:length], "a.png: (the PNG is damaged|is neither PNG)")


def ihdr(*fields):
    return picture[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", *fields)) + picture[33:]


for what, data, expected in [
    ("no width", ihdr(0, 3, 8, 0, 0, 0, 0), "the PNG is damaged"),
    ("5 bits", ihdr(4, 3, 5, 0, 0, 0, 0), "the PNG is damaged"),
    ("type 5", ihdr(4, 3, 8, 5, 0, 0, 0), "the PNG is damaged"),
    ("another compression", ihdr(4, 3, 8, 0, 1, 0, 0), "the PNG is damaged"),
    ("a palette that is not there", ihdr(4, 3, 8, 3, 0, 0, 0), "the PNG is damaged"),
    ("more rows than there are", ihdr(4, 9, 8, 0, 0, 0, 0), "the PNG is damaged"),
    ("four billion rows", ihdr(4, 0xFFFFFFFF, 8, 0, 0, 0, 0), "the PNG is damaged"),
    ("a hundred million pixels", ihdr(10000, 10000, 8, 0, 0, 0, 0), "claims 10000x10000 pixels"),
    ("a chunk of 2 GB", picture[:33] + struct.pack(">I", 0x7FFFFFFF) + picture[37:], "the PNG is damaged"),
    ("an animation", png(grey, 0, before=chunk(b"acTL", bytes(8))), "is an animated PNG"),
    ("something behind the end", picture + b"hello", [grey]),
    ("texts", png(grey, 0, before=chunk(b"tEXt", b"a\0" + b"b" * 9000)), [grey]),
    ("a private chunk", png(grey, 0, before=chunk(b"prVt", b"1")), [grey]),
    ("an unknown chunk that matters", png(grey, 0, before=chunk(b"PRVT", b"1")), "the PNG is damaged"),
    ("a filter that is none", png(grey, 0, data=zlib.compress(b"\7\1\1\1\1" * 3)), "the PNG is damaged"),
    ("a JPEG inside", JPEGS["grey"], [PIXELS["grey"]]),
    ("EXIF that goes round", with_exif(JPEGS["rgb"], b"II*\0\4\0\0\0\xff\xff"), [PIXELS["rgb"]]),
    ("EXIF of orientation 9", with_exif(JPEGS["rgb"], exif(9)), [PIXELS["rgb"]]),
    ("EXIF that ends", with_exif(JPEGS["rgb"], exif(6)[:16]), [PIXELS["rgb"]]),
    ("something before a marker", JPEGS["rgb"][:2] + b"\xff\xff\xff" + JPEGS["rgb"][2:], [PIXELS["rgb"]]),
    ("CMYK", JPEGS["cmyk"], "in colours for print"),
]:
    case("images", what, data, expected)
jpeg = JPEGS["progressive"]
for length in range(2, len(jpeg) - 1, 16):
    case("images", f"the first {length} bytes of a JPEG", jpeg[:length], "a.png: (the JPEG is damaged|is neither)")
frame = jpeg.index(b"\xff\xc2")
case("images", "a JPEG that claims much", jpeg[: frame + 5] + struct.pack(">HH", 60000, 60000) + jpeg[frame + 9 :], "(claims|at most)")

# ---- safetensors: weights of a model of one layer, 4 to 2 ----
with h5py.File("some.h5", "w") as f:
    f["train/x"], f["train/y"] = np.ones((4, 4), "f4"), np.array([0, 1, 0, 1])
with open("weights.yaml", "w") as f:
    f.write("name: w\ndata: {file: ../some.h5, test_x: ''}\nmodel: {layers: [{dense: 2}]}\ntrain: {epochs: 1, batch: 4, shards: 1}\n")


def safetensors(text, data, length=None):
    return struct.pack("<Q", len(text) if length is None else length) + text.encode() + data


w = np.arange(8, dtype="<f4").reshape(4, 2)
entry = '"dense1/w": {"dtype": "F32", "shape": [4, 2], "data_offsets": [0, 32]}'
plain = safetensors("{" + entry + "}", w.tobytes())
case("safetensors", "plain", plain, w)
case("safetensors", "spaces behind the header", safetensors("{" + entry + "}    ", w.tobytes()), w)
case("safetensors", "metadata", safetensors('{"__metadata__": {"format": "pt"}, ' + entry + "}", w.tobytes()), w)
half = '"dense1/w": {"dtype": "F16", "shape": [4, 2], "data_offsets": [0, 16]}'
case("safetensors", "half precision", safetensors("{" + half + "}", w.astype("<f2").tobytes()), w)
for what, text, data, *length in [
    ("a name twice", "{" + entry + ", " + entry + "}", w.tobytes()),
    ("no end", "{" + entry, w.tobytes()),
    ("a list", "[" + entry + "]", w.tobytes()),
    ("data that is short", "{" + entry + "}", w.tobytes()[:-1]),
    ("data that is long", "{" + entry + "}", w.tobytes() + b"\0"),
    ("another shape", "{" + entry.replace("[4, 2]", "[4, 3]") + "}", w.tobytes()),
    ("a negative shape", "{" + entry.replace("[4, 2]", "[-4, -2]") + "}", w.tobytes()),
    ("a shape beyond all numbers", "{" + entry.replace("[4, 2]", "[4611686018427387904, 8]") + "}", w.tobytes()),
    ("offsets that go back", "{" + entry.replace("[0, 32]", "[32, 0]") + "}", w.tobytes()),
    ("offsets beyond the end", "{" + entry.replace("[0, 32]", "[32, 64]") + "}", w.tobytes()),
    ("an unknown type", "{" + entry.replace("F32", "Q7") + "}", w.tobytes()),
    ("a NUL in the header", "{" + entry + "\0}", w.tobytes()),
    ("a header of 2^60 bytes", "{" + entry + "}", w.tobytes(), 1 << 60),
    ("a header that is cut", "{" + entry + "}", w.tobytes(), 20),
    ("deep lists", "[" * 5000, b""),
    ("nothing in it", "{}", b""),
]:
    case("safetensors", what, safetensors(text, data, *length), ".")
for length in 0, 7, 8, 9, 40, len(plain) - 33:
    case("safetensors", f"the first {length} bytes", plain[:length], ".")

# ---- HDF5: `inspect` reads all of it, in a child ----
with h5py.File("good.h5", "w") as f:
    f["train/x"], f["train/y"] = np.arange(12.0).reshape(3, 4), np.arange(3)
data = open("good.h5", "rb").read()
for length in [0, 1, 8, 64, 96, 512, 800, 1400, len(data) - 1]:
    case("inspect", f"the first {length} bytes of HDF5", data[:length], ("any", None))
for at in range(0, 2400, 40):
    hit = bytearray(data)
    hit[at % len(data)] ^= 0xFF
    case("inspect", f"byte {at} of HDF5", bytes(hit), ("any", None))


# ---- running them ----
def same(got, expected):
    expected = np.asarray(expected)
    return got.shape == expected.shape and np.allclose(got, expected, rtol=1e-7, atol=0, equal_nan=True)


def run(number):
    kind, what, data, arguments, expected = cases[number]
    where = f"case{number}"
    os.makedirs(where + ("/in" if kind == "images" else ""))
    with open(f"{where}/in" + ("/a.png" if kind == "images" else ""), "wb") as f:
        f.write(data)
    command = ["import", kind, "in", "out.h5", *arguments]
    if kind == "inspect":
        command = ["inspect", "in"]
    if kind == "safetensors":
        command = ["import", "weights", "in", "--into", "../weights.yaml", "--run", "out"]
    try:
        done = subprocess.run([sys.argv[1], *command], capture_output=True, cwd=where, timeout=60)
    except subprocess.TimeoutExpired:
        return f"{kind} {what}: hangs"
    err = done.stderr.decode("utf-8", "replace")
    left = set(os.listdir(where)) - {"in"}
    if kind == "safetensors" and not glob.glob(f"{where}/out/checkpoints/*.h5"):
        left -= {"out"}  # a run that has not begun
    shown = f"{kind} {what}: exit code {done.returncode}: {err.strip()[:300]}"
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", err):
        return shown + " (control characters)"
    judge, values = expected if isinstance(expected, tuple) else (None, expected)
    if done.returncode == 1 and err.count("\n") == 1 and err.startswith("dtrain: ") and not left:
        refusal = judge in ("either", "any") or isinstance(values, str) and re.search(values, err)
        return None if refusal else shown
    if done.returncode != 0 or isinstance(values, str):
        return shown
    if judge == "any":
        return None
    if kind == "safetensors" and left == {"out"}:
        with h5py.File(glob.glob(f"{where}/out/checkpoints/*.h5")[0]) as f:
            got = f["weights/dense1/w"][()]
        return None if same(got, values) else f"{shown}: {got}, not {values}"
    if left != {"out.h5"}:
        return f"{shown}: {left}"
    with h5py.File(f"{where}/out.h5") as f:
        got = f["train/x"][()]
    return None if same(got, values) else f"{shown}: {got}, not {values}"


with concurrent.futures.ThreadPoolExecutor(4) as pool:
    wrong = [line for line in pool.map(run, range(len(cases))) if line]
for line in wrong:
    print("FAIL ", line)
print("ok   ", *(f"{count} {kind}" for kind, count in collections.Counter(c[0] for c in cases).items()))
print("done", len(wrong))
PYTHON
cat "$out"
tail -n 1 "$out" | grep -qx 'done 0' || { fail "strange inputs" && show "$err"; }
[[ ! -e owned ]] || fail "a header was run"
finish
