#!/bin/sh
# one_object.sh OUT.a SCRATCH COMPILER… -- LIBRARY.a…: the first of the static libraries, and what it needs of the others,
# as one object in an archive, in which only the public names are to be seen from outside.
set -eu
out=$1 scratch=$2
shift 2
compiler=
while [ "$1" != -- ]; do
    compiler="$compiler $1"
    shift
done
first=$2
shift 2
mkdir -p "$scratch"
# shellcheck disable=SC2086  # several words
$compiler -r -nostdlib -no-pie -o "$scratch/dtrain.o" -Wl,--whole-archive "$first" -Wl,--no-whole-archive \
    -Wl,--start-group "$@" -Wl,--end-group
objcopy --wildcard --keep-global-symbol='dtrain_*' "$scratch/dtrain.o"
rm -f "$out"
ar rcs "$out" "$scratch/dtrain.o"
