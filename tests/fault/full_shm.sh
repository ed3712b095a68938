#!/usr/bin/env bash
# Where there is too little shared memory for what the ranks of a machine have in common, each rank gets memory of its
# own, or the run fails with one line: Open MPI itself would leave all but one rank waiting. Containers have 64 MB.
if [[ -z ${DTRAIN_NAMESPACE-} ]]; then
    for options in -m -rm; do
        if unshare $options mount -t tmpfs none /mnt 2>/dev/null; then
            DTRAIN_NAMESPACE=own exec unshare $options "${BASH_SOURCE[0]}"
        fi
    done
    echo "skipped: no small file system can be mounted here"
    exit 77
fi
. "$(dirname "$0")/../support/lib.sh"
export OMPI_MCA_orte_tmpdir_base=$work # in a user namespace we are root, but do not own what root has in /tmp
need_data
cut_data small.h5 64 16
cat >recipe.yaml <<'END'
data: {file: small.h5, mean: 72.94, std: 90.02}
model: {layers: [flatten, {dense: 1024}, {dense: 10}]}
train: {steps: 2, batch: 16, shards: 4}
END

# with SIZE RANKS OPTION…: trains where shared memory has SIZE
with() {
    local size=$1 ranks=$2
    shift 2
    mkdir -p full
    mount -t tmpfs -o size="$size" none full || give_up "no file system of $size"
    rm -rf run
    OMPI_MCA_osc_sm_backing_directory=$work/full run "$ranks" train recipe.yaml --run run "$@"
    umount -l full
}
with 200m 2
expect_code 0 "enough shared memory"
[[ ! -s $err ]] || { fail "there was something to say" && show "$err"; }
whole=$(last_value digest)

# What does not fit any more: the weights, the moments, the gradients' messages, or all of it.
for case in 2m:2 6m:3 12m:2 12m:3:2 14m:3:2 512k:2; do
    IFS=: read -r size ranks team <<<"$case"
    with "$size" "$ranks" --set reduce.node_ranks="${team:-0}"
    expect_code 0 "$size for $ranks ranks"
    expect_one_line "shared memory.*has room for.*; going on with reduce.path=flat" "$size for $ranks ranks in teams of ${team:-all}"
    [[ $(last_value digest) == "$whole" ]] || fail "$size for $ranks ranks: digest $(last_value digest), not $whole"
done

# An evaluation shares the weights, where they fit.
mkdir -p full
for size in 200m 2m; do
    mount -t tmpfs -o size="$size" none full || give_up "no file system of $size"
    OMPI_MCA_osc_sm_backing_directory=$work/full run 2 eval run --data small.h5
    umount -l full
    expect_code 0 "eval with $size of shared memory"
    [[ $size == 200m ]] && { figures=$(tail -1 "$out"); continue; }
    expect_one_line "shared memory.*has room for.*; going on with reduce.path=flat" "eval with $size of shared memory"
    [[ $(tail -1 "$out") == "$figures" ]] || fail "eval without shared memory: $(tail -1 "$out"), not $figures"
done
with 2m 2 --set reduce.path=node
expect_bad 1 "shared memory.*make it larger, or use reduce.path=flat" "reduce.path=node"
finish
