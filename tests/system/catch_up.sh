#!/usr/bin/env bash
# A site that stands before rounds whose files are gone takes over the common state of a later one, which the others put
# into the mailbox and signed: one that lost its run directory, and one that was away for longer than the others wait.
# What no quorum signed is taken over by nobody.
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/three_sites.sh
. "$source/tests/support/three_sites.sh"
three_sites iid
cat >net.yaml <<YAML
name: net
data: {file: 'parts/site-%r.h5', test_x: "", test_y: ""}
model: {layers: [dense: {out: 16, activation: relu}, dense: 3]}
optimizer: {kind: adam, lr: 0.01}
train: {batch: 12, shards: 3}
checkpoint: {keep: 2}
report: {every: never}
sites:
  rounds: 6
  outer: {kind: nesterov, lr: 0.7, momentum: 0.8}
  wait: 5 min
  keep: 2
  members:
$members
YAML

# site I MAILBOX ARGUMENT…: site I, to its end, on one rank or, with `many`, on I + 1; together MAILBOX ARGUMENT…: all three
many=
site() {
    local i=$1 box=$2
    local -a on=(timeout "$limit" "$dtrain")
    shift 2
    [[ -z $many ]] || on=(env DTRAIN="$dtrain" MPIEXEC_TIMEOUT="$limit" "$source/launch/local.sh" -n $((i + 1)))
    "${on[@]}" train net.yaml --site "${names[i]}" --key "${names[i]}.key" --set data.file="parts/site-$i.h5" \
        --set sites.mailbox="$box" --run "$box-$i" "$@" >"$box-$i.out" 2>"$box-$i.err" </dev/null
}
together() {
    local i
    local -a pids=()
    mkdir -p "$1"
    for i in 0 1 2; do
        site "$i" "$@" &
        pids[i]=$!
    done
    for i in 0 1 2; do wait "${pids[i]}" || fail "$1 at ${names[i]}: $(tail -n 3 "$1-$i.err")"; done
}
digest_of() { sed -n 's/^done .* digest=//p' "$1.out"; }
# same BOX WHAT: whether its sites have one digest, $wanted
same() {
    local -a all
    mapfile -t all < <(for i in 0 1 2; do digest_of "$1-$i"; done)
    if [[ ${#all[@]} == 3 && $(printf '%s\n' "${all[@]}" | sort -u) == "$wanted" ]]; then pass "$2: digest $wanted"; else fail "$2: digests ${all[*]}, not $wanted"; fi
}

together whole --set sites.rounds=10
wanted=$(digest_of whole-0)
same whole "three sites that lose nothing"

# ---- lost: a run directory, when the first rounds are removed ----

together lost
[[ ! -e lost/round-00000000 && -n $(compgen -G 'lost/round-*/common-*.h5') ]] || fail "rounds that are over were to be removed, and states to be there: $(echo lost/*)"
if grep -qF 'parts/site' lost/round-*/common-*.h5; then fail "the name of a file left its site"; else pass "a common state has no name of a site's file"; fi
cp -r lost before
rm -r lost-1
many=1
together lost --set sites.rounds=10
many=
expect_in lost-1.err 'the files of round 0 are gone from lost: the common state of round [0-9]+ is taken over' "who lost its run directory takes over a common state"
same lost "and all have the digest of those that lost nothing"

# ---- what is no common state ----

# refused BOX REGEX WHAT: south, without its run directory, from a mailbox in which something is wrong
refused() {
    rm -rf "$1-1"
    site 1 "$1" --set sites.rounds=10 --set sites.wait=0
    code=$?
    cp "$1-1.err" "$err"
    if ((code == 1)); then pass "$3: exit code 1"; else fail "$3: exit code $code: $(cat "$err")"; fi
    expect_in "$err" "$2" "it is named"
}
cp -r before few
for state in few/round-*/*.state; do [[ $state == */north-* ]] || rm "$state"; done
refused few '1 of the 3 sites that are needed signed that this is the common state of round [0-9]+' "a state that one site signed alone"
cp -r before torn
for state in torn/round-*/common-*.h5; do head -c 2000 "$state" >piece && cp piece "$state"; done
refused torn 'none of the [0-9]+ common states there is what a quorum of the sites signed' "states that are torn"
cp -r before other
together forged --set seed=9 # what other sites have in common in the same round
for state in other/round-*/common-*.h5; do cp forged/"$(basename "$(dirname "$state")")"/common-*.h5 "$state"; done
refused other '0 of the 3 sites that are needed signed that this is the common state of round 4' "another state under the name of one"
cp -r before control
rm -rf control-1
site 1 control --set sites.rounds=10 --set sites.control=true --set optimizer.kind=sgd
code=$?
cp control-1.err "$err"
expect_in "$err" 'cannot be taken over without its control variate \(sites.control\)' "a control variate cannot be made again"

# ---- away for longer than the others wait ----

mkdir away
site 2 away --set sites.wait=0
for ((turn = 0; turn < 40; turn++)); do
    for i in 0 1; do site $i away --set sites.deadline='0.01 s' --set sites.wait='0.2 s' --set sites.forget=2 --set sites.quorum=2 & done
    wait
    [[ -z $(digest_of away-0) || -z $(digest_of away-1) ]] || break
done
[[ ! -e away/round-00000000 ]] || fail "sites.forget: round 0 was to be removed: $(echo away/*)"
wanted=$(digest_of away-0)
site 2 away --set sites.deadline='0.01 s' --set sites.wait='10 s' --set sites.quorum=2
expect_in away-2.err 'the files of round 0 are gone from away: the common state of round [0-9]+ is taken over' "who was away takes over a common state"
same away "and has the digest of the others"
finish
