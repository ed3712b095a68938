#!/usr/bin/env bash
# Rounds that hide sites (privacy.unit: site): the same bits on any number of ranks, simulated or not, and through
# interruptions; no site counts for more than the clip, whatever it has; noise of the size that is promised, of one job and
# of shares that sites add; an epsilon that is the accountant's and ends the run; no word of who took part, or how it went.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 240 40
export XDG_CONFIG_HOME=$work/config DTRAIN=$dtrain

cat >sites.yaml <<'END'
data: {file: small.h5, mean: 0, std: 255}
model: {layers: [flatten, {dense: {out: 12, activation: relu}}, {dense: 10}]}
privacy: {unit: site, clip: 0.5, noise: 0.8, delta: 1e-3}
optimizer: {kind: sgd, lr: 0.1, momentum: 0.9}
sites: {simulate: 20, per_round: 6, rounds: 8, weights: equal, outer: {momentum: 0.5}}
train: {batch: 5, shards: 3, chain: 1}
checkpoint: {every: 2 epochs}
END
# trial RANKS RUN ARGUMENT…
trial() {
    local ranks=$1 run=$2
    shift 2
    run "$ranks" train sites.yaml --run "$run" "$@"
}
rehearse() { trial "$@" --set privacy.reproducible_noise=1; }

# ---- the same bits, wherever ----

rehearse 1 one
expect_code 0 "a run that hides its sites"
# as numerical quadrature has it, of the Poisson sampled Gaussian: q = 6/20, sigma 0.8, 8 rounds, delta 1e-3
expect_last 'done .* step=8 rounds=8 sites=20 bytes=[0-9]+ epsilon=7.26023 delta=0.001 noise=reproducible test_loss=.* ended=rounds .*' "what it says at its end"
wanted=$(figures)
for ranks in 2 3; do
    rehearse "$ranks" "on$ranks"
    if [[ $(figures) == "$wanted" ]]; then pass "$ranks ranks, the same"; else fail "$ranks ranks: $(figures), not $wanted"; fi
done
rehearse 2 count --set sites.simulate=0 --set sites.count=20
if [[ $(last_value digest) == "${wanted##*digest=}" ]]; then pass "sites of a job, the same"; else fail "sites.count: $(figures), not $wanted"; fi
for ranks in 2 1; do
    rehearse "$ranks" halves --set train.stop_after="$((5 - ranks)) steps"
    expect_code 75 "interrupted"
done
rehearse 3 halves
if [[ $(figures) == "$wanted" ]]; then pass "interrupted, the same"; else fail "interrupted: $(figures), not $wanted"; fi
run 2 audit one --share 100%
expect_code 0 "a rehearsal is audited"
rehearse 1 seldom --set sites.per_round=1 --set sites.rounds=12
expect_code 0 "rounds that may be empty"
trial 1 secret
if [[ $(last_value digest) != "${wanted##*digest=}" ]]; then pass "another key, other noise and other sites"; else fail "two keys, one noise"; fi

# ---- nothing else is told ----

if grep -qE '"series": ?"site"|_loss": ?[0-9.]+, ?"train|"train_loss": ?[0-9]|"loss": ?[0-9]' one/metrics.jsonl || grep -q train_loss "$out"; then
    fail "metrics tell of sites"
else
    pass "no site is in the metrics"
fi
if [[ $(grep -oE '"took_part": ?[0-9.]+' one/metrics.jsonl | sort -u | wc -l) == 1 ]]; then pass "nor how many took part"; else fail "metrics tell how many took part"; fi

# ---- no site counts for more than the clip; without one (the control) it does ----

"$python" - small.h5 loud.h5 <<'PYTHON' || give_up "no loud.h5"
import h5py, sys

with h5py.File(sys.argv[1]) as old, h5py.File(sys.argv[2], "w") as new:
    for split in ("train", "test"):
        for part in "xy":
            values = old[f"{split}/{part}"][()]
            if part == "x":
                values = values.astype("float32")
                if split == "train":
                    values[17] *= 1e6
            new[f"{split}/{part}"] = values
PYTHON
distance() { # distance A B FACTOR: of what two runs have learned
    "$python" - "$@" <<'PYTHON'
import glob, h5py, math, sys

with h5py.File(glob.glob(f"{sys.argv[1]}/checkpoints/*.h5")[0]) as a, h5py.File(glob.glob(f"{sys.argv[2]}/checkpoints/*.h5")[0]) as b:
    names = []
    a["weights"].visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    print(float(sys.argv[3]) * math.sqrt(sum(float(((a["weights"][n][()].astype(float) - b["weights"][n][()]) ** 2).sum()) for n in names)))
PYTHON
}
for clip in 0.5 1e9; do
    for file in small loud; do
        rehearse 2 "$file$clip" --set data.file="$file.h5" --set sites.per_round=20 --set sites.rounds=1 --set privacy.noise=0 --set privacy.clip="$clip" \
            --set sites.outer.momentum=0
        expect_code 0 "$file data, clip $clip"
    done
done
moved=$(distance small0.5 loud0.5 20)
if awk -v d="$moved" 'BEGIN { exit !(d > 0.1 && d <= 1) }'; then pass "a loud site counts no more than another"; else fail "a loud site moved the sum by $moved"; fi
moved=$(distance small1e9 loud1e9 20)
if awk -v d="$moved" 'BEGIN { exit !(d > 10) }'; then pass "without a clip it does"; else fail "the control: $moved"; fi
# One that diverges has a change of zero, and the run goes on, without a word.
run 1 train sites.yaml --run control --set data.file=loud.h5 --set optimizer.lr=1e25 --set sites.simulate=2 --set sites.per_round=2 --set privacy.clip=0 \
    --set privacy.noise=0 --set privacy.unit=sample --set privacy.delta=1e-5
expect_bad 1 'the loss is no longer a number' "sites that diverge and hide nothing"
for way in "1 stop" "3 stop" "2 skip"; do
    read -r ranks policy <<<"$way"
    rehearse "$ranks" "wild$ranks" --set data.file=loud.h5 --set optimizer.lr=1e25 --set sites.simulate=2 --set sites.per_round=2 --set sites.rounds=3 \
        --set train.not_finite="$policy"
    expect_code 0 "sites that diverge, on $ranks ranks, train.not_finite: $policy"
    wild[ranks]=$(figures)
    if grep -qiE 'no longer a number|skipped' "$err" "$out"; then fail "it says which site diverged"; else pass "nothing is said of it"; fi
done
if [[ ${wild[1]} == "${wild[3]}" ]]; then pass "the same on 3 ranks"; else fail "diverged: ${wild[3]}, not ${wild[1]}"; fi

# ---- the budget ----

rehearse 2 budget --set privacy.max_epsilon=5
expect_code 0 "a budget ends the run"
expect_last 'done .* epsilon=4\.[0-9]+ .* ended=epsilon .*' "and it says so"
spent=$(last_value epsilon) steps=$(last_value step)
((steps > 1 && steps < 8)) || fail "ended at round $steps"
rehearse 1 budget --set privacy.max_epsilon=5
expect_in "$out" 'privacy budget is spent' "nothing is left"
if [[ $(last_value epsilon) == "$spent" && $(last_value step) == "$steps" ]]; then pass "and nothing more was spent"; else fail "now $(last_value epsilon) at $(last_value step)"; fi

# ---- the noise is as large as promised ----

# has_variance RUN PLAIN SITES VARIANCE: of the sum's noise, in clips
has_variance() {
    "$python" - "$@" <<'PYTHON'
import glob, h5py, math, sys

with h5py.File(glob.glob(f"{sys.argv[1]}/checkpoints/*.h5")[0]) as noisy, h5py.File(glob.glob(f"{sys.argv[2]}/checkpoints/*.h5")[0]) as plain:
    names = []
    plain["weights"].visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    draws = [d * float(sys.argv[3]) / 0.5 for n in names for d in (noisy["weights"][n][()].astype(float) - plain["weights"][n][()]).ravel()]
n, variance = len(draws), float(sys.argv[4])
chi = sum(d * d for d in draws) / variance
print(f"{n} elements, chi^2 {chi:.1f}, mean {sum(draws) / n:.4f}")
sys.exit(bool(n < 3000 or abs(chi - n) > 4 * math.sqrt(2 * n) or abs(sum(draws)) > 4 * math.sqrt(n * variance)))
PYTHON
}
for noise in 0 0.8; do
    rehearse 2 "noise$noise" --set privacy.noise="$noise" --set sites.per_round=20 --set sites.rounds=1 --set sites.outer.momentum=0
done
if has_variance noise0.8 noise0 20 0.64; then pass "the noise of a job has its variance"; else fail "the noise of a job has another variance"; fi

# Three sites of a mailbox: under masks two of them add 1/2 of the variance each, and the third too; without, each all of it.
run 1 split small.h5 --sites 3 --partition iid -o dealt
expect_code 0 "three sites' data"
for name in north south west; do run 1 keys make "$name" --out "$name.key"; done
key_of() { "$dtrain" keys show "$1.key"; }
sed -e 's/^sites:.*/sites: {rounds: 2, weights: equal, mailbox: box, masks: true}/' -e '/file: small/s/file: small.h5, //' sites.yaml >joint.yaml
printf '%s\n' "  members: {$(key_of north), $(key_of south), $(key_of west)}" >members
awk 'FNR == NR { members = $0; next } /^sites:/ { print "sites:"; gsub(/^sites: \{|\}$/, ""); n = split($0, f, ", "); for (i = 1; i <= n; i++) print "  " f[i]; print members; next } { print }' \
    members joint.yaml >joint2.yaml
widely=0
mailbox() { # mailbox NAME ARGUMENT…: all three, into NAME-north and so on; widely: on 1, 2 and 3 ranks
    local name=$1 site=0
    shift
    mkdir "box-$name"
    for member in north south west; do
        started=("$dtrain")
        ((widely && site)) && started=("$source/launch/local.sh" -n $((site + 1)))
        "${started[@]}" train joint2.yaml --site $member --key $member.key --run "$name-$member" --set data.file=dealt/site-$site.h5 \
            --set sites.mailbox="box-$name" --set privacy.reproducible_noise=1 "$@" >"$name-$member.out" 2>&1 &
        site=$((site + 1))
    done
    wait
    for member in north south west; do grep -o 'epsilon=.*ended=[a-z]*\|digest=.*' "$name-$member.out" | tail -n 2 | sed 's/ test_.*//'; done | sort | uniq -c
}
widely=1
mailbox masked >masked.said
run 2 audit masked-north
expect_bad 2 "its noise is a secret of the site.s" "an audit of a private part"
widely=0
if [[ $(grep -c '^ *3 ' masked.said) == 2 ]] && grep -q 'epsilon=' masked.said; then pass "three sites, one digest, one epsilon"; else fail "$(cat masked.said masked-*.out)"; fi
mailbox secret --set privacy.reproducible_noise=-1 --set sites.rounds=1 >secret.said
mailbox plain --set privacy.noise=0 --set sites.rounds=1 >plain.said
mailbox shares --set sites.rounds=1 >shares.said
mailbox open --set sites.rounds=1 --set sites.masks=false >open.said
mailbox trusting --set sites.rounds=1 --set privacy.honest=3 >trusting.said
if has_variance shares-north plain-north 3 0.96; then pass "shares under masks have 3/2 of the variance"; else fail "shares under masks have another variance"; fi
if has_variance open-west plain-north 3 1.92; then pass "without masks each has all of it"; else fail "changes that are seen have another variance"; fi
if has_variance shares-north open-north 3 "$(awk 'BEGIN { print 0.96 + 1.92 }')"; then pass "and other noise"; else fail "shares of other size are of the same draws"; fi
if has_variance trusting-south plain-north 3 0.64; then pass "of three that are trusted each has a third"; else fail "shares of three have another variance"; fi
if [[ $(cat shares.said) == *' 3 '*epsilon=* && $(grep -o 'epsilon=[0-9.]*' shares.said) == "$(grep -o 'epsilon=[0-9.]*' open.said)" ]]; then
    pass "and epsilon is the same"
else
    fail "epsilon differs with masks: $(cat shares.said open.said)"
fi
if [[ $(grep -c '^ *3 ' secret.said) == 2 && $(cat secret.said) != "$(cat shares.said)" ]]; then pass "sites' own keys, other noise"; else fail "keys do not count: $(cat secret.said)"; fi
# Gone on with on other ranks, after a round.
site=0
mv box-shares box-again
for member in north south west; do
    "$source/launch/local.sh" -n $((3 - site)) train joint2.yaml --site $member --key $member.key --run "shares-$member" --set data.file=dealt/site-$site.h5 \
        --set sites.mailbox=box-again --set privacy.reproducible_noise=1 >"again-$member.out" 2>&1 &
    site=$((site + 1))
done
wait
last_of() { tail -n 1 "$1" | grep -o 'epsilon=[0-9.]* \|digest=.*' | tr -d '\n'; }
if [[ $(last_of again-west.out) == epsilon=*digest=* && $(last_of again-west.out) == "$(last_of masked-west.out)" ]]; then
    pass "gone on with on other ranks, the same"
else
    fail "gone on with: $(tail -n 1 again-west.out), not $(tail -n 1 masked-west.out)"
fi

# ---- sites that hide their samples: each has its own accountant ----

one_site() { # one_site RANKS NAME NUMBER ARGUMENT…
    local ranks=$1 name=$2 number=$3
    shift 3
    run "$ranks" train joint2.yaml --site "$name" --key "$name.key" --run "samples-$name" --set data.file="dealt/site-$number.h5" \
        --set sites.mailbox=box-samples --set privacy.reproducible_noise=1 --set privacy.unit=sample "$@"
}
widely=1
mailbox whole --set privacy.unit=sample >whole.said
# as quadrature has it: q = 5/80, sigma 0.8, 2 rounds of 16 steps, delta 1e-3
if [[ $(grep -c '^ *3 ' whole.said) == 2 ]] && grep -q 'epsilon=3.49454 ' whole.said; then pass "three sites, one digest, the epsilon of their steps"; else fail "$(cat whole.said)"; fi
mkdir box-samples
for ranks in 1 2; do
    one_site $ranks north 0 --set sites.wait=0s
    expect_code 75 "a site that waits"
    waits[ranks]=$(last_value epsilon)
done
if [[ ${waits[1]} == "${waits[2]}" && ${waits[1]} == [1-9]* ]]; then pass "waiting spends nothing"; else fail "waiting: ${waits[2]} after ${waits[1]}"; fi
others() { # others ARGUMENT…: south and west, beside
    "$dtrain" train joint2.yaml --site south --key south.key --run samples-south --set data.file=dealt/site-1.h5 --set sites.mailbox=box-samples \
        --set privacy.reproducible_noise=1 --set privacy.unit=sample "$@" >/dev/null 2>&1 &
    "$dtrain" train joint2.yaml --site west --key west.key --run samples-west --set data.file=dealt/site-2.h5 --set sites.mailbox=box-samples \
        --set privacy.reproducible_noise=1 --set privacy.unit=sample "$@" >/dev/null 2>&1 &
}
others
one_site 3 north 0
wait
if [[ $(last_value digest) == "$(last_of whole-north.out | sed 's/.*digest=//')" && $(last_value epsilon) == 3.49454 ]]; then
    pass "and going on it spends what it would have"
else
    fail "gone on with: $(tail -n 1 "$out"), not $(tail -n 1 whole-north.out)"
fi
rm -rf box-samples samples-*
mkdir box-samples
others --set sites.rounds=1
one_site 2 north 0 --set privacy.max_epsilon="$(awk -v e="${waits[1]}" 'BEGIN { print e + 0.01 }')"
wait
expect_code 0 "a site with a budget of its own"
expect_last 'done .* rounds=1 .* ended=epsilon .*' "it ends before the round that would be above it"
one_site 1 north 0 --set privacy.max_epsilon=0.5 --run none
expect_bad 1 'the first round would be above it' "a budget below the first round"

# ---- what voids the promise ----

refused() { # refused REGEX ARGUMENT…
    local words=$1
    shift
    rehearse 1 refused "$@"
    expect_bad 1 "$words" "$*"
}
refused 'sites.weights is samples, which voids' --set sites.weights=samples
refused 'sites.robust is median, which voids' --set sites.robust=median
refused 'sites.control is true, which voids' --set sites.control=true
refused 'sites.wire is i8, which voids' --set sites.wire=i8
refused 'sites.optimizer is keep, which voids' --set sites.optimizer=keep
refused 'sites.local is .*, which voids' --set sites.local='dense2*'
refused 'checkpoint.best is test_loss, which voids' --set data.split.test=0.1 --set checkpoint.best=test_loss
refused 'privacy.honest is for shares' --set privacy.honest=2
refused 'a job of several sites has one secret and one budget' --set privacy.unit=sample
refused 'noise would make a variance of batch_norm1/.* negative' --set model.layers='[flatten, {dense: 5}, batch_norm, {dense: 10}]' \
    --set train.batch=6
refused 'privacy.noise is 1e-09, which is too little' --set privacy.noise=1e-9
refused 'first round would be above it' --set privacy.max_epsilon=0.1
run 1 train joint2.yaml --site north --key north.key --run refused --set data.file=dealt/site-0.h5 --set sites.per_round=2
expect_bad 1 'sites.per_round is 2, which voids' "members that are drawn"
run 1 train joint2.yaml --site north --key north.key --run refused --set data.file=dealt/site-0.h5 --set privacy.honest=4
expect_bad 1 'privacy.honest is 4, but a round may have a sum of 3 sites' "more honest sites than there are"
rehearse 1 refused2 --set sites.count=0 --set sites.simulate=0 --set sites.per_round=0 --set sites.rounds=100
expect_bad 1 'there are no sites' "no sites"
finish
