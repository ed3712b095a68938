#!/usr/bin/env bash
# A few of the runs that soak.sh kills and resumes for hours.
. "$(dirname "$0")/../support/lib.sh"
need_data

/usr/bin/python3 "$source/tests/fault/kill.py" --program "$dtrain" --recipe "$source/launch/recipes/fashion-mlp.yaml" \
    --data "$data" --runs 4 --seed 1 || fail "a run that was killed and resumed is not the one nobody touched"
finish
