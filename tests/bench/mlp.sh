#!/usr/bin/env bash
# The default recipe beside PyTorch on this machine, samples/s of the training loop alone: tests/bench/mlp.sh [ROUNDS]
# Runs alternate, medians are compared; prints a Markdown table and never fails on time. PyTorch is Debian's, one thread
# a rank, with OpenBLAS (tests/bench/mlp_torch.py says what it does). The last column is what the products alone cost: a
# sample takes 3 * 2 * (784*128 + 128*10) - 2*784*128 floating-point operations forward and back.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
rounds=${1:-5}

# shellcheck source=launch/packages.sh
. "$top/launch/packages.sh"
need_packages "${packages_bench[@]}"
data=$top/data/fashion-mnist.h5
[[ -f $data && -x $top/dtrain ]] || { echo "mlp.sh: launch/quickstart.sh first: it builds ./dtrain and gets the data" >&2; exit 1; }
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
cores=$(nproc)
export OMP_NUM_THREADS=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

dtrain_rate() { # RANKS BATCH
    local run
    run=$(mktemp -u -p "$work" run.XXXXXX)
    "$top/launch/local.sh" -n "$1" train --set "data.file=$data" --set "train.batch=$2" --set train.epochs=4 \
        --set train.eval_every=never --run "$run" | tail -n 1 | grep -oP 'samples_per_s=\K[0-9]+'
}
torch_rate() { # RANKS BATCH
    /usr/bin/python3 "$top/tests/bench/mlp_torch.py" --data "$data" --ranks "$1" --batch "$2" --epochs 4 |
        grep -oP '"samples_per_s": \K[0-9]+'
}
median() { sort -n "$1" | awk '{v[NR] = $1} END {print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2}'; }

echo "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $cores cores; PyTorch $(dpkg-query -W -f '${Version}' \
    python3-torch) on $(basename "$(dirname "$(readlink -f /usr/lib/*/libblas.so.3 | head -n 1)")"); medians of $rounds"
echo
echo "| batch | ranks | dtrain, samples/s | PyTorch, samples/s | ratio | dtrain, GF/s of products |"
echo "| ---: | ---: | ---: | ---: | ---: | ---: |"
for setting in "1 32" "2 32" "1 256" "2 256"; do
    read -r ranks batch <<<"$setting"
    for ((i = 0; i < rounds; i++)); do
        dtrain_rate "$ranks" "$batch" >>"$work/dtrain-$ranks-$batch"
        torch_rate "$ranks" "$batch" >>"$work/torch-$ranks-$batch"
    done
    awk -v b="$batch" -v r="$ranks" -v d="$(median "$work/dtrain-$ranks-$batch")" \
        -v t="$(median "$work/torch-$ranks-$batch")" 'BEGIN {
            work = 3 * 2 * (784 * 128 + 128 * 10) - 2 * 784 * 128
            printf "| %d | %d | %.0f | %.0f | %.2f | %.1f |\n", b, r, d, t, d / t, d * work / 1e9}'
done
