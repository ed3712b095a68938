#!/usr/bin/env bash
# Every public header compiles alone, and twice in a row.
. "$(dirname "$0")/../support/lib.sh"

for header in "$source"/include/dtrain/*.h; do
    name=dtrain/${header##*/}
    printf '#include "%s"\n#include "%s"\nextern int dt_empty;\n' "$name" "$name" >alone.c
    if ${CC:-cc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Werror -I"$source/include" -fsyntax-only alone.c; then
        pass "$name"
    else
        fail "$name does not compile alone"
    fi
done
finish
