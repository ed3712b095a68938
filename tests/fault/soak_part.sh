#!/usr/bin/env bash
# A small part of the soak, by a seed of its own: networks and texts, in teams and flat, on one host and two, interrupted
# in all ways the harness knows, go on to the digest of the run nobody touched.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data images.h5 64 2021 # 20 batches of 101, and one row
cat "$source"/src/model/*.c >text
"$dtrain" import text text texts.h5 --tokens byte >import.log 2>&1 || give_up "import of a text: $(cat import.log)"
TMPDIR=$work python3 "$source/tests/fault/kill.py" --program "$dtrain" --recipe "$source/launch/recipes/fashion-mlp.yaml" \
    --images images.h5 --texts texts.h5 --idx "$idx" --shim "$build/tests/faultshim.so" \
    --runs 2 --attempts 3 --seed "${SEED:-3}" --verbose || fail "the soak's part"
finish
