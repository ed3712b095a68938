#!/usr/bin/env bash
# Networks of launch/recipes/ beside PyTorch on this machine, samples/s or tokens/s of the training loop alone:
#   tests/bench/compare.sh WORKLOAD [ROUNDS]     mlp, cnn, lstm128, lstm512, gpt, gpt-baby or all; ROUNDS: 5
#   tests/bench/compare.sh --quick WORKLOAD      one round of a tenth of the steps, to see that all of it works
# Runs alternate, medians are compared; prints one Markdown table and never fails on time. PyTorch is Debian's, one
# thread a rank, with oneDNN and OpenBLAS (tests/bench/torch_train.py says what it does). The last columns are what the
# matrix products and convolutions alone cost, and their share of what the cores of so many ranks can do at most:
# multiply-adds of numbers in registers (`dtrain bench`), in our precision.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)

# Operations of the products a sample (a token, of text) needs: two a multiplication; forward once, back twice, but for
# a first layer, whose input's gradient nobody asks for. One-hot inputs and embeddings are looked up. Of a causal
# attention the half that is not masked counts.
mlp=$((2 * (2 * 784 * 128 + 3 * 128 * 10)))
cnn=$((2 * (2 * 784 * 9 * 32 + 3 * (196 * 9 * 32 * 64 + 3136 * 128 + 128 * 10))))
lstm() { echo $((2 * 3 * (3 * 4 * $1 * $1 + 65 * $1))); } # WIDTH, of both layers
gpt() { echo $((2 * 3 * ($1 * (12 * $2 * $2 + $2 * ($3 + 1)) + 65 * $2))); } # LAYERS WIDTH CONTEXT
wide='model.layers=[rnn: {cell: lstm, layers: 2, width: 512}]'

# workload | recipe | batch | steps | ranks | precision of ours | of theirs | operations | --set of ours
rows=(
    "mlp|fashion-mlp|32|7500|1 2|float32|float32|$mlp|"
    "mlp|fashion-mlp|256|940|1 2|float32|float32|$mlp|"
    "cnn|fashion-cnn|64|400|1 2|float32|float32|$cnn|"
    "cnn|fashion-cnn|64|400|1 2|bf16|float32|$cnn|"
    "lstm128|shakespeare-lstm|50|200|1|float32|float32|$(lstm 128)|"
    "lstm512|shakespeare-lstm|50|30|1|float32|float32|$(lstm 512)|$wide"
    "lstm512|shakespeare-lstm|50|30|1|bf16|float32|$(lstm 512)|$wide"
    "lstm512|shakespeare-lstm|50|30|1|bf16|bf16|$(lstm 512)|$wide"
    "gpt|shakespeare-gpt|12|200|1 2|float32|float32|$(gpt 4 128 64)|"
    "gpt|shakespeare-gpt|12|200|2|bf16|bf16|$(gpt 4 128 64)|"
    "gpt-baby|shakespeare-gpt-baby|8|10|1|float32|float32|$(gpt 6 384 256)|"
    "gpt-baby|shakespeare-gpt-baby|8|10|1|bf16|bf16|$(gpt 6 384 256)|"
)

die() {
    echo "compare.sh: $*" >&2
    exit 1
}

part=1
if [[ ${1-} == --quick ]]; then
    part=10
    shift
fi
wanted=${1-} rounds=${2:-5}
((part == 1)) || rounds=1
[[ " all mlp cnn lstm128 lstm512 gpt gpt-baby " == *" ${wanted:-nothing} "* && $rounds =~ ^[1-9][0-9]*$ ]] ||
    { sed -n '2,4s/^# \{0,1\}//p' "$0" && exit 2; }

# shellcheck source=launch/packages.sh
. "$top/launch/packages.sh"
need_packages "${packages_bench[@]}"
for DTRAIN in "${DTRAIN:-$top/dtrain}" "$top/build/src/dtrain"; do [[ -x $DTRAIN ]] && break; done
export DTRAIN
[[ -x $DTRAIN ]] || die "launch/quickstart.sh first: it builds ./dtrain"
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
cores=$(nproc)
export OMP_NUM_THREADS=1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# data_of RECIPE: prints the file, which is what the recipe begins with.
data_of() {
    local name=${1%%-*}
    [[ $name == fashion ]] && name=fashion-mnist
    [[ -f $top/data/$name.h5 ]] ||
        die "no data/$name.h5; data/fetch.sh $name gets it (without a network: --from PATH)"
    echo "$top/data/$name.h5"
}

# rate FILE: what a last line or a line of JSON says, of tokens if there are any.
rate() { grep -oP '"?tokens_per_s"?(=|: )\K[0-9]+' "$1" || grep -oP '"?samples_per_s"?(=|: )\K[0-9]+' "$1"; }

dtrain_rate() { # RANKS
    local run code=0 sets=("data.file=$data" "train.batch=$batch" "train.stop_after=$steps" train.eval_every=never)
    [[ $recipe == fashion-* ]] && sets+=(train.epochs=1000) || sets+=(train.steps=1000000)
    [[ $ours == float32 ]] || sets+=("compute.precision=$ours")
    [[ -z $set ]] || sets+=("$set")
    run=$(mktemp -u -p "$scratch" run.XXXXXX)
    "$top/launch/local.sh" -n "$1" train "$top/launch/recipes/$recipe.yaml" "${sets[@]/#/--set=}" --run "$run" \
        >"$scratch/log" || code=$?
    ((code == 75)) || { tail -n 3 "$scratch/log" >&2 && return 1; }
    tail -n 1 "$scratch/log" >"$scratch/last"
    rate "$scratch/last"
}
torch_rate() { # RANKS
    /usr/bin/python3 "$top/tests/bench/torch_train.py" "$workload" --data "$data" --ranks "$1" --batch "$batch" \
        --steps "$steps" --precision "$theirs" >"$scratch/json"
    rate "$scratch/json"
}
median() { sort -n "$1" | awk '{v[NR] = $1} END {print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2}'; }

# measure_peak RANKS: sets `peak`, GF/s of all ranks in the precision of ours. What `dtrain bench` prints is the mean
# rank's, with all at work.
measure_peak() {
    local file=$scratch/peak-$1 line
    [[ -f $file ]] || "$top/launch/local.sh" -n "$1" bench "$top/launch/recipes/$recipe.yaml" --steps 1 \
        --set "data.file=$data" --dir "$scratch" >"$file"
    line=$(grep -E "^peak +$ours " "$file")
    peak=$(awk -v ranks="$1" '{for (i = 2; i <= NF; i++) if ($i == "GF/s") {print $(i - 1) * ranks; exit}}' <<<"$line")
}

compare_row() { # RANKS
    local key=$workload-$batch-$ours-$theirs-$1
    for ((i = 0; i < rounds; i++)); do
        dtrain_rate "$1" >>"$scratch/dtrain-$key"
        torch_rate "$1" >>"$scratch/torch-$key"
    done
    local precision=$ours peak
    measure_peak "$1"
    [[ $ours == "$theirs" ]] || precision="$ours, theirs $theirs"
    awk -v w="$workload" -v b="$batch" -v p="$precision" -v r="$1" -v o="$operations" -v peak="$peak" \
        -v d="$(median "$scratch/dtrain-$key")" -v t="$(median "$scratch/torch-$key")" 'BEGIN {
            printf "| %s | %d | %s | %d | %.0f | %.0f | %.2f | %.1f | %.0f %% |\n", w, b, p, r, d, t, d / t,
                d * o / 1e9, 100 * d * o / 1e9 / peak }'
}

echo "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $cores cores; PyTorch $(dpkg-query -W -f \
    '${Version}' python3-torch) on $(basename "$(dirname "$(readlink -f /usr/lib/*/libblas.so.3 | head -n 1)")");" \
    "medians of $rounds; tokens/s of text, samples/s of pictures"
echo
echo "| network | batch | precision | ranks | dtrain | PyTorch | ratio | dtrain, GF/s of products | of the peak |"
echo "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
for row in "${rows[@]}"; do
    IFS='|' read -r workload recipe batch steps counts ours theirs operations set <<<"$row"
    [[ $wanted == all || $wanted == "$workload" ]] || continue
    data=$(data_of "$recipe")
    steps=$((steps > part ? steps / part : 1))
    for ranks in $counts; do compare_row "$ranks"; done
done
