#!/usr/bin/env bash
# Every header compiles alone, and twice in a row.
. "$(dirname "$0")/../support/lib.sh"

# those that need a library's header have it where the build found it
mapfile -t places < <(grep -oE -- '-(I|isystem *)/[^ "]+' "$build/compile_commands.json" | sort -u)
for header in "$source"/src/*/*.h "$source"/include/dtrain/*.h; do
    name=${header#"$source"/src/}
    name=${name#"$source"/include/}
    printf '#include "%s"\n#include "%s"\nextern int dt_empty;\n' "$name" "$name" >alone.c
    if ${CC:-cc} -std=c11 -D_GNU_SOURCE -fopenmp-simd -Wall -Wextra -Wpedantic -Werror -I"$source/src" -I"$source/include" "${places[@]}" -fsyntax-only alone.c 2>"$err"; then
        pass "$name"
    elif library=$(grep -oE 'fatal error: (jansson|onnx[a-z.-]*)\.h: No such file' "$err"); then
        lacks "$name: ${library#fatal error: }"
    else
        fail "$name does not compile alone" && show "$err"
    fi
done
finish
