#!/usr/bin/env bash
# Checkpoints that are damaged, cut short or something else are named and passed over; the newest good one is used.
. "$(dirname "$0")/../support/lib.sh"
need_data

arguments=(--set "data.file=$data" --set train.shards=2)
checkpoints=run/checkpoints

run 2 train "${arguments[@]}" --run run --set checkpoint.every="10 steps" --set train.stop_after="30 steps"
expect_code 75 "three checkpoints"
cp -r run kept
newest=$checkpoints/step-000000030.h5

restore() { rm -rf run && cp -r kept run; }

# not_valid WHAT REGEX: verify names the damage
not_valid() {
    run 1 verify "$newest"
    expect_bad 1 "step-000000030.h5.*$2" "verify: $1"
}

# damaged WHAT REGEX: after the newest checkpoint was changed, the one before is used and the damage named
damaged() {
    not_valid "$@"
    run 2 train "${arguments[@]}" --run run --set train.stop_after="1 steps"
    expect_code 75 "train goes on: $1"
    expect_in "$err" "warning: .*step-000000030.h5.*$2" "it says what it passed over: $1"
    expect_in "$out" 'going on from .*step-000000020.h5' "and what it uses: $1"
    restore
}

# offset_of DATASET: where its bytes begin in the newest checkpoint
offset_of() { "$python" -c 'import h5py, sys; print(h5py.File(sys.argv[1])[sys.argv[2]].id.get_offset())' "$newest" "$1"; }
flip() { # flip OFFSET: one bit
    "$python" -c 'import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2])); b = f.read(1)[0]; f.seek(-1, 1); f.write(bytes([b ^ 16]))' "$newest" "$1"
}
datasets=$("$python" -c 'import h5py, sys
names = []
h5py.File(sys.argv[1]).visititems(lambda n, o: names.append("/" + n) if isinstance(o, h5py.Dataset) else None)
print("\n".join(sorted(names)))' "$newest")

for name in $datasets; do
    flip $(($(offset_of "$name") + 3))
    not_valid "a flipped bit in $name" "$name"
    restore
done
flip $(($(offset_of /weights/dense1/w) + 100000))
damaged "a flipped bit" /weights/dense1/w
for bytes in 0 100 10000 -1; do
    truncate -s "$bytes" "$newest"
    damaged "cut to size $bytes" ''
done
head -c 300000 /dev/urandom >"$newest"
damaged "noise" ''
echo "not a checkpoint" >"$newest"
damaged "text" ''
cp "$data" "$newest"
damaged "a dataset instead" 'checkpoint'
mkdir "$work/dir" && rm "$newest" && mv "$work/dir" "$newest"
damaged "a directory" ''
"$python" -c 'import h5py, sys; h5py.File(sys.argv[1], "r+").attrs["version"] = 99' "$newest"
damaged "a later format" 'version'
"$python" -c 'import h5py, sys; h5py.File(sys.argv[1], "r+").attrs["step"] = 31' "$newest"
damaged "a changed attribute" 'digest'
"$python" - "$newest" /weights/dense1/w <<'END'
import h5py, sys
with h5py.File(sys.argv[1], "r+") as file:
    del file[sys.argv[2]]
END
damaged "a tensor that is missing" ''

for file in "$checkpoints"/*.h5; do truncate -s 5000 "$file"; done
run 2 train "${arguments[@]}" --run run
expect_code 1 "none of them good: refused"
expect_in "$err" 'none of its 3 checkpoints' "it says so"
[[ $(find "$checkpoints" -name '*.h5' | wc -l) == 3 ]] || fail "files were removed"
finish
