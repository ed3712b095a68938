#!/usr/bin/env bash
# A network of launch/recipes/ beside PyTorch on this machine, samples/s of the training loop alone:
#   tests/bench/compare.sh WORKLOAD [ROUNDS]      WORKLOAD: mlp or cnn; ROUNDS: 5
# Runs alternate, medians are compared; prints a Markdown table and never fails on time. PyTorch is Debian's, one thread
# a rank, with oneDNN and OpenBLAS (tests/bench/torch_train.py says what it does). The last column is what the matrix
# products and convolutions alone cost: forward, and twice that back, without the gradient of the pictures.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
workload=${1-}
rounds=${2:-5}

# Batches, steps of a run for each, and operations a sample: first layer twice, all others three times.
case $workload in
    mlp) batches=(32 256) steps=(7500 940) work=$((2 * (2 * 784 * 128 + 3 * 128 * 10))) ;;
    cnn) batches=(64 256) steps=(400 100)
        work=$((2 * (2 * 784 * 9 * 32 + 3 * (196 * 9 * 32 * 64 + 3136 * 128 + 128 * 10)))) ;;
    *) sed -n '2,4s/^# *//p' "$0" && exit 2 ;;
esac
recipe=$top/launch/recipes/fashion-$workload.yaml

# shellcheck source=launch/packages.sh
. "$top/launch/packages.sh"
need_packages "${packages_bench[@]}"
data=$top/data/fashion-mnist.h5
[[ -f $data && -x $top/dtrain ]] || { echo "compare.sh: launch/quickstart.sh first: it builds ./dtrain and gets the data" >&2; exit 1; }
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
cores=$(nproc)
export OMP_NUM_THREADS=1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

dtrain_rate() { # RANKS BATCH STEPS
    local run code=0
    run=$(mktemp -u -p "$scratch" run.XXXXXX)
    "$top/launch/local.sh" -n "$1" train "$recipe" --set "data.file=$data" --set "train.batch=$2" --set train.epochs=100 \
        --set "train.stop_after=$3" --set train.eval_every=never --run "$run" >"$scratch/log" || code=$?
    ((code == 75)) || { tail -n 3 "$scratch/log" >&2 && return 1; }
    grep -oP 'samples_per_s=\K[0-9]+' "$scratch/log"
}
torch_rate() { # RANKS BATCH STEPS
    /usr/bin/python3 "$top/tests/bench/torch_train.py" "$workload" --data "$data" --ranks "$1" --batch "$2" --steps "$3" |
        grep -oP '"samples_per_s": \K[0-9]+'
}
median() { sort -n "$1" | awk '{v[NR] = $1} END {print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2}'; }

echo "$workload on $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $cores cores; PyTorch $(dpkg-query -W -f \
    '${Version}' python3-torch) on $(basename "$(dirname "$(readlink -f /usr/lib/*/libblas.so.3 | head -n 1)")"); medians of $rounds"
echo
echo "| batch | ranks | dtrain, samples/s | PyTorch, samples/s | ratio | dtrain, GF/s of products |"
echo "| ---: | ---: | ---: | ---: | ---: | ---: |"
for b in 0 1; do
    batch=${batches[$b]}
    for ranks in 1 2; do
        for ((i = 0; i < rounds; i++)); do
            dtrain_rate "$ranks" "$batch" "${steps[$b]}" >>"$scratch/dtrain-$ranks-$batch"
            torch_rate "$ranks" "$batch" "${steps[$b]}" >>"$scratch/torch-$ranks-$batch"
        done
        awk -v b="$batch" -v r="$ranks" -v w="$work" -v d="$(median "$scratch/dtrain-$ranks-$batch")" \
            -v t="$(median "$scratch/torch-$ranks-$batch")" \
            'BEGIN {printf "| %d | %d | %.0f | %.0f | %.2f | %.1f |\n", b, r, d, t, d / t, d * w / 1e9}'
    done
done
