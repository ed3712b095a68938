#!/usr/bin/env bash
# A few damaged and hostile files of many (hostile.py makes any number, or takes those of others): every command that reads them ends by
# itself, within its bounds of time and memory.
. "$(dirname "$0")/../support/lib.sh"

cat >r.yaml <<'END'
name: hostile
model: {layers: [flatten, {dense: 3}]}
train: {epochs: 1, batch: 16}
END
hostile() { "$python" "$source/tests/fault/hostile.py" --program "$dtrain" --recipe r.yaml "$@"; }
hostile --seed 1 --count 30 --only inspect --only verify --only sample || fail "what needs no ranks"
hostile --seed 2 --count 6 --only data --only resume --only 'eval --data' || fail "what is trained on, gone on with, evaluated"

# The claims that took most: a checkpoint whose dataset has 4 GB in chunks that are not there, and one with 2^50 rows of nothing.
"$python" - <<'PYTHON' || give_up "no claims"
import h5py

for name, shape in (("much.h5", (1 << 30,)), ("rows.h5", (1 << 50, 0))):
    with h5py.File(name, "w") as file:
        for key, value in {"version": 1, "step": 1, "epoch": 0, "sample": 0, "shards": 1, "seed": 1, "datasets": 1}.items():
            file.attrs[key] = value
        texts = {"format": "dtrain checkpoint", "digest": "0" * 16, "recipe": "name: x", "created": "now", "program": "dtrain"}
        for key, value in texts.items():
            file.attrs[key] = value
        file.attrs["recipe_hash"] = "4e84b4f10d860523"
        packed = {} if 0 in shape else {"chunks": (1 << 20,), "compression": "gzip"}
        data = file.create_dataset("weights/w", shape, "f4", **packed)
        data.attrs["hash"] = "0" * 16
        data.attrs["order"] = 0
PYTHON
# claims NAME REGEX: refused in time, and with 2 GB of address space
claims() {
    # shellcheck disable=SC2016  # words of the inner shell
    timeout 20 bash -c 'ulimit -v 2000000; exec "$0" "$@"' "$dtrain" verify "$1.h5" >"$out" 2>"$err"
    code=$?
    expect_bad 1 "$1.h5: .*$2" "verify of $1.h5"
}
claims much '/weights/w claims 4294967296 bytes, more than the file can hold'
claims rows '/weights/w does not match its hash'
finish
