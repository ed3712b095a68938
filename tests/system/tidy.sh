#!/usr/bin/env bash
# clang-tidy (.clang-tidy says which checks) on every source the build compiles.
. "$(dirname "$0")/../support/lib.sh"

# tidy REGEX OPTION…
tidy() {
    run-clang-tidy-14 -quiet -p "$build" -j "$(nproc)" "${@:2}" "$1" >>log 2>&1 || fail "clang-tidy has findings in $1"
}

[[ -f $build/compile_commands.json ]] || give_up "no $build/compile_commands.json; build first"
modelled='(base/status|comm/comm)\.c$' # analyzer.h tells of these, so they cannot include it
tidy "^$source/src/$modelled"
tidy "^(?!.*$modelled)$source/(src|tests)/.*\.c$" -extra-arg="-I$source/include" \
    -extra-arg-before="-include$source/tests/support/analyzer.h"
grep -E '(error|warning): ' log | sort -u
finish
