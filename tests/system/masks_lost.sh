#!/usr/bin/env bash
# A deadline under masks: of four sites one is lost for good once its masked change is out, or before it is. The others
# open the sum by the shares they hold, to the bits they get without masks; too few open nothing and say who is missing;
# a masked change that comes late stays closed. Sites take turns where it counts, so no clock decides who is in. Words
# have 8 bits, which masks make 32 of.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 160 40
run 1 split small.h5 --sites 4 --partition iid -o parts
expect_code 0 "the data of four sites"
names=(north south east west)
members=
for name in "${names[@]}"; do
    run 1 keys make "$name" --out "$name.key"
    members+="    $(grep "^$name: " "$out")"$'\n'
done
cat >sites.yaml <<END
name: sites
data: {file: parts/site-0.h5, mean: 73, std: 90}
model: {layers: [flatten, dense: 10]}
optimizer: {kind: sgd, lr: 0.05}
train: {batch: 20, shards: 1}
sites:
  rounds: 2
  round: 1 epoch
  wire: i8
  quorum: 3
  deadline: 1000 h
  wait: 0
  masks: true
  members:
$members
END

# turn I RUNS SETTING…: site I does what it can at once
turn() {
    local i=$1 runs=$2
    shift 2
    run 1 train sites.yaml --site "${names[i]}" --key "${names[i]}.key" --run "$runs-${names[i]}" \
        --set "data.file=parts/site-$i.h5" --set "sites.mailbox=$runs" "$@"
}
# together RUNS SETTING…: the first three to their end, without those that are late
together() {
    local i runs=$1
    shift
    for i in 0 1 2; do
        timeout 300 "$dtrain" train sites.yaml --site "${names[i]}" --key "${names[i]}.key" --run "$runs-${names[i]}" \
            --set "data.file=parts/site-$i.h5" --set "sites.mailbox=$runs" --set sites.wait='4 min' \
            --set sites.deadline='0.01 s' "$@" >"$runs-${names[i]}.out" 2>"$runs-${names[i]}.err" </dev/null &
    done
    wait
}
has() { compgen -G "$1" >/dev/null; } # PATTERN
# until_there PATTERN RUNS SITE…: these take turns until there is such a file
until_there() {
    local turns i pattern=$1 runs=$2
    shift 2
    for ((turns = 0; turns < 40; turns++)); do
        for i in "$@"; do
            has "$pattern" && return
            turn "$i" "$runs"
        done
    done
    give_up "no $pattern: $(tail -n 1 "$err")"
}
digest_of() { tail -n 1 "$1.out" | grep -o 'digest=.*' || tail -n 2 "$1.err"; } # RUN
# same RUNS WANTED WHAT
same() {
    local name
    for name in north south east; do
        [[ $(digest_of "$1-$name") == "$2" ]] || { fail "$3: $name has $(digest_of "$1-$name") instead of $2" && return; }
    done
    pass "$3"
}

mkdir plain3 plain4 lost late
together plain3 --set sites.masks=false
without=$(digest_of plain3-north)
for i in 0 1 2 3; do turn $i plain4 --set sites.masks=false; done # all parts of the first round are in
together plain4 --set sites.masks=false
with=$(digest_of plain4-north)
[[ $with == digest=* && $without == digest=* && $with != "$without" ]] || give_up "no digests: $with, $without"

# ---- lost behind its masked change ----

until_there 'lost/round-00000000-2/west-*.part' lost 0 1 2 3
until_there 'lost/round-00000000-3/*.part' lost 0 1 2
opened=$(compgen -G 'lost/round-00000000-3/*.part')
left=() gone=
for i in 0 1 2; do
    if [[ -z $gone && $opened != *"/${names[i]}-"* ]]; then gone=$i; else left+=("$i"); fi
done
for ((turns = 0; turns < 2; turns++)); do
    for i in "${left[@]}"; do turn "$i" lost --set sites.deadline='0.01 s'; done
done
expect_code 75 "two of four open nothing"
expect_in "$err" "round 0 waits for the parts of ${names[gone]}, west" "and say who is missing"
if has 'lost/round-00000001*'; then fail "a round follows one that is not open"; else pass "the round waits"; fi
together lost
same lost "$with" "three open it: the lost site's change is in the sum"

# ---- lost before it ----

until_there 'late/round-00000000-1/west-*.part' late 0 1 2 3
has 'late/round-00000000-2/west-*.part' && give_up "it is not late"
together late
same late "$without" "a site that has only dealt its shares is left out"
find late -name '*.part' | sort >before
turn 3 late --set sites.deadline='0.01 s'
expect_last "done .* $without" "it comes back, and takes over what the others made"
find late -name '*.part' | sort >after
for i in 0 1 2; do turn "$i" late; done
find late -name '*.part' | sort >end
expect_in after 'late/round-00000000-2/west-.*part' "its masked change is there, late"
if cmp -s after end && [[ $(comm -13 before after) != *round-00000000-3* ]]; then
    pass "nobody opens anything more"
else
    fail "something is opened for it: $(comm -13 before end)"
fi
cat >opened.py <<'END'
import glob, hashlib
names = ("north", "south", "east", "west")
def label(text, share):
    return hashlib.blake2b(text.encode().ljust(16, b"\0") + share, digest_size=32).digest()
def part(runs, stage, name):
    found = glob.glob(f"{runs}/round-00000000-{stage}/{name}-*.part")
    assert len(found) <= 1
    return open(found[0], "rb").read()[256 + 40:] if found else b""
def kinds(runs):
    """Which of its two secrets was opened of each site: shares are known by the hashes that they were dealt with."""
    dealt, kinds = {}, {name: set() for name in names}
    for name in names:
        body = part(runs, 1, name)[32:]
        for to in range(4):
            hashes = body[to * 144 + 80:to * 144 + 144]
            dealt[name, names[to]] = {hashes[:32]: "self", hashes[32:]: "mask"}
    for holder in names:
        body = part(runs, 3, holder)
        for of in range(len(body) // 32):
            share = body[32 * of:32 * of + 32]
            kinds[names[of]] |= {dealt[names[of], holder].get(label(f"share of {which}", share)) for which in ("self", "mask")}
    return {name: kinds[name] - {None} for name in names}
assert kinds("late") == {"north": {"self"}, "south": {"self"}, "east": {"self"}, "west": {"mask"}}, kinds("late")
assert kinds("lost") == {name: {"self"} for name in names}, kinds("lost")
data = part("late", 2, "west")
counts, expected = [data.count(bytes([b])) for b in range(256)], len(data) / 256
assert sum((c - expected) ** 2 / expected for c in counts) < 400
END
if "$python" opened.py >"$out" 2>&1; then
    pass "of each site one secret is opened, of the late one that which leaves its change closed"
else
    fail "what was opened: $(tail -n 1 "$out")"
fi
finish
