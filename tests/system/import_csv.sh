#!/usr/bin/env bash
# import csv: values, names and classes arrive as they are in the table, whatever it is quoted, split or ordered like; what
# cannot be learned from is refused by the name of its column; a second table gets the numbers of the first.
. "$(dirname "$0")/../support/lib.sh"

# holds FILE WHAT PYTHON: an expression over f, the file, and np is true
holds() {
    if "$python" - "$1" "$3" <<'PYTHON' 2>"$err"; then pass "$2"; else fail "$2: $3" && show "$err"; fi
import h5py, numpy as np, sys

f = h5py.File(sys.argv[1], "r")
columns = f["columns"][()].tobytes().decode()
classes = lambda name: h5py.check_enum_dtype(f[name].dtype)
same = lambda name, values: np.array_equal(f[name][()], np.array(values, f[name].dtype), equal_nan=f[name].dtype.kind == "f")
sys.exit(not eval(sys.argv[2]))
PYTHON
}
# csv FILE LINE…: a table of these lines
csv() {
    local file=$1
    shift
    printf '%s\n' "$@" >"$file"
}
taken() { # taken WHAT PYTHON ARGUMENT…
    local what=$1 expression=$2
    shift 2
    rm -f out.h5
    run 1 import csv "$@"
    expect_code 0 "$what"
    ((code != 0)) || holds out.h5 "$what" "$expression"
}
refused() { # refused WHAT REGEX ARGUMENT…
    local what=$1 regex=$2
    shift 2
    rm -f out.h5
    run 1 import csv "$@"
    expect_bad 1 "$regex" "$what"
    [[ ! -e out.h5 ]] || fail "$what: left a file"
}

# A table with everything in it: quotes, delimiters and ends of lines inside fields, missing values, classes.
printf '\xef\xbb\xbfsize,"colour, main",kind\r\n5.1,red,setosa\r\n-4.9e2,"blue ""sky""\r\nand sea",virginica\r\n\r\n , NA ,setosa' >all.csv
taken "quotes, CR LF, a byte-order mark and no last line" \
    'same("train/x", [[5.1, 1], [-490, 0], [np.nan, np.nan]]) and f["train/x"].dtype == "f4" and same("train/y", [0, 1, 0])' \
    all.csv out.h5 --target kind
holds out.h5 "names of classes" 'classes("train/y") == {"setosa": 0, "virginica": 1} and "colour, main" in columns'
taken "an input for each class" 'same("train/x", [[5.1, 0, 1], [-490, 1, 0], [np.nan, 0, 0]])' \
    all.csv out.h5 --target kind --categories one-hot
mv out.h5 first.h5
csv next.csv 'kind,more,"colour, main",size' 'virginica,7,red,2.5'
taken "a second table, its columns in another order" \
    'same("test/x", [[2.5, 0, 1]]) and same("test/y", [1]) and "train" not in f' next.csv out.h5 --like first.h5
csv next.csv 'size,"colour, main"' '2.5,red'
taken "one without the target" 'same("test/x", [[2.5, 0, 1]]) and "test/y" not in f' next.csv out.h5 --like first.h5
csv next.csv 'size,"colour, main"' '2.5,green'
refused "a class the first had not" 'next.csv:2: column "colour, main" is "green", which is none of its 2 classes' \
    next.csv out.h5 --like first.h5
cp first.h5 many.h5
"$python" - <<'PYTHON'
import h5py, numpy as np

text = "inputs: [{name: size}, {name: 'colour, main', classes: [%s]}]\n" % ", ".join(f"c{i}" for i in range(65537))
with h5py.File("many.h5", "a") as f:
    del f["columns"]
    f["columns"] = np.frombuffer(text.encode(), "u1")
    f["columns"].attrs["encoding"] = "UTF-8"
PYTHON
csv next.csv 'size,"colour, main"' '2.5,c1'
refused "a file with more classes than there can be" 'many.h5: /columns has more than 65536 classes of the column "colour, main"' \
    next.csv out.h5 --like many.h5

# The order of the rows does not decide the numbers; numbers that are classes are in their own order.
csv t.csv a,b 1,x10 2,x9 3,x10
taken "classes in alphabetical order" 'same("train/y", [0, 1, 0]) and classes("train/y") == {"x10": 0, "x9": 1}' t.csv out.h5 --target b
csv t.csv a,b 10,1 9,2 10,3
taken "numbers that are classes" 'same("train/x", [[1], [0], [1]]) and "classes: [\"9\", \"10\"]" in columns' \
    t.csv out.h5 --target b --category a

# Numbers keep what tells them apart.
csv t.csv a,y 100000000.25,1 100000000.5,2
taken "close numbers" 'same("train/x", [[100000000.25], [100000000.5]]) and f["train/x"].dtype == "f8" and same("train/y", [1, 2])' \
    t.csv out.h5 --target y
csv t.csv a,b,y 0,255,1.5 7,3,-2
taken "bytes" 'same("train/x", [[0, 255], [7, 3]]) and f["train/x"].dtype == "u1" and same("train/y", [1.5, -2])' t.csv out.h5 --target y
"$python" - <<'PYTHON'
import random, struct

random.seed(7)
numbers = [struct.unpack("d", random.randbytes(8))[0] for _ in range(4000)]
numbers = [n for n in numbers if n == n and abs(n) != float("inf")]
numbers += [random.uniform(-1, 1) * 10 ** random.randrange(-25, 25) for _ in range(4000)]
with open("numbers.csv", "w") as f:
    print("a", *(random.choice(["%r", "%.15g", "%.6f", "%.3e", "%.12g", "%.20g"]) % n for n in numbers), sep="\n", file=f)
PYTHON
taken "8000 numbers of all kinds, to the bit" \
    'f["train/x"].dtype == "f8" and same("train/x", [[float(line)] for line in open("numbers.csv").read().split()[1:]])' numbers.csv out.h5
csv t.csv 'a;b' '1,5;-2' '2,25;1e2'
taken "a decimal comma" 'same("train/x", [[1.5, -2], [2.25, 100]])' t.csv out.h5 --delimiter ';' --decimal comma
printf 'a\tb\r1\t\r3\t4\r' >t.csv
taken "tabs, and ends of lines that are CR" 'same("train/x", [[1, np.nan], [3, 4]])' t.csv out.h5 --delimiter tab
csv t.csv '1,2.5,a' '3,4,b'
taken "no header" 'same("train/x", [[1, 2.5], [3, 4]]) and same("train/y", [0, 1])' t.csv out.h5 --header no --target 3
csv t.csv a,b '?,1' '2,NA'
taken "other texts for a missing value" 'same("train/x", [[np.nan], [2]])' t.csv out.h5 --missing '?,NA' --columns a

# Files, parts and columns.
csv one.csv a,b,y 1,2,p 3,4,q
csv two.csv y,b,a q,6,5
taken "two files, the second in another order, and a test" \
    'same("train/x", [[1, 2], [3, 4], [5, 6]]) and same("train/y", [0, 1, 1]) and same("test/x", [[5, 6]]) and same("test/y", [1])' \
    one.csv two.csv out.h5 --target y --test two.csv
csv t.csv p1,p2,q,y1,y2 1,2,3,4,5 6,7,8,9,1
taken "several targets, and columns by pattern" 'same("train/x", [[1, 2], [6, 7]]) and same("train/y", [[4, 5], [9, 1]])' \
    t.csv out.h5 --target 'y?' --columns 'p*'
csv t.csv a,y 1,u 2, 3,v
taken "rows without a target, passed over" 'same("train/x", [[1], [3]]) and same("train/y", [0, 1])' \
    t.csv out.h5 --target y --missing-targets drop
refused "rows without a target" 't.csv:3: column "y" is "", a missing value, and it is the target' t.csv out.h5 --target y
"$python" -c 'print(*(f"c{i}" for i in range(5000)), sep=","), [print(*range(r, r + 5000), sep=",") for r in (0, 9)]' >t.csv
taken "5000 columns" 'f["train/x"].shape == (2, 5000) and (f["train/x"][1] == np.arange(9, 5009)).all()' t.csv out.h5

# What no model can learn from has a name.
{ echo id,a && for i in {1..30}; do echo "$i,$((i % 3))"; done; } >t.csv
refused "an id" 'column "id" counts the rows \(1 to 30\)' t.csv out.h5
taken "one that is none" 'f["train/x"].shape == (30, 2)' t.csv out.h5 --keep id
{ echo user_id,a && for i in {1..30}; do echo "$((i * 7919 % 1009)),$((i % 3))"; done; } >t.csv
refused "an id in another order" 'column "user_id" is an id by its name' t.csv out.h5
{ echo name,a && for i in {1..30}; do echo "n$i,$((i % 3))"; done; } >t.csv
refused "names" 'column "name" has 30 different texts in 30 rows' t.csv out.h5
for date in 2020-01-31 31.1.20 1/31/2020 '2020-01-31T12:00:00Z' 12:30:05; do
    csv t.csv day,a "$date,1"
    refused "a date" 't.csv:2: column "day" is "[^"]*", a date' t.csv out.h5
done
taken "left out" 'same("train/x", [[1]])' t.csv out.h5 --drop day

# A file that changes between the two readings: here a pipe, which cannot be read twice.
mkfifo pipe
refused "a pipe" 'pipe: is a named pipe; it must be a regular file' pipe out.h5

# Memory does not depend on the rows: 40 MB of table in 48 MB of address space beyond what the program itself has.
"$python" -c 'print("a,b"), [print("0.5,1.25\n" * 10000, end="") for _ in range(450)]' >big.csv
run 1 import csv all.csv out.h5
"$python" - "$dtrain" <<'PYTHON' >peaks 2>"$err"
import resource, subprocess, sys

for table in ("all.csv", "big.csv"):
    subprocess.run([sys.argv[1], "import", "csv", table, "out.h5"], check=True, stdout=subprocess.DEVNULL)
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
PYTHON
read -r -d '' small large <peaks
if ((large > 0 && large - small < 40000)); then
    pass "a table of $(stat -c %s big.csv) bytes takes $((large - small)) kB more than one of three rows"
else
    fail "a large table: ${large:-0} kB instead of ${small:-0}" && show "$err"
fi
finish
