# shellcheck shell=bash
# The Debian packages we need, by purpose, and the one way to have them. Sourced by quickstart.sh, run.sh and benches.
# On other systems nothing is installed: the build then says what it misses.
# shellcheck disable=SC2034  # the lists are for whoever sources this

packages_build=(gcc libc6-dev meson ninja-build pkg-config python3 openmpi-bin libopenmpi-dev libhdf5-dev
    libyaml-dev librandom123-dev libxxhash-dev zlib1g-dev libjansson-dev libzip-dev libpng-dev libjpeg-dev
    libsodium-dev libprotobuf-c-dev protobuf-c-compiler libonnx-dev)
packages_data=(dataset-fashion-mnist)
# clang is the second compiler, whose kernels are to have the first one's bits.
packages_test=("${packages_data[@]}" check shellcheck git bsdutils procps iproute2 python3-h5py python3-onnx clang gfortran cmake valgrind
    groff-base python3-yaml reuse)
# Those whose findings the sources are free of, and a scheduler that not every Debian has: where they are not, three tests are skipped.
[[ ! -r /etc/os-release ]] || ! grep -q '^VERSION_CODENAME=bookworm' /etc/os-release ||
    packages_test+=(clang-format-14 clang-tidy-14 gridengine-master gridengine-exec gridengine-client)
packages_ports=(libomp-dev mpich libmpich-dev libhdf5-dev dataset-fashion-mnist) # beside those of a build
packages_deb=(dpkg-dev debhelper lintian) # tests/deb.sh
packages_slurm=(slurmctld slurmd slurm-client)
# PyTorch takes whatever BLAS is there; with the reference one alone it is six times slower than with OpenBLAS.
packages_bench=(python3-torch libtorch-dev python3-h5py libopenblas0-serial libdnnl-dev libxsmm-dev)

# need_packages PACKAGE…: installs those that are missing, as root or through sudo; else one line saying what to do.
need_packages() {
    command -v dpkg-query apt-get >/dev/null || return 0
    local package missing=() as_root=()
    for package; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    if ((EUID)); then
        if ! sudo -n true 2>/dev/null; then
            echo "missing packages; run as root: apt-get install ${missing[*]}" >&2
            return 1
        fi
        as_root=(sudo -n)
    fi
    echo "installing ${missing[*]}"
    "${as_root[@]}" apt-get -q update </dev/null &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
            -o DPkg::Lock::Timeout=300 install "${missing[@]}" </dev/null
}
