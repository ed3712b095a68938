#!/usr/bin/env bash
# The recipes' matrix products beside those of oneDNN and libxsmm (libdnnl-dev; libxsmm-dev, without which its column is
# empty), Markdown tables on this machine; never fails on time. tests/bench/products.c says what is measured.
#   tests/bench/products.sh [avx2|avx512 [SECONDS [PART]]]          speed; SECONDS: 0.2 a line; PART of a layer's name
#   tests/bench/products.sh errors [avx2|avx512 [FASHION_MNIST.h5]]   errors, with a network's own numbers
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
errors=
if [[ ${1:-} == errors ]]; then
    errors=yes
    shift
fi
isa=${1:-avx2}
shift $(($# > 0))
[[ -d $build ]] || meson setup "$build" -Dtests=true -Dbuildtype=release >/dev/null
ninja -C "$build" tests/products >/dev/null ||
    { echo "products.sh: no tests/products in $build: it needs -Dtests=true and libdnnl-dev" >&2; exit 1; }
export OMP_NUM_THREADS=1 # of the peers
if [[ ! $errors ]]; then
    exec "$build/tests/products" "$isa" "$@"
fi
data=${1:-data/fashion-mnist.h5}
[[ -f $data ]] || { echo "products.sh: $data is missing; launch/quickstart.sh makes it" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3=/usr/bin/python3
[[ -x $python3 ]] || python3=python3
"$python3" tests/bench/operands.py "$data" "$work"
"$build/tests/products" "$isa" errors "$work"/*
