#!/usr/bin/env bash
# Three sites, each a job of its own with data of its own, train one model through a directory of files: the bits of one
# job that has them all, and of a rehearsal, however often the jobs are killed and started again.
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/three_sites.sh
. "$source/tests/support/three_sites.sh"
three_sites 'quantity(2)' --seed 5
cat >net.yaml <<END
name: net
seed: 5
data: {file: 'parts/site-%r.h5', test_x: "", test_y: ""}
model: {layers: [dense: {out: 16, activation: relu}, dense: 3]}
optimizer: {kind: sgd, lr: 0.05, momentum: 0.9}
train: {batch: 12, shards: 3}
sites:
  rounds: 4
  wire: i8
  outer: {kind: nesterov, lr: 0.7, momentum: 0.8}
  optimizer: keep
  mailbox: box
  wait: 0
  members:
$members
END
mkdir box

run 2 train net.yaml --run job --set sites.count=3
expect_code 0 "one job of three sites"
wanted=$(last_value digest)
run 3 train net.yaml --run rehearsal --set sites.simulate=3 --set data.file=all.h5 --set sites.partition='quantity(2)'
expect_last "done .* rounds=4 sites=3 .* digest=$wanted" "a rehearsal has its digest"

# site N ARGUMENT…: starts site N of three, on N+1 ranks, as a scheduler does
site() {
    local number=$1
    shift
    start $((number + 1)) train net.yaml --site "${names[number]}" --key "${names[number]}.key" --set data.file="parts/site-$number.h5" "$@"
}

site 0
await
expect_code 75 "a site that is alone waits"
expect_in "$err" 'round 0 waits for the parts of south, east' "and says for whom"
run 1 top runs/net-north
expect_in "$out" '^waits  round 0 waits for the parts of south, east' "which top shows"

# What it has trained is in its checkpoint while others are missing; without that it trains again, to the same bits.
site 0
await
expect_in "$out" 'round 1: site 0 goes on behind step ([0-9]+) of \1$' "what it has trained is not trained again"
rm runs/net-north/checkpoints/*.h5
site 0
await
expect_code 75 "what is lost is trained again, and the part has the same bits"
! grep -q 'goes on behind' "$out" || fail "something was left of it"

# And so where it is killed while it waits.
mkdir killed
site 0 --set sites.mailbox=killed --set sites.wait='5 min' --run killed-0
until_true 60 compgen -G 'killed/round-00000000/north-*.part'
kill -KILL "$(rank_pid 0)"
await
site 0 --set sites.mailbox=killed --run killed-0
await
expect_code 75 "a site that is killed while it waits"
expect_in "$out" 'round 1: site 0 goes on behind step ([0-9]+) of \1$' "has trained its part for good"

is_over() { ! kill -0 "$job"; }
RANDOM=$$
echo "seed $$"
kills=0 finished=() alone=() ended=()
for ((turn = 0; turn < 60 && ${#finished[@]} < 3; turn++)); do
    number=$((turn % 3))
    [[ ! -v finished[number] ]] || continue
    site $number
    if ((turn < 21 && RANDOM % 3)); then
        until_true 30 rank_pid $((RANDOM % (number + 1))) || true
        sleep "0.$((RANDOM % 5))$((RANDOM % 10))"
        victim=$(rank_pid $((RANDOM % (number + 1)))) && kill -KILL "$victim" && kills=$((kills + 1))
        # Open MPI may wait for ever for a rank that was killed before it had joined the others.
        until_true 60 is_over || kill -KILL "$(pgrep -P "$job" -x mpirun)"
    fi
    await
    case $code in
        0) finished[number]=$(last_value digest) ;;
        75 | 137) ;;
        *) fail "site ${names[number]}: exit code $code" && show "$out" "$err" ;;
    esac
done
for number in 0 1 2; do
    if [[ ${finished[number]-} == "$wanted" ]]; then
        pass "site ${names[number]} on $((number + 1)) ranks has the digest, after $kills kills in all"
    else
        fail "site ${names[number]}: ${finished[number]-not done} instead of $wanted"
    fi
done

# ---- rounds that are over ----

files() { (cd "$1" && find . -type f -exec sha256sum {} + | sort); }
files box >before
rm -r box/round-0000000[23] && find box -name 'north-*' -delete
for number in 0 1 2; do # a site that has finished is asked again
    site $number
    await
    [[ $code == 0 && $(last_value digest) == "$wanted" ]] || fail "site ${names[number]} is finished: exit code $code"
done
files box >after
# Of rounds that all are past nobody needs anything.
if cmp -s <(grep -F round-00000003 before) <(grep -F round-00000003 after); then
    pass "who has finished sends again what the others may need"
else
    fail "of the last round there is not what was" && diff before after | show
fi
site 0 --set sites.keep=1
await
if [[ $(echo box/*) == 'box/round-00000002 box/round-00000003' || $(echo box/*) == box/round-00000003 ]] && ! compgen -G 'runs/net-north/site/round-0000000[01]' >/dev/null; then
    pass "and removes rounds that all are past, when it is told to"
else
    fail "sites.keep: there are $(echo box/* runs/net-north/site/*)"
fi

# ---- one is late ----

mkdir late
for ((turn = 0; turn < 20; turn++)); do # quorum 2 of 3: after a deadline two go on without the third
    for number in 0 1; do
        run 1 train net.yaml --site "${names[number]}" --key "${names[number]}.key" --set data.file="parts/site-$number.h5" \
            --set sites.mailbox=late --set sites.deadline='0.01 s' --set sites.keep=1 --run "late-$number"
        alone[number]=$(last_value digest) ended[number]=$code
    done
    [[ ${ended[*]} != '0 0' ]] || break
done
[[ ${ended[*]} == '0 0' ]] || fail "two sites do not go on without the third: ${ended[*]}" && show "$err"
start 3 train net.yaml --site east --key east.key --set data.file=parts/site-2.h5 \
    --set sites.mailbox=late --set sites.deadline='0.01 s' --run late-2
await
expect_last "done .* digest=${alone[0]}" "who comes late takes over what the others made of the rounds"
if [[ ${alone[0]} == "${alone[1]}" && ${alone[0]} != "$wanted" ]]; then
    pass "which is another model than that of all three, the same at both"
else
    fail "digests ${alone[*]}, of all three $wanted"
fi

# ---- secrets ----

"$python" - runs box job rehearsal late late-0 <<'END' >"$out" 2>&1 || fail "a secret has left its file: $(cat "$out")"
import glob, os, sys
secrets = [open(name).read().split()[-1] for name in glob.glob("*.key")]
found = {"*.key": sum(s in open(name).read() for name in glob.glob("*.key") for s in secrets)}
for top in sys.argv[1:]:
    for path, _, names in os.walk(top):
        for name in names:
            data = open(os.path.join(path, name), "rb").read()
            found[os.path.join(path, name)] = sum(s.encode() in data or bytes.fromhex(s) in data for s in secrets)
assert found.pop("*.key") == 3 and len(found) > 50, "nothing was looked at"
print(*(name for name in found if found[name]))
sys.exit(any(found.values()))
END

# ---- what is refused ----

refuse() { # refuse CODE REGEX WHAT ARGUMENT…
    local expected=$1 regex=$2 what=$3
    shift 3
    run 1 train net.yaml "$@"
    expect_bad "$expected" "$regex" "$what"
}
refuse 2 'say with --site NAME which one this is' "which site is to be said"
refuse 2 '--site west is none of sites.members' "a site that is no member" --site west
refuse 2 'north.key is the key of site north' "another site's key" --site south --key north.key
run 1 keys make north --out other.key
refuse 1 'the key is not the one that sites.members has for north' "another key of this name" --site north --key other.key
chmod 644 north.key
refuse 1 'north.key: others may read or write it \(mode 0644\)' "a key that others may read" --site north --key north.key
chmod 600 north.key
refuse 1 'train.shards is 0; sites.members must say it' "shards by default" --site north --key north.key --set train.shards=0
refuse 1 'sites.quorum is 1; of 3 members it is 2 to 3' "a quorum that is none" --site north --key north.key --set sites.quorum=1
refuse 1 'sites.mailbox: nowhere cannot be used' "no such directory" --site north --key north.key --set sites.mailbox=nowhere

# Another recipe, and another state: named, and nothing of it in a sum.
rm -r box/* runs
site 0 --set optimizer.lr=0.06
await
mkdir -p box/round-00000000 && rm -rf runs
site 1
await
expect_code 75 "whose recipe is another's is waited for"
expect_in "$err" 'site north is of another recipe' "and named"

finish
