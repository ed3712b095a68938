#!/usr/bin/env bash
# The top level holds what the design names and nothing else; no generated file is kept.
. "$(dirname "$0")/../support/lib.sh"

cd "$source" || exit 1
git ls-files >"$work/files" || give_up "git ls-files failed"
while read -r name; do
    fail "$name does not belong at the top"
done < <(cut -d/ -f1 "$work/files" | sort -u |
    grep -vxE 'src|include|tests|launch|data|meson\.build|meson_options\.txt|README\.md|LICENSE|CHANGELOG\.md|\..*')
while read -r name; do
    fail "$name is generated or private and should not be kept"
done < <(grep -E '\.(o|a|so|h5|jsonl|pyc|log|gz)$|(^|/)(build|runs)/' "$work/files")

# A void * stored into a pointer of another type through a cast void ** is undefined: a compiler that sees both ends (-flto)
# may read the pointer before it is written. What hands out memory returns it.
if grep -rnE '\(void \*\*\)' "$source"/src --include='*.[ch]'; then
    fail "casts to void ** (above)"
else
    pass "no casts to void **"
fi
finish
