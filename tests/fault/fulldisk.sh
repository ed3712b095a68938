#!/usr/bin/env bash
# A disk that is full: the publication fails and says so, what was there before stays whole, and once there is space the
# same command goes on. On a small tmpfs in a mount namespace of its own; where there can be none, the writes themselves
# are made to fail (faultshim.c), as with DTRAIN_NAMESPACE=none.
if [[ -z ${DTRAIN_NAMESPACE-} ]]; then
    for options in -m -rm; do
        if unshare $options mount -t tmpfs none /mnt 2>/dev/null; then
            DTRAIN_NAMESPACE=own exec unshare $options "${BASH_SOURCE[0]}"
        fi
    done
fi
. "$(dirname "$0")/../support/lib.sh"
need_data

disk=$work/disk
mkdir "$disk"
if [[ ${DTRAIN_NAMESPACE-} == own ]] && mount -t tmpfs -o size=24m none "$disk"; then
    trap 'umount "$disk"; clean_up' EXIT
    export OMPI_MCA_orte_tmpdir_base=$work # in a user namespace we are root, but do not own what root has in /tmp
    way=tmpfs
else
    way=shim
fi
echo "the disk: $way"

# with_space KIB RANKS ARGUMENT…: a run with so much space left on the disk
with_space() {
    local space=$1 ranks=$2 left
    shift 2
    if [[ $way == tmpfs ]]; then
        left=$(df -k --output=avail "$disk" | tail -n 1)
        head -c $(((left - space) * 1024)) /dev/zero >"$disk/ballast"
        run "$ranks" "$@"
        rm "$disk/ballast"
    else # the last rank writes data only, at least four times
        DTRAIN_FAULT="path=$disk armed=1 do=ENOSPC call=write rank=$((ranks - 1)) nth=$((1 + space / 400))+" \
            LD_PRELOAD=$build/tests/faultshim.so run "$ranks" "$@"
    fi
}

program=$dtrain
dtrain=$build/tests/publish
directory=$disk/checkpoints
mkdir "$directory"
run 2 step "$directory" network && run 2 step "$directory" network
for ranks in 1 2 3; do
    for space in 0 4 40 300 600 1000 1200; do
        before=$("$dtrain" check "$directory" network)
        [[ $before =~ ^[0-9]+$ ]] || give_up "no whole checkpoint: $before"
        with_space $space $ranks step "$directory" network
        expect_bad 1 'No space left on device' "$ranks ranks, $space KiB for 1218"
        [[ $("$dtrain" check "$directory" network) == "$before" ]] || fail "the checkpoint of step $before is not whole"
        [[ -z $(find "$directory" -name '*.tmp*') ]] || fail "left behind: $(ls "$directory")"
    done
    run $ranks step "$directory" network
    expect_code 0 "$ranks ranks, with space again"
    [[ $("$dtrain" check "$directory" network) == $((before + 1)) ]] || fail "it did not go on from step $before"
done
rm -r "$directory"

dtrain=$program
arguments=(--set "data.file=$data" --set train.shards=2 --set checkpoint.every="10 steps" --set train.log_every="10 steps")
run 2 train "${arguments[@]}" --run untouched --set train.stop_after="60 steps"
wanted=$(last_value digest)

run 2 train "${arguments[@]}" --run "$disk/run" --set train.stop_after="20 steps"
expect_code 75 "20 steps with space"
for space in 0 100 900; do
    with_space $space 2 train "${arguments[@]}" --run "$disk/run" --set train.stop_after="40 steps"
    expect_bad 1 'No space left on device' "train, $space KiB left"
    run 1 verify "$disk/run"
    expect_code 0 "every checkpoint is whole"
    expect_in "$out" 'step-000000020.h5: valid' "and the newest is there"
done
run 2 train "${arguments[@]}" --run "$disk/run" --set train.stop_after="40 steps"
expect_last "stopped run=.* step=60 .*digest=$wanted.*" "with space again: goes on to the digest of the run nobody touched"
finish
