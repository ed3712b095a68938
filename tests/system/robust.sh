#!/usr/bin/env bash
# Robust sums (sites.robust): one of seven sites learns from turned labels and huge numbers, and the model is as good as
# without it, where the mean is not; on any number of ranks, and when the run is stopped amid.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 2800 1000
run 1 split small.h5 --sites 7 --partition iid -o parts
expect_code 0 "the data of seven sites"
"$python" - <<'END' || give_up "no hostile site"
import h5py
for site in range(7):
    with h5py.File(f"parts/site-{site}.h5") as old, h5py.File(f"site-{site}.h5", "w") as new:
        for name in ("train/x", "test/x"):
            new[name] = old[name][()].astype("f4") / 255 * (-400 if site == 2 and name == "train/x" else 1)
        new["train/y"] = 9 - old["train/y"][()] if site == 2 else old["train/y"][()]
        new["test/y"] = old["test/y"][()]
END
cat >sites.yaml <<'END'
data: {file: "site-%r.h5", normalize: none}
model: {layers: [flatten, dense: 10]}
optimizer: {kind: sgd, lr: 0.05}
train: {batch: 20, shards: 2}
sites: {count: 7, rounds: 8, round: 1 epoch, weights: equal}
END
# trains NAME RANKS SETTING…: its accuracy on the test data, in per mille, is $good
trains() {
    local name=$1 ranks=$2
    shift 2
    run "$ranks" train sites.yaml --run "$name" "$@"
    good=$(last_value test_accuracy | awk '{printf "%d", 1000 * $1}')
}

trains mean 1
if ((good < 400)); then pass "the mean follows one hostile site of seven: $good of 1000"; else fail "one hostile site does nothing to the mean: $good of 1000"; fi
for robust in 'trimmed(1)' median 'krum(1)' 'multi-krum(1)'; do
    trains "one-$robust" 1 --set "sites.robust=$robust"
    if ((good > 700)); then pass "$robust does not: $good of 1000"; else fail "$robust follows it: $good of 1000" "$(tail -n 1 "$err")"; fi
    digest=$(last_value digest)
    trains "three-$robust" 3 --set "sites.robust=$robust"
    if [[ $(last_value digest) == "$digest" ]]; then pass "$robust: the same on 3 ranks"; else fail "$robust: another digest on 3 ranks"; fi
done
trains stopped 2 --set 'sites.robust=multi-krum(1)' --set train.stop_after=3
expect_code 75 "a run that is stopped"
trains stopped 1 --set 'sites.robust=multi-krum(1)'
if [[ $(last_value digest) == "$digest" ]]; then pass "goes on to the same"; else fail "goes on to another digest"; fi
if "$python" - <<'END'
import json
rows = [row for row in map(json.loads, open("one-multi-krum(1)/metrics.jsonl")) if row["series"] == "site"]
assert len(rows) == 56 and all(row["took_part"] == 0 for row in rows if row["site"] == 2), rows
for round in range(1, 9):
    assert sum(row["took_part"] for row in rows if row["step"] == round) == 4
END
then pass "who was left out is recorded"; else fail "who was left out is not recorded"; fi
run 1 report 'one-multi-krum(1)' -o page.html
expect_in page.html '<tr><th scope=row>2</th><td class=n>0</td><td class=n>8</td>' "and in the report"
expect_in page.html 'Done: all rounds were made' "which says how it ended"
run 1 top 'one-multi-krum(1)'
expect_in "$out" '^round 8  4 of 7 sites  loss of a site [0-9.]+ to [0-9.e+]+  MB sent ' "in the live view who was in the last round"
expect_in "$out" '^left out  somebody in 8 of 8 rounds, the last 8$' "and who was not"

# Through a mailbox, where every site makes the robust sum by itself.
mkdir mail
for site in 0 1 2; do "$dtrain" keys make "site$site" --out "$site.key" 2>/dev/null; done >members
sed 's/^sites:.*/sites: {rounds: 4, weights: equal, robust: trimmed(1), mailbox: mail, members: {MEMBERS}}/' sites.yaml |
    sed "s/MEMBERS/$(paste -s -d, members | sed 's/,/, /g')/" >mail.yaml
for site in 0 1 2; do
    "$dtrain" train mail.yaml --site "site$site" --key "$site.key" --run "mail$site" --set "data.file=site-$site.h5" >"mail$site.out" 2>"mail$site.err" &
done
wait
run 1 train sites.yaml --run job --set sites.count=3 --set sites.rounds=4 --set 'sites.robust=trimmed(1)' --set 'data.file=[site-0.h5, site-1.h5, site-2.h5]'
expect_code 0 "three sites in one job"
for site in 0 1 2; do
    if grep -q "^done .* digest=$(last_value digest)$" "mail$site.out"; then
        pass "site $site, through a mailbox, comes to the same"
    else
        fail "site $site: $(tail -n 1 "mail$site.out" "mail$site.err"), not $(last_value digest)"
    fi
done
run 1 report mail0 -o mail.html
expect_in mail.html '<tr><th scope=row>site2</th><td class=n>4</td><td class=n>0</td><td class=n>1</td><td class=n>–</td><td class=n>–' "its report has who took part, what that counted for, and nothing else of the others"

run 1 train mail.yaml --site site0 --key 0.key --run late --set data.file=site-0.h5 --set 'sites.deadline=1 h'
expect_bad 1 'sites.robust, in a round of the fewest that sites.quorum 2 of 3 allows: trimmed\(1\) needs the changes of 3 sites or more, and there are 2' "a deadline that would leave too few"

refused() { # refused REGEX WHAT SETTING…
    local says=$1 what=$2
    shift 2
    run 1 train sites.yaml --run refused "$@"
    expect_bad 1 "$says" "$what"
}
refused 'sites.robust: "mean" is not none, trimmed\(f\)' "another rule" --set sites.robust=mean
refused 'sites.robust: trimmed\(4\) needs the changes of 9 sites or more, and there are 7' "too many hostile sites" --set 'sites.robust=trimmed(4)'
refused 'sites.robust: krum\(1\) needs the changes of 5 sites or more, and there are 4' "too few a round" --set 'sites.robust=krum(1)' --set sites.per_round=4
refused 'sites.weights: equal' "weights that sites say" --set 'sites.robust=median' --set sites.weights=samples
refused 'sites.robust is "median"; control variates' "SCAFFOLD" --set 'sites.robust=median' --set sites.control=true
finish
