#!/usr/bin/env bash
# The arrows between rooms point down, and each foreign library is known to one room only (src/README.md, design).
. "$(dirname "$0")/../support/lib.sh"

# check_arrows TREE: prints every broken arrow
check_arrows() {
    python3 - "$1" <<'END'
import pathlib, re, sys

top = pathlib.Path(sys.argv[1])
rooms = ["base", "config", "compute", "comm", "store", "data", "optim", "model", "use", "api", "site", "run", "report", "cli"]  # lowest first
doors = {  # what other rooms may include
    "base": "absent alive append clock escape file guard hash headway log mapped memory pattern process random ranks repeats status stop sum table trace transcendental",
    "config": "fields groups numbered recipe yaml",
    "compute": "compute conv elementary failure gemm isa kernels real subnormal tally threads",
    "comm": "comm comm_ranks crosscheck node reduce watchdog",
    "store": "checkpoint datasets h5 h5_deal h5_rows journal links lock_file metrics publish rundir tensorboard",
    "data": "archive array augment batch classes foreign identity import named_arrays npz numbers proposal publish ranges safetensors sample_weights sampler samples scaling selection source survey table_look targets tokenizer weights_file",
    "optim": "optim",
    "model": "describe model",
    "use": "assessment assessment_json batch cause choose computed decoder evaluation export extras figures merge outputs pieces prediction results rows_state sample sink trained weights_match",
    "api": "",
    "report": "canvas events flat history picture report terminal thin watch",
    "site": "accountant change chosen exchange exchange_mailbox exchange_masked key mailbox members noise outer partition private_change pull replay robust secret split vouch",
    "run": "audit bench dispute eval import_weights named predict train",
}
blind = {"store": ["comm"], "data": ["comm"], "optim": ["comm", "store", "data"], "model": ["comm", "store", "optim"], "use": ["comm", "optim"], "api": ["comm", "optim"], "site": ["comm", "optim", "model", "use", "api"], "report": ["compute", "comm", "data", "optim", "model", "use", "api", "run"]}  # below, and yet not to be known
foreign = {  # whose header: the only files that may include it
    r"png\.h": r"src/data/picture_png\.c",
    r"j(peglib|error)\.h": r"src/data/picture_jpeg\.c",
    r"mpi\.h": r"src/comm/.*|src/main\.c",
    r"comm/.*\.h": r"src/(comm|run|cli)/.*|src/main\.c",
    r"(hdf5|H5).*\.h": r"src/store/h5(_\w+)?\.[ch]",
    r"jansson\.h": r"src/(data/(safetensors(_write)?|gpt2_write)|use/(export_\w+|assessment_json))\.[ch]",
    r"sodium\.h": r"src/site/.*\.c",
    r"zip\.h": r"src/data/(archive|npz(_read)?)\.c",
    r"immintrin\.h": r"src/(compute/.*|comm/node\.c)",
}


def room_that_has(file):
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
    room, _, header = name.rpartition("/")
    theirs = room if room in rooms else None
    if room == ".." or room.startswith("../"):
        return f"includes {name}: say the room, or of this room's own the name alone"
    if theirs and header.removesuffix(".h") not in doors[theirs].split():
        return f"includes {name}, which is private to {theirs} (doors in tests/system/arrows.sh)"
    if theirs and (rooms.index(theirs) > rooms.index(mine) or theirs in blind.get(mine, [])):
        return f"includes {name}: {mine} must not know {theirs}"
    return None


openers = {"store/h5.c", "store/h5.h", "store/h5_child.c", "store/h5_series.c", "store/head.c", "store/outline.c"}  # in children, or what this process has just made

count = 0
for path in sorted(top.glob("src/**/*.[ch]")):
    file = path.relative_to(top).as_posix()
    for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if re.search(r"\bdt_h5_open\(", text) and file.startswith("src/") and file[4:] not in openers:
            print(f"{file}:{line} opens HDF5: files of others are opened by a child (guard.h); use dt_h5_run or dt_h5_fetch")
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
cp -r "$source/src" .
breaks() { # breaks FILE INCLUDE
    local kept
    kept=$(cat "$1")
    echo "#include $2" >>"$1"
    check_arrows . >noticed
    if grep -q "^$1:" noticed; then pass "$2 in $1 is noticed"; else fail "$2 in $1 is not noticed"; fi
    echo "$kept" >"$1"
}
breaks src/base/table.c '"config/recipe.h"'
breaks src/model/dense.c '"comm/comm.h"'
breaks src/store/digest.c '"model/model.h"'
breaks src/optim/rules.c '"run/train.h"'
breaks src/use/evaluation.c '"comm/comm.h"'
breaks src/use/trained.h '"run/train.h"'
breaks src/site/exchange.h '"comm/comm.h"'
breaks src/site/exchange.h '"run/train.h"'
breaks src/run/train.c '<mpi.h>'
breaks src/store/head.c '<hdf5.h>'
breaks src/store/load.c '"comm/comm.h"'
breaks src/model/dense.c '<immintrin.h>'
breaks src/data/sampler.c '"compute/compute_internal.h"'
breaks src/run/train.c '<sodium.h>'
breaks src/site/secret.c '"model/model.h"'
echo 'dt_h5_open(' >src/run/opener.c
check_arrows . >noticed
if grep -q '^src/run/opener.c:1' noticed; then pass "another opener of HDF5 is noticed"; else fail "another opener of HDF5 is not noticed"; fi
rm src/run/opener.c
breaks src/api/open.c '"run/train.h"'
breaks src/use/trained.c '"api/handles.h"'
breaks src/base/table.h '"comm/comm.h"'
finish
