#!/usr/bin/env bash
# clang-format (.clang-format says how) would change nothing.
. "$(dirname "$0")/../support/lib.sh"

clang_tool clang-format
find "$source"/{src,tests} -name '*.[ch]' -print0 | xargs -0 "$tool" --dry-run -Werror ||
    fail "run: clang-format-14 -i on the files above"
finish
