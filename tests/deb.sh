#!/usr/bin/env bash
# Builds Debian's packages as launch/packaging/deb.sh does, which is a whole build and so no part of the gate, and looks at
# what came of it: lintian has neither errors nor warnings, and what the packages hold works when it is unpacked.
set -euo pipefail
cd "$(dirname "$0")/.."
. launch/packages.sh
need_packages "${packages_build[@]}" "${packages_deb[@]}"

work=$(mktemp -d "${TMPDIR:-/tmp}/dtrain-packages.XXXXXX")
trap 'rm -rf "$work"' EXIT
launch/packaging/deb.sh "$work"
for package in "$work"/*.deb; do
    dpkg-deb -x "$package" "$work/unpacked"
done
root=$work/unpacked/usr
libraries=$(echo "$root"/lib/*-linux-gnu*)
"$root/bin/dtrain" --version --verbose
DTRAIN=$root/bin/dtrain "$root/share/dtrain/launch/local.sh" -n 1 --version
man -l "$root/share/man/man1/dtrain.1.gz" | grep -q 'dtrain train' || { echo "no page for dtrain" && exit 1; }
cat >"$work/answer.c" <<'END'
#include <dtrain/dtrain.h>
#include <stdio.h>

int main(void) {
    return printf("libdtrain %s\n", dtrain_version()) < 0;
}
END
gcc "$work/answer.c" -o "$work/answer" -I"$root/include" -L"$libraries" -ldtrain
LD_LIBRARY_PATH=$libraries "$work/answer"
echo "the packages are whole"
