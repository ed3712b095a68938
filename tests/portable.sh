#!/usr/bin/env bash
# Builds, runs and tests dtrain on Debian releases this machine is not, each in a folder of its own, and prints a table.
#   tests/portable.sh [--in DIRECTORY] [--suites "SUITE…"] [ROW]…
#   tests/portable.sh [--in DIRECTORY] --remove
# ROW       a row of the table below by its name, or the beginning of one; without any all of them
# --in      where the folders are made (build/portable): about 1.5 GB each; they stay, so that the next time is shorter
# --suites  of tests/meson.build ("unit avx2 mpi"); "" only builds and trains, "unit mpi system fault" takes half an hour a row
# Needs root (chroot, mount namespaces) and Debian's package mirror. Digests are of short runs (tests/support/port.sh) with
# the baseline's kernels: where they are equal, so are the bits. LOG and RESULT of a row lie in the directory.
set -euo pipefail
cd "$(dirname "$0")/.."

# A folder: name, release, packages besides those that all have.
roots=(
    'debian12-openmpi           bookworm openmpi-bin libopenmpi-dev libhdf5-dev gcc'
    'debian12-openmpi-parallel  bookworm openmpi-bin libopenmpi-dev libhdf5-openmpi-dev gcc'
    'debian12-openmpi-clang     bookworm openmpi-bin libopenmpi-dev libhdf5-dev clang-14 libomp-14-dev llvm-14'
    'debian12-mpich             bookworm mpich libmpich-dev libhdf5-dev gcc'
    'debian13-openmpi           trixie openmpi-bin libopenmpi-dev libhdf5-dev gcc'
    'debian13-openmpi-clang     trixie openmpi-bin libopenmpi-dev libhdf5-dev clang libomp-dev llvm'
    'debian13-mpich             trixie mpich libmpich-dev libhdf5-dev gcc'
)
packages=(libc6-dev meson ninja-build pkg-config python3 libyaml-dev librandom123-dev libxxhash-dev libsodium-dev zlib1g-dev
    dataset-fashion-mnist check git bsdutils procps python3-h5py)

# A row: its name, the folder, the compiler, who builds and runs, meson's options.
rows=(
    'debian12-gcc           debian12-openmpi          gcc      root'
    'debian12-hdf5-parallel debian12-openmpi-parallel gcc      root'
    'debian12-clang         debian12-openmpi-clang    clang-14 root'
    'debian12-mpich         debian12-mpich            gcc      root'
    'debian12-mpicc         debian12-mpich            mpicc    root'
    'debian13-gcc           debian13-openmpi          gcc      root'
    'debian13-clang         debian13-openmpi-clang    clang    root'
    'debian13-mpich         debian13-mpich            gcc      root'
    'lto                    debian12-openmpi          gcc      root -Db_lto=true'
    'debug                  debian12-openmpi          gcc      root -Dbuildtype=debug'
    'native                 debian12-openmpi          gcc      root -Dc_args=-march=native'
    'user                   debian12-openmpi          gcc      user'
)

directory=build/portable
suites='unit avx2 mpi'
remove=
chosen=()
while (($#)); do
    case $1 in
        --in) directory=${2:?--in needs a directory} && shift ;;
        --suites) suites=${2?--suites needs names} && shift ;;
        --remove) remove=yes ;;
        -*) sed -n '2,11s/^# //p' "$0" && exit 2 ;;
        *) chosen+=("$1") ;;
    esac
    shift
done
((EUID == 0)) || { echo "portable.sh: it must be run as root, for chroot" >&2; exit 2; }
mkdir -p "$directory"
directory=$(realpath "$directory")
if [[ $remove ]]; then
    rm -rf --one-file-system "$directory"
    exit
fi

# in_root ROOT COMMAND…: there, with processes and mounts of its own, which end and go with it
in_root() {
    local root=$directory/$1
    shift
    # shellcheck disable=SC2016  # expanded by the inner shell
    unshare --mount --pid --ipc --fork --kill-child bash -c '
        root=$1 archives=$2
        shift 2
        mount --rbind /dev "$root/dev" && mount -t tmpfs tmpfs "$root/dev/shm" && mount -t proc proc "$root/proc" &&
            mount -t sysfs sysfs "$root/sys" && mount --bind "$archives" "$root/var/cache/apt/archives" || exit
        exec chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
            LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"' - "$root" "$directory/archives-${root##*/}" "$@"
}

# make_root NAME RELEASE PACKAGE…: once
make_root() {
    local name=$1 release=$2
    shift 2
    [[ ! -e $directory/$name.made ]] || return 0
    echo "$name: making it" >&2
    if [[ ! -e $directory/$release.made ]]; then
        rm -rf --one-file-system "${directory:?}/$release"
        debootstrap --variant=minbase "$release" "$directory/$release" && touch "$directory/$release.made"
    fi
    rm -rf --one-file-system "${directory:?}/$name"
    mkdir -p "$directory/archives-$name"
    cp -a "$directory/$release" "$directory/$name"
    cp /etc/resolv.conf "$directory/$name/etc/resolv.conf"
    in_root "$name" apt-get -q update &&
        in_root "$name" apt-get -q -y --no-install-recommends install "${packages[@]}" "$@" &&
        in_root "$name" useradd --create-home user &&
        touch "$directory/$name.made"
}

# build_row NAME ROOT COMPILER WHO OPTION…: what came of it goes to DIRECTORY/NAME.result
build_row() {
    local name=$1 root=$2 compiler=$3 who=$4 home=/root
    shift 4
    [[ $who == root ]] || home=/home/$who
    mkdir -p "$directory/$root$home/$name"
    find "$directory/$root$home/$name" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} + # builds go on
    git ls-files -z -c -o --exclude-standard | xargs -0 tar -c --ignore-failed-read 2>/dev/null |
        tar -x -C "$directory/$root$home/$name"
    [[ $who == root ]] || { set -- "--prefix=$home/.local" "$@" && in_root "$root" chown -R "$who" "$home/$name"; }
    in_root "$root" setpriv --reuid="$who" --regid="$who" --init-groups env HOME="$home" CC="$compiler" \
        "$home/$name/tests/support/port.sh" "$home/$name/build" "$suites" "$@" >"$directory/$name.result" 2>"$directory/$name.log" || true
}

value() { sed -n "s/^$2=//p" "$directory/$1.result" | paste -sd ' '; }

print_row() {
    local name=$1 suite passed=() digests=()
    for suite in $suites; do passed+=("$suite $(value "$name" "$suite")"); done
    for recipe in mlp gpt cnn; do
        digest=$(value "$name" "$recipe")
        digests+=("${digest:0:8}")
    done
    printf '| %-22s | %s | %s | %s | %s | %s |\n' "$name" "$(sed -n 's/^with //p' "$directory/$name.log" | paste -sd ',' | sed 's/,/, /g')" "$(value "$name" built)" "$(value "$name" ran)" "${passed[*]}" "${digests[*]}"
}

# picked NAME: is to be tried
picked() {
    local name
    ((${#chosen[@]})) || return 0
    for name in "${chosen[@]}"; do [[ $1 != "$name"* ]] || return 0; done
    return 1
}

. launch/packages.sh
need_packages debootstrap
names=()
bad=0
for row in "${rows[@]}"; do
    read -ra row <<<"$row"
    picked "${row[0]}" || continue
    for root in "${roots[@]}"; do
        read -ra root <<<"$root"
        [[ ${root[0]} != "${row[1]}" ]] || make_root "${root[@]}" >>"$directory/${row[1]}.log" 2>&1
    done
    echo "${row[0]}: builds, runs, tests" >&2
    build_row "${row[@]}"
    names+=("${row[0]}")
    [[ $(value "${row[0]}" ran) == yes && ! $(value "${row[0]}" failed) ]] || bad=1
done
((${#names[@]})) || { echo "portable.sh: no row begins with ${chosen[*]}" >&2; exit 2; }
echo '| row | with | built | ran on 1 and 3 ranks | tests passed | digests of mlp, gpt, cnn |'
echo '| --- | --- | --- | --- | --- | --- |'
for name in "${names[@]}"; do print_row "$name"; done
for name in "${names[@]}"; do
    [[ ! $(value "$name" failed) ]] || echo "$name: failed: $(value "$name" failed)"
    [[ ! $(value "$name" skipped) ]] || echo "$name: skipped: $(value "$name" skipped)"
done
exit $bad
