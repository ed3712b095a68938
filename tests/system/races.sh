#!/usr/bin/env bash
# The cache that ranks share, in the eyes of ThreadSanitizer: threads and processes that hold and read as they meet.
. "$(dirname "$0")/../support/lib.sh"

compiler=${CC:-cc}
echo 'int main(void) { return 0; }' >none.c
if ! "$compiler" -fsanitize=thread none.c -o none 2>"$err" || ! ./none 2>>"$err"; then
    skip "$compiler makes no program that ThreadSanitizer watches"
fi
base=("$source"/src/base/*.c) # but for what is compiled once for every instruction set, and calls that
for i in "${!base[@]}"; do [[ ${base[i]} != */hash?(_kernel).c ]] || unset "base[i]"; done
read -ra check < <(pkg-config --cflags --libs check)
if "$compiler" -std=c11 -D_GNU_SOURCE -g -O1 -fsanitize=thread -I"$source/src" -I"$source/tests/support" \
    "$source/tests/unit/test_cache_races.c" "${base[@]}" "${check[@]}" -lm -lpthread -o races 2>"$err"; then
    pass "the cache is built with ThreadSanitizer"
else
    fail "the cache with ThreadSanitizer" && show "$err"
fi
TSAN_OPTIONS=halt_on_error=1 ./races >"$out" 2>"$err"
code=$?
expect_code 0 "nothing races"
finish
