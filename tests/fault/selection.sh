#!/usr/bin/env bash
# A few of the runs that soak.sh kills and resumes for hours: of pictures, and of texts (an LSTM with carried state, a GPT, a BERT).
. "$(dirname "$0")/../support/lib.sh"
need_data
run 1 import text /usr/share/common-licenses/GPL-3 text.h5 --tokens byte
expect_code 0 "a text"

killed() { # killed FAMILY DATA SEED
    /usr/bin/python3 "$source/tests/fault/kill.py" --program "$dtrain" --recipe "$source/launch/recipes/fashion-mlp.yaml" \
        --family "$1" --data "$2" --runs 4 --seed "$3" || fail "$1: a run that was killed and resumed is not the one nobody touched"
}
killed images "$data" 1
killed text text.h5 1
finish
