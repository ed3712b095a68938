#!/usr/bin/env bash
# A model has one digest of its outputs: from dtrain predict on any number of ranks, and from the library, whose calls have
# one sample or many, from one thread or four, in C and in Fortran.
. "$(dirname "$0")/../support/lib.sh"

[[ -e $build/src/api/libdtrain.so ]] || skip "the library was not built (it needs a serial HDF5)"
sanitized=$(meson introspect --buildoptions "$build" | grep -oE '"b_sanitize"[^}]*"value": "[a-z,]*"|"value": "[a-z,]*"[^}]*"b_sanitize"' | grep -c address)
compiler=${CC:-cc}
flags=(-O1 -g -Wall -Wextra -Werror "-I$source/include" "-L$build/src/api" "-Wl,-rpath,$build/src/api" -ldtrain -lxxhash -lpthread)
((sanitized)) && flags+=('-fsanitize=address,undefined')
"$compiler" -std=c11 -D_GNU_SOURCE "$source/tests/api/digest.c" "${flags[@]}" -o digest_c || give_up "digest.c does not compile"
fortran=''
if ! command -v gfortran >/dev/null; then
    lacks "Fortran: gfortran is not installed"
elif ((sanitized)); then
    lacks "Fortran: it is not built with the sanitizers here"
else
    gfortran -std=f2008 -fwrapv -J. "$source/include/dtrain/dtrain.f90" "$source/tests/api/digest.f90" "${flags[@]}" -o digest_f || give_up "digest.f90 does not compile"
    fortran=1
fi

/usr/bin/python3 "$source/tests/api/models.py" text bits || give_up "no data"
run 1 import text text.txt text.h5 --tokens char

# same MODEL DIGEST WHAT
same() {
    if [[ ${2,,} == "$wanted" ]]; then
        pass "$1: $3"
    else
        fail "$1, $3: $2, not $wanted"
    fi
}

for model in values pictures series text resnet wide single lstm gru masked bert; do
    data=$model.h5 more=() streams=() options=()
    case $model in
    text | masked) data=text.h5 more=(8) ;;
    lstm | gru) data=text.h5 more=(7) streams=(19) options=(--set train.batch=19) ;;
    bert) more=(8 0) ;;
    esac
    run 1 train "$model.yaml" "${options[@]}"
    [[ $code == 0 ]] || { fail "$model is not trained" && show "$err" && continue; }
    run 1 predict "$model" -o "$model.out.h5"
    wanted=$(last_value digest)
    run 3 predict "$model" -o again.h5
    same "$model" "$(last_value digest)" "predict on 3 ranks"
    "$source/tests/api/predicted.py" "$data" "$model.out.h5" samples "${more[@]}" || give_up "no samples of $model"
    for at_once in 1 5 64; do
        same "$model" "$(./digest_c "$model" samples "$at_once" 1 "${streams[@]}")" "$at_once at once"
        same "$model" "$(./digest_c "$model" samples "$at_once" 4 "${streams[@]}")" "$at_once at once, four threads"
        [[ $fortran ]] && same "$model" "$(./digest_f "$model" samples "$at_once" "${streams[@]}")" "$at_once a call, from Fortran"
    done
done
finish
