#!/usr/bin/env bash
# What it costs how data is stored and how much memory it may take: tests/bench/pieces.sh [ROUNDS [RANKS]]. fashion-cnn, or
# another RECIPE, EPOCHS (1) a run; runs of a pair alternate; medians of the pairs' ratios, a Markdown table.
#   packed   chunked and gzip, unpacked at the start, beside contiguous: of the training loop, and of whole runs
#   pieces   the same file, read in pieces with a quarter of its size in memory, beside contiguous
#   chunked  the same in chunks that are not compressed
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${1:-7} ranks=${2:-1} recipe=${RECIPE:-fashion-cnn} epochs=${EPOCHS:-1} data=${DATA:-data/fashion-mnist.h5} dtrain=${DTRAIN:-./dtrain}
[[ -f $data && -x $dtrain ]] || { echo "pieces.sh: launch/quickstart.sh first: it builds ./dtrain and gets the data" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3=/usr/bin/python3
[[ -x $python3 ]] || python3=python3
"$python3" - "$data" "$work/packed.h5" "$work/chunked.h5" <<'PYTHON'
import h5py, sys

for name, compression in (sys.argv[2], "gzip"), (sys.argv[3], None):
    with h5py.File(sys.argv[1], "r") as plain, h5py.File(name, "w") as packed:
        for split in "train", "test":
            packed.create_dataset(f"{split}/x", data=plain[f"{split}/x"], chunks=(256, 28, 28), compression=compression)
            packed[f"{split}/y"] = plain[f"{split}/y"][...]
PYTHON

one() { # NAME ARGUMENT…: "samples/s seconds" into a file of that name
    local name=$1
    shift
    rm -rf "$work/run"
    launch/local.sh -n "$ranks" train "launch/recipes/$recipe.yaml" --run "$work/run" --set "train.epochs=$epochs" --set train.shards=8 \
        --set train.eval_every=never --set checkpoint.every=never --set data.shuffle=block --set data.shuffle_block=1024 \
        --set data.shuffle_window=4 "$@" | sed -n 's/^done .*samples_per_s=\([0-9]*\) seconds=\([0-9.]*\) .*/\1 \2/p' >>"$work/$name"
}
# row NAME FIRST SECOND: medians of the ratios of speeds, and of whole runs
row() {
    local loop whole
    loop=$(paste -d ' ' "$work/$2" "$work/$3" | awk '{print $1 / $3}' | sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}')
    whole=$(paste -d ' ' "$work/$2" "$work/$3" | awk '{print $4 / $2}' | sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}')
    printf '| %s | %.3f | %.3f |\n' "$1" "$loop" "$whole"
}

for ((i = 0; i < rounds; i++)); do
    one plain --set "data.file=$data"
    one packed --set "data.file=$work/packed.h5"
    one pieces --set "data.file=$work/packed.h5" --set 'data.memory=12 MB'
    one chunked --set "data.file=$work/chunked.h5" --set 'data.memory=12 MB'
done
echo "| $recipe, speed beside contiguous data | training loop | whole run |"
echo "| --- | ---: | ---: |"
row "chunked and gzip, unpacked" packed plain
row "chunked and gzip, in pieces, a quarter in memory" pieces plain
row "chunked, in pieces, a quarter in memory" chunked plain
