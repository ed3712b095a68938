#!/usr/bin/env bash
# The arrows between rooms point down, and each foreign library is known to one room only (src/README.md, design).
. "$(dirname "$0")/../support/lib.sh"

# check_arrows TREE: prints every broken arrow
check_arrows() {
    python3 - "$1" <<'END'
import pathlib, re, sys

top = pathlib.Path(sys.argv[1])
rooms = ["base", "config", "compute", "comm", "store", "data", "optim", "model", "train", "cli"]  # lowest first
headers = {
    "base": "alive append clock escape file guard log mapped memory process random status stop sum table trace",
    "config": "fields node recipe",
    "compute": "compute",
    "comm": "comm reduce team watchdog",
    "store": "checkpoint h5 metrics rundir",
    "data": "dataset identity import tokenizer",
    "optim": "optim",
    "model": "model",
    "train": "train",
}
room_of = {f"{name}.h": room for room, names in headers.items() for name in names.split()}
blind = {"optim": ["comm", "store", "data"], "model": ["comm", "store", "optim"]}  # below, and yet not to be known
foreign = {  # whose header: the only files that may include it
    r"mpi\.h": r"src/comm/.*|src/store/h5\.c|src/main\.c",
    r"(hdf5|H5).*\.h": r"src/store/h5(_\w+)?\.[ch]",
    r"(oneapi/.*|dnnl.*)\.h": r"src/compute/.*",
}
lent = {("src/store/h5.c", "comm_internal.h")}  # parallel HDF5 wants an MPI_Comm


def room_that_has(file):
    if file.startswith("include/"):
        return room_of.get(pathlib.Path(file).name)
    return file.split("/")[1] if file.count("/") == 2 else "main"


def check(file, name):
    for pattern, where in foreign.items():
        if re.fullmatch(pattern, name) and not re.fullmatch(where, file):
            return f"includes {name}, which is for {where} only"
    mine = room_that_has(file)
    if mine == "main":
        return None
    if mine not in rooms:
        return "is in no room; say which in tests/system/arrows.sh"
    if name.startswith("dtrain/"):
        theirs = room_of.get(pathlib.Path(name).name)
    else:
        found = list((top / "src").glob(f"*/{pathlib.Path(name).name}"))
        theirs = found[0].parent.name if found else None
        if theirs not in (None, mine) and (file, found[0].name) not in lent:
            return f"includes {name}, which is private to {theirs}"
    if theirs and (rooms.index(theirs) > rooms.index(mine) or theirs in blind.get(mine, [])):
        return f"includes {name}: {mine} must not know {theirs}"
    return None


openers = {"cli/inspect.c", "data/array.c", "data/text.c", "data/vocabulary.c", "store/checkpoint.c", "store/h5.c", "store/h5_fetch.c",
           "store/verify.c"}  # in children only

count = 0
for path in sorted([*top.glob("include/dtrain/*.h"), *top.glob("src/**/*.[ch]")]):
    file = path.relative_to(top).as_posix()
    for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if re.search(r"\bdt_h5_open\(", text) and file.startswith("src/") and file[4:] not in openers:
            print(f"{file}:{line} opens HDF5: files of others are opened by a child (guard.h); say here that it is one, or use dt_h5_fetch")
        include = re.match(r'\s*#\s*include\s*[<"]([^">]+)[">]', text)
        if include:
            count += 1
            message = check(file, include[1])
            if message:
                print(f"{file}:{line} {message}")
if count == 0:
    print("no include found: wrong tree?")
END
}

found=$(check_arrows "$source")
[[ -z $found ]] || fail "broken arrows:"$'\n'"$found"

# The check itself: each of these lines, put into a copy, must be found.
cp -r "$source/src" "$source/include" .
breaks() { # breaks FILE INCLUDE
    local kept
    kept=$(cat "$1")
    echo "#include $2" >>"$1"
    if check_arrows . | grep -q "^$1:"; then pass "$2 in $1 is noticed"; else fail "$2 in $1 is not noticed"; fi
    echo "$kept" >"$1"
}
breaks src/base/table.c '"dtrain/recipe.h"'
breaks src/model/dense.c '"dtrain/comm.h"'
breaks src/store/digest.c '"dtrain/model.h"'
breaks src/optim/rules.c '"dtrain/train.h"'
breaks src/train/train.c '<mpi.h>'
breaks src/store/checkpoint.c '<hdf5.h>'
breaks src/model/dense.c '<dnnl.h>'
breaks src/data/sampler.c '"../compute/compute_internal.h"'
echo 'dt_h5_open(' >src/train/opener.c
if check_arrows . | grep -q '^src/train/opener.c:1'; then pass "another opener of HDF5 is noticed"; else fail "another opener of HDF5 is not noticed"; fi
rm src/train/opener.c
breaks include/dtrain/table.h '"dtrain/comm.h"'
finish
