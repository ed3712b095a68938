#!/usr/bin/env bash
# The cache that ranks share, in the eyes of ThreadSanitizer: threads and processes that hold and read as they meet.
. "$(dirname "$0")/../support/lib.sh"

compiler=${CC:-cc}
echo 'int main(void) { return 0; }' >none.c
if ! "$compiler" -fsanitize=thread none.c -o none 2>"$err" || ! ./none 2>>"$err"; then
    skip "$compiler makes no program that ThreadSanitizer watches"
fi
read -ra check < <(pkg-config --cflags --libs check)
if "$compiler" -std=c11 -D_GNU_SOURCE -g -O1 -fsanitize=thread -I"$source/src" -I"$source/tests/support" \
    "$source/tests/unit/test_cache_races.c" "$source"/src/base/*.c "${check[@]}" -lm -lpthread -o races 2>"$err"; then
    pass "the cache is built with ThreadSanitizer"
else
    fail "the cache with ThreadSanitizer" && show "$err"
fi
TSAN_OPTIONS=halt_on_error=1 ./races >"$out" 2>"$err"
code=$?
expect_code 0 "nothing races"
finish
