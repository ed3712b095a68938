#!/usr/bin/env bash
# Masks (sites.masks): through a mailbox under masks sites get the bits they get without, on 1, 2 and 3 ranks, also when
# one is killed after it has sent its masked vector; what travels looks like noise; no file has a secret.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 900 200
run 1 split small.h5 --sites 3 --partition iid -o parts
expect_code 0 "the data of three sites"
names=(north south east)
members=
for name in "${names[@]}"; do
    run 1 keys make "$name" --out "$name.key"
    members+="    $(grep "^$name: " "$out")"$'\n'
done
cat >sites.yaml <<END
name: sites
data: {file: parts/site-0.h5, mean: 73, std: 90}
model: {layers: [flatten, {dense: {out: 16, activation: relu}}, dense: 10]}
optimizer: {kind: sgd, lr: 0.05}
train: {batch: 30, shards: 6}
sites:
  rounds: 3
  round: 1 epoch
  mailbox: box
  wait: 2 min
  members:
$members
END

# begin_site I RUNS SETTING…: site I on I + 1 ranks, in the background; ${pids[I]}
pids=()
begin_site() {
    local i=$1 runs=$2
    shift 2
    DTRAIN=$dtrain MPIEXEC_TIMEOUT=300 "$source/launch/local.sh" -n $((i + 1)) train sites.yaml --site "${names[i]}" \
        --key "${names[i]}.key" --run "$runs-${names[i]}" --set "data.file=parts/site-$i.h5" --set "sites.mailbox=$runs" "$@" \
        >"$runs-${names[i]}.out" 2>"$runs-${names[i]}.err" </dev/null &
    pids[i]=$!
}
# digest_of RUNS: that of all three sites, or what they say
digest_of() {
    local found
    found=$(for name in "${names[@]}"; do tail -n 1 "$1-$name.out" | grep -o '^done.*' | grep -o 'digest=.*'; done | sort | uniq -c)
    if [[ $found == *3\ digest=* ]]; then
        awk '{print $2}' <<<"$found"
    else
        tail -n 2 "$1"-*.out "$1"-*.err >&2
        echo none
    fi
}

mkdir plain masked killed
for i in 0 1 2; do begin_site $i plain; done
wait "${pids[@]}"
plain=$(digest_of plain)
for i in 0 1 2; do begin_site $i masked --set sites.masks=true; done
wait "${pids[@]}"
# same RUNS WHAT: whether they have the digest that there is without masks
same() {
    local digest
    digest=$(digest_of "$1")
    if [[ $digest == "$plain" && $plain != none ]]; then pass "$2"; else fail "$2: $digest instead of $plain"; fi
}
# show_it WHAT: what a program in Python on standard input asserts
show_it() {
    if "$python" - 2>"$err"; then pass "$1"; else fail "$1: $(tail -n 1 "$err")"; fi
}
same masked "one digest with masks and without"

# The third site gives up wherever something is missing, so the second, which goes on, cannot be done with a round.
for i in 0 1; do begin_site $i killed --set sites.masks=true; done
for ((turn = 0; turn < 100; turn++)); do
    begin_site 2 killed --set sites.masks=true --set sites.wait=0
    wait "${pids[2]}"
    compgen -G 'killed/round-00000000-2/south-*.part' >/dev/null && break
done
job=${pids[1]}
victim=$(rank_pid 1) || give_up "there is no site to kill"
kill -KILL "$victim"
await
begin_site 1 killed --set sites.masks=true
begin_site 2 killed --set sites.masks=true
wait "${pids[@]}"
same killed "and so where a site is killed once its masked vector is out"
expect_in killed-south.out 'round 1: site 1 goes on behind step ([0-9]+) of \1$' "which it does not train again for"

show_it "what is sent looks like noise, and without masks it does not" <<'END'
import glob
def chi_square(path):
    data = open(path, "rb").read()[256 + 40:]
    counts, expected = [data.count(bytes([b])) for b in range(256)], len(data) / 256
    return sum((c - expected) ** 2 / expected for c in counts)
masked = [chi_square(path) for path in glob.glob("masked/round-*-2/*.part")]
plain = [chi_square(path) for path in glob.glob("plain/round-*/*.part")]
assert len(masked) == 9 and len(plain) == 9
assert all(x < 400 for x in masked) and all(x > 2000 for x in plain)
END
show_it "no file has a site's secret" <<'END'
import base64, os, re
needles = {}
for name in ("north", "south", "east"):
    text = open(name + ".key").read()
    found = max(re.findall(r"[0-9a-zA-Z_+/=-]{40,}", text), key=len)
    raw = bytes.fromhex(found) if re.fullmatch("[0-9a-f]{64}", found) else base64.urlsafe_b64decode(found + "=" * (-len(found) % 4))
    for needle in (found.encode(), raw, raw.hex().encode(), base64.b64encode(raw)[:40], base64.urlsafe_b64encode(raw)[:40]):
        needles[needle] = name
files = [os.path.join(top, file) for top, _, here in os.walk(".") for file in here if not file.endswith(".key")]
hits = [(path, needles[n]) for path in files for data in [open(path, "rb").read()] for n in needles if n in data]
assert len(files) > 60 and not hits, hits
assert all(any(n in open(name + ".key", "rb").read() for n in needles) for name in ("north", "south", "east"))  # the control
END

# What a core of a site would have while it waits, with what it has signed: all memory but what the kernel leaves out.
cat >memory.py <<'END'
import glob, hashlib, os, re, subprocess, sys, time
dtrain, key_file = sys.argv[1], "north.key"
seed_text = max(re.findall(r"[0-9a-f]{64}", open(key_file).read()), key=len)
seed = bytes.fromhex(seed_text)
def derived(number, about): # crypto_kdf_derive_from_key
    return hashlib.blake2b(b"", digest_size=32, key=seed, salt=number.to_bytes(8, "little") + bytes(8), person=about + bytes(8)).digest()
sign, agree, masks = derived(1, b"dtr-sign"), derived(2, b"dtr-agre"), derived(3, b"dtr-mask")
spread = bytearray(hashlib.sha512(sign).digest()) # what Ed25519 signs with
spread[0] &= 248
spread[31] = spread[31] & 127 | 64
secrets = {"the secret": seed, "the signing key": sign, "its hash": bytes(spread), "the key to agree with": agree, "the masks' secret": masks}
needles = {bytes[i:i + 16]: name for name, bytes in secrets.items() for i in range(0, len(bytes), 16)}
needles |= {seed_text[i:i + 32].encode(): "its text" for i in (0, 32)}
os.mkdir("memory")
job = subprocess.Popen([dtrain, "train", "sites.yaml", "--site", "north", "--key", key_file, "--run", "memory-north", "--set", "sites.mailbox=memory",
                        "--set", "sites.masks=true", "--set", "sites.wait=1 h"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    while not glob.glob("memory/round-00000000/north-*.part"):
        assert job.poll() is None, "the site has ended"
        time.sleep(0.05)
    time.sleep(0.2) # it waits
    dumped, hidden, marked, mapping = [], set(), 0, None
    with open(f"/proc/{job.pid}/mem", "rb", 0) as memory:
        for line in open(f"/proc/{job.pid}/smaps"):
            if found := re.match(r"([0-9a-f]+)-([0-9a-f]+) (r?).*", line):
                mapping = found
            if not line.startswith("VmFlags:") or not mapping[3] or "[v" in mapping[0]:
                continue
            begin, end = int(mapping[1], 16), int(mapping[2], 16)
            if end - begin > 1 << 30:
                continue
            memory.seek(begin)
            data = memory.read(end - begin)
            seen = {needles[n] for n in needles if n in data}
            if " dd" in line:
                hidden |= seen
            else:
                dumped += [(name, mapping[0]) for name in seen]
                marked += b"sites.mailbox" in data
finally:
    job.kill()
assert marked and "the secret" in hidden and "the signing key" in hidden, (marked, hidden) # the controls
assert not dumped, dumped
END
if grep -q __asan_init "$dtrain"; then
    lacks "a site's memory: a sanitizer keeps what the program has wiped"
elif "$python" memory.py "$dtrain" 2>"$err"; then
    pass "nor has what a core of a site has"
elif grep -qE 'PermissionError.*/mem' "$err"; then
    lacks "a site's memory: this system lets nobody read another process's"
else
    fail "a site's secrets in its memory: $(tail -n 1 "$err")"
fi

refused() { # refused REGEX WHAT SETTING…
    local says=$1 what=$2
    shift 2
    run 1 train sites.yaml --site north --key north.key --run refused --set sites.mailbox=plain --set sites.masks=true "$@"
    expect_bad 1 "$says" "$what"
}
refused 'sites.threshold.*more than half' "a threshold that two halves would have" --set sites.threshold=1
refused 'sites.threshold.*at most' "a threshold above the quorum" --set sites.threshold=3 --set sites.quorum=2 --set 'sites.deadline=1 min'
refused 'sites.masks.*sites.robust' "masks and robust sums" --set sites.robust=median
refused 'sites.masks.*at least 3' "two sites in a round" --set sites.per_round=2
sed '/^    east/d' sites.yaml >two.yaml
run 1 train two.yaml --site north --key north.key --run refused --set sites.masks=true --set sites.mailbox=plain
expect_bad 1 "sites.masks.*the sum gives each the other's change" "two sites"
run 1 train sites.yaml --run refused --set sites.masks=true --set sites.count=3 --set sites.mailbox=
expect_bad 1 'sites.masks.*sites.members' "masks inside one job"
finish
