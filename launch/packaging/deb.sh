#!/usr/bin/env bash
# Debian packages of this tree: launch/packaging/deb.sh [DIRECTORY] leaves dtrain, libdtrain0 and libdtrain-dev there (.),
# built by dpkg-buildpackage and looked at by lintian. What they need to be built is in debian/control.
set -euo pipefail
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
target=$(realpath "${1:-.}")
for tool in dpkg-buildpackage dh lintian; do
    command -v "$tool" >/dev/null || {
        echo "deb.sh: no $tool; on Debian: apt-get install dpkg-dev debhelper lintian" >&2
        exit 2
    }
done
tree=$(mktemp -d "${TMPDIR:-/tmp}/dtrain-deb.XXXXXX")
trap 'rm -rf "$tree"' EXIT
mkdir "$tree/dtrain"
tar -C "$source" --exclude='./build*' --exclude=./.git --exclude=./runs --exclude='./data/*.h5' --exclude=./dtrain -cf - . |
    tar -C "$tree/dtrain" -xf -
mv "$tree/dtrain/launch/packaging/debian" "$tree/dtrain/debian"
cd "$tree/dtrain"
dpkg-buildpackage --build=binary --no-sign >"$tree/log" 2>&1 || {
    tail -n 40 "$tree/log" >&2
    echo "deb.sh: dpkg-buildpackage failed" >&2
    exit 1
}
# The project has no address of its own yet: the maintainer is to be who builds the package (DEBEMAIL, dpkg-buildpackage -m).
lintian --allow-root --fail-on error,warning --tag-display-limit 0 --suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog \
    "$tree"/*.changes
cp "$tree"/*.deb "$target/"
printf '%s\n' "$target"/*dtrain*.deb
