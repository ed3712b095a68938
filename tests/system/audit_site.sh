#!/usr/bin/env bash
# A site audits its own run where the other sites are elsewhere: what it signed is computed again from its data, the
# parts of the others come from the mailbox, and where these are gone or masked, common states from its checkpoints. A
# bit that was turned over while it trained, which no other site can see, is found.
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/three_sites.sh
. "$source/tests/support/three_sites.sh"
wrong=$build/tests/wrong.so
[[ -f $wrong ]] || give_up "no $wrong; build first"
three_sites 'quantity(2)' --seed 5
cat >net.yaml <<YAML
name: net
seed: 5
data: {file: 'parts/site-%r.h5', test_x: "", test_y: ""}
model: {layers: [dense: {out: 1024, activation: relu}, dense: 3]}
optimizer: {kind: sgd, lr: 0.05, momentum: 0.9}
train: {batch: 12, shards: 3, chain: 1}
checkpoint: {keep: 2}
report: {every: never}
sites:
  rounds: 4
  outer: {kind: nesterov, lr: 0.7, momentum: 0.8}
  optimizer: keep
  control: true
  mailbox: box
  wait: 5 min
  members:
$members
YAML

# together NAME ARGUMENT…: three sites with a mailbox of this name; $preload is south's
preload=
together() {
    local name=$1 i
    local -a pids=()
    shift
    mkdir "$name"
    for i in 0 1 2; do
        LD_PRELOAD=$([[ $i != 1 ]] || echo "$preload") timeout "$limit" "$dtrain" train net.yaml --site "${names[i]}" --key "${names[i]}.key" \
            --set data.file="parts/site-$i.h5" --set sites.mailbox="$name" --run "$name-${names[i]}" "$@" >"$name-$i.out" 2>&1 </dev/null &
        pids[i]=$!
    done
    for i in 0 1 2; do wait "${pids[i]}" || fail "$name at ${names[i]}: $(tail -n 3 "$name-$i.out")"; done
}
everything() { find "$1" -type f ! -name journal.jsonl -exec md5sum {} + | sort; }

together box --set sites.wire=i8
everything box-north >before && everything box >>before
ranks=0
for name in "${names[@]}"; do
    run $((++ranks)) audit "box-$name" --share 100%
    expect_last "audit run=box-$name steps=4 links=4 agree=4 parts=4 seconds=[0-9.]+ found_probability=1" "all of $name, on $ranks ranks"
done
everything box-north >after && everything box >>after
if cmp -s before after; then pass "nothing was written but a line of the journal"; else fail "files have changed: $(diff before after)"; fi

# What the others sent is believed as it was signed, or not at all.
part=$(echo box/round-00000001/south-*.part)
cp "$part" whole
printf 'ABCDEFGH' | dd of="$part" bs=1 seek=300 conv=notrunc status=none
run 2 audit box-north --share 100%
expect_bad 1 'round 1: the sum of the sites. changes cannot be had again: .* of site south is not what was signed' "a part that was altered"
cp whole "$part"

# Where nothing of the others is left, and where it is masked, states come from checkpoints: of two that were kept.
mv box gone
run 2 audit box-south --share 100%
expect_last 'audit run=box-south steps=2 links=0 agree=0 parts=2 .*' "without a mailbox, from checkpoints and the beginning"
rm -r box-south/site/round-*[0-2]
run 1 audit box-south --share 100%
expect_last 'audit run=box-south steps=1 links=0 agree=0 parts=1 .*' "of what is still recorded"
cp -r box-south stranger && rm -r stranger/site
run 2 audit stranger
expect_bad 2 'stranger/site has nothing that one of sites.members signed' "a run that nobody signed for"
run 2 audit box-north/checkpoints/step-000000004.h5 --checkpoints
expect_bad 2 'name that' "a checkpoint alone"
together masked --set sites.masks=true --set sites.wire=i8
run 2 audit masked-north --share 100%
expect_last 'audit run=masked-north steps=2 links=0 agree=0 parts=2 .*' "under masks its own changes are known by a hash"
printf '%064d\n' 0 >masked-north/site/round-00000003/change
run 1 audit masked-north --share 100%
expect_code 1 "and another one is found"

# Of the fourth array of this size, the weights of the site's own training.
preload=$wrong DTRAIN_WRONG="weight 9 72000 0 3" together flipped
run 2 audit flipped-north --share 100%
expect_code 0 "a site that computed rightly"
run 2 audit flipped-south --share 100%
expect_code 1 "and one that did not"
expect_in "$err" 'round 0: what site south signed \([0-9a-f]{16}.*\) is not what its recipe and data give' "is found"
expect_in flipped-south/journal.jsonl '"finding":"differs".*"from":0,"to":1' "and where is in its journal"
finish
