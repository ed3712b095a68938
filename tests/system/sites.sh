#!/usr/bin/env bash
# Several sites train one model in rounds, inside one job or simulated: the same common state on any number of ranks,
# through kills and stops, from a file for each site and from one that is dealt; and what an independent program makes of
# the same rules.
. "$(dirname "$0")/../support/lib.sh"
reference=$source/tests/support/sites_reference.py
mkdir small
"$python" "$reference" make small || give_up "no data"
"$python" - <<'PYTHON' || give_up "no data"
import h5py, numpy as np
rng = np.random.default_rng(7)
centre = rng.normal(0, 1, (4, 12))
with h5py.File("all.h5", "w") as file:
    for split, rows in ("train", 600), ("test", 200):
        y = rng.integers(0, 4, rows)
        file[f"{split}/x"], file[f"{split}/y"] = (centre[y] + rng.normal(0, 1, (rows, 12))).astype("f4"), y.astype("u1")
PYTHON
cat >net.yaml <<'END'
name: net
data: {file: all.h5}
model: {layers: [dense: {out: 16, activation: relu}, batch_norm: {name: norm}, dense: 4]}
optimizer: {kind: adam, lr: 0.01}
sites: {simulate: 6, rounds: 8, per_round: 4, partition: dirichlet(0.5)}
train: {batch: 16, shards: 3}
checkpoint: {every: 1}
END
keeping=(--set sites.optimizer=keep --set sites.outer.kind=nesterov --set sites.outer.lr=0.7
    --set sites.outer.momentum=0.8 --set sites.round=5)

# ---- the same bits, whoever computes ----

declare -A digest
alike() { # alike NAME RANKS ARGUMENT…: on so many ranks; 5 share no memory
    local name=$1 ranks
    local -a all
    read -ra all <<<"$2"
    shift 2
    for ranks in "${all[@]}"; do
        run "$ranks" train net.yaml --run "$name-$ranks" --set reduce.node_ranks=$((ranks == 5)) "$@"
        expect_code 0 "$name on $ranks ranks"
        [[ $ranks != 1 ]] || digest[$name]=$(last_value digest)
        if [[ $(last_value digest) == "${digest[$name]}" ]]; then
            pass "$name on $ranks ranks: digest ${digest[$name]}"
        else
            fail "$name on $ranks ranks: digest $(last_value digest), not ${digest[$name]}"
        fi
    done
}
alike fedavg "1 2 3"
alike diloco "1 3 5" "${keeping[@]}" --set sites.wire=i8
alike scaffold "1 2" --set sites.control=true --set optimizer.kind=sgd --set sites.wire=i4 --set sites.proximal=0.1
alike local "1 3" --set 'sites.local=["*norm*", dense2]' --set sites.outer.kind=adam --set sites.outer.lr=0.05
if [[ $(printf '%s\n' "${digest[@]}" | sort -u | wc -l) == 4 ]]; then
    pass "four rules, four digests"
else
    fail "rules without effect"
fi
expect_last 'done run=local-3 step=8 rounds=8 sites=6 bytes=[0-9]+ .*ended=rounds .*' "the last line"

# ---- interrupted anywhere ----

step_of() { find "$1/checkpoints" -name 'step-*.h5' 2>/dev/null | sort | tail -n 1 | sed 's/.*step-0*//; s/\.h5//'; }
at_round() { [[ $(step_of "$1") -ge $2 ]]; }
# a rank is there, and the run is further than when it started
goes_on() { at_round "$1" "$2" && rank_pid "$3" >pid; }
for wire in i8 i32; do
    run 1 train net.yaml --run "whole-$wire" "${keeping[@]}" --set sites.wire=$wire --set sites.rounds=12
    wanted=$(last_value digest)
    slowly 1 start 3 train net.yaml --run "killed-$wire" "${keeping[@]}" --set sites.wire=$wire --set sites.rounds=12
    if until_true 60 goes_on "killed-$wire" 2 1; then kill -KILL "$(<pid)"; else fail "$wire: no round 2"; fi
    await
    next=$(($(step_of "killed-$wire") + 1))
    slowly 1 start 2 train net.yaml --run "killed-$wire" "${keeping[@]}" --set sites.wire=$wire --set sites.rounds=12
    if until_true 60 goes_on "killed-$wire" $next 0; then kill -TERM "$(<pid)"; else fail "$wire: no round $next"; fi
    await
    expect_code 75 "$wire: a stop leaves the round in progress"
    expect_last "stopped run=killed-$wire step=([3-9]|1[01]) rounds=[0-9]+ .*ended=signal .*" "$wire: and says so"
    run 1 train net.yaml --run "killed-$wire" "${keeping[@]}" --set sites.wire=$wire --set sites.rounds=12
    if [[ $(last_value digest) == "$wanted" ]]; then
        pass "$wire: killed on 3 ranks, stopped on 2, ended on 1: the same digest"
    else
        fail "$wire: another digest after a kill and a stop" && show "$out" "$err"
    fi
done

# A round that takes longer than a job, where one site alone trains in it.
long=(--set sites.per_round=1 --set sites.round=40 --set sites.rounds=2 --set 'sites.local="*norm*"' --set sites.wire=i8
    --set sites.optimizer=keep --set checkpoint.every='0.05 s')
run 1 train net.yaml --run long-whole "${long[@]}"
wanted=$(last_value digest)
in_the_middle() { # in_the_middle RANK: of the first round, as a checkpoint has it
    rank_pid "$1" >pid && "$python" -c 'import h5py, sys; m = h5py.File(sys.argv[1])["state/middle"]; sys.exit(not (m[0] == 0 and 0 < m[2] < 40))' \
        long/checkpoints/step-000000000.h5
}
slowly 5 start 2 train net.yaml --run long "${long[@]}"
if until_true 60 in_the_middle 1; then kill -KILL "$(<pid)"; else fail "no checkpoint in the middle of a round"; fi
await
slowly 5 start 3 train net.yaml --run long "${long[@]}"
if until_true 60 grep -q 'round 1: site [0-9] goes on behind step [1-9]' "$out"; then
    pass "it goes on in the middle of a round on another number of ranks"
    kill -TERM "$(rank_pid 2)"
else
    fail "it does not go on in the middle of a round" && show "$out" "$err"
fi
await
expect_code 75 "a stop in the middle of a round"
run 1 train net.yaml --run long "${long[@]}"
expect_in "$out" 'goes on behind step' "and from there again"
if [[ $(last_value digest) == "$wanted" ]]; then
    pass "killed and stopped in the middle of a round: the same digest"
else
    fail "killed and stopped in the middle of a round: another digest" && show "$out" "$err"
fi

# ---- a file for each site is the same as one that is dealt ----

for partition in iid 'by-label(2)'; do
    "$dtrain" split all.h5 --sites 4 --partition "$partition" -o parts >/dev/null || fail "split by $partition"
    run 2 train net.yaml --run dealt --set sites.simulate=4 --set sites.per_round=3 --set "sites.partition=$partition"
    wanted=$(last_value digest)
    run 3 train net.yaml --run files --set sites.simulate=0 --set sites.count=4 --set sites.per_round=3 \
        --set data.file=parts/site-%r.h5 --set sites.partition=iid
    expect_code 0 "$partition: a file for each site"
    if [[ $(last_value digest) == "$wanted" ]]; then
        pass "$partition: files and parts, one digest"
    else
        fail "$partition: files and parts differ" && show "$out"
    fi
    rm -rf parts dealt files
done

# ---- the rules, beside an independent program ----

cat >small.yaml <<'END'
name: small
data: {file: small/site-%r.h5}
model: {layers: [dense: {out: 4, init: zeros}]}
optimizer: {kind: sgd, lr: 0.2}
sites: {count: 3, rounds: 6, round: 4}
train: {batch: 200, shards: 2}
END
# rule NAME RULES ARGUMENT…: RULES are rounds, steps, lr, momentum, weights, outer, its lr and momentum, proximal, control
rule() {
    local name=$1 error
    local -a rules
    read -ra rules <<<"$2"
    shift 2
    run 1 train small.yaml --run "rule-$name" "$@"
    expect_code 0 "$name"
    if error=$("$python" "$reference" check "$(find "rule-$name/checkpoints" -name '*.h5' | sort | tail -n 1)" small "${rules[@]}"); then
        pass "$name: weights as the reference has them, to $error"
    else
        fail "$name: weights are not the reference's, by $error"
    fi
}
sgd=(--set optimizer.momentum=0.5)
rule fedavg "6 4 0.2 0 samples sgd 1 0 0 false"
rule equal "6 4 0.2 0.5 equal sgd 1 0 0 false" --set sites.weights=equal "${sgd[@]}"
rule fedavgm "6 4 0.2 0 samples sgd 0.8 0.6 0 false" --set sites.outer.lr=0.8 --set sites.outer.momentum=0.6
rule nesterov "6 4 0.2 0 samples nesterov 0.7 0.8 0 false" --set sites.outer.kind=nesterov --set sites.outer.lr=0.7 --set sites.outer.momentum=0.8
rule fedadam "6 4 0.2 0 samples adam 0.1 0 0 false" --set sites.outer.kind=adam --set sites.outer.lr=0.1
rule fedprox "6 4 0.2 0.5 samples sgd 1 0 0.7 false" --set sites.proximal=0.7 "${sgd[@]}"
rule scaffold "6 4 0.2 0.5 samples sgd 1 0 0 true" --set sites.control=true "${sgd[@]}"
rule i8 "40 4 0.2 0 samples sgd 1 0 0 false 0.002" --set sites.wire=i8 --set sites.rounds=40 # what is rounded off comes later
rule i4 "40 4 0.2 0 samples sgd 1 0 0 false 0.02" --set sites.wire=i4 --set sites.rounds=40

# One site that sends a change after every step trains as a run without sites.
run 1 train small.yaml --run alone --set data.file=small/site-1.h5 --set sites.count=1 --set sites.round=1 \
    --set sites.rounds=12 --set train.batch=30
run 1 train small.yaml --run plain --set data.file=small/site-1.h5 --set sites.count=0 --set sites.round='1 epoch' \
    --set sites.rounds=100 --set train.batch=30 --set train.epochs=4
if error=$("$python" - alone/checkpoints/step-000000012.h5 plain/checkpoints/step-000000012.h5 <<'PYTHON'
import h5py, numpy as np, sys
a, b = (np.concatenate([h5py.File(p)[f"weights/dense1/{t}"][:].ravel() for t in "wb"]) for p in sys.argv[1:])
error = np.abs(a - b).max() / np.abs(b).max()
print(f"{error:.2g}")
sys.exit(not error < 1e-5)
PYTHON
); then
    pass "one site that sends every step: the weights of a run without sites, to $error"
else
    fail "one site that sends every step: off by $error"
fi

# ---- what stays at a site, and who took part ----

if "$python" "$source/tests/support/read_report.py" check local-1/report.html local-1 >"$out" 2>&1; then
    pass "curves by site, who took part and what was sent are in the report: $(cat "$out")"
else
    fail "the report of rounds: $(tail -n 3 "$out")"
fi

if "$python" - local-1 <<'PYTHON'
import glob, h5py, json, numpy as np, sys
first, last = (h5py.File(f"{sys.argv[1]}/checkpoints/step-{n:09}.h5") for n in (6, 8))
own = last["state/site_local"][:].reshape(6, -1)
assert own.shape[1] == 4 * 16 + 16 * 4 + 4, own.shape
assert len(np.unique(own, axis=0)) == 6
for name in ["weights/dense2/w"] + [f"weights/norm/{t}" for t in first["weights/norm"]]:
    assert (first[name][:] == last[name][:]).all(), name
assert (first["weights/dense1/w"][:] != last["weights/dense1/w"][:]).any()
rows = [json.loads(line) for line in open(f"{sys.argv[1]}/metrics.jsonl")]
sites = [(int(r["step"]), int(r["site"])) for r in rows if r["series"] == "site"]
assert len(sites) == len(set(sites)) == 32 and {s for _, s in sites} == set(range(6)), sites
assert [int(r["took_part"]) for r in rows if r["series"] == "round"] == [4] * 8
PYTHON
then
    pass "local tensors differ from site to site, those in common stay as they began; rows say who took part"
else
    fail "local tensors, or rows of sites"
fi

# ---- refused, each by one line ----

refuses() { # refuses REGEX ARGUMENT…
    local pattern=$1
    shift
    run 1 train net.yaml --run refused "$@"
    expect_bad 1 "$pattern" "refused: $*"
}
refuses 'sites.per_round is 7.*6 sites' --set sites.per_round=7
refuses 'sites.count' --set sites.count=3
refuses 'data.normalize is standardise.*mean and std' --set data.normalize=standardise
refuses 'train.class_weights is balanced' --set train.class_weights=balanced
refuses 'sites.control.*sgd' --set sites.control=true
refuses 'sites.outer.momentum is 0.5.*adam' --set sites.outer.kind=adam --set sites.outer.momentum=0.5
refuses 'nesterov needs momentum' --set sites.outer.kind=nesterov
refuses 'sites.local: no tensor of the model fits "conv' --set 'sites.local=conv*'
refuses 'leaves nothing' --set 'sites.local="*"'
refuses 'sites.partition.*halves' --set sites.partition=halves
refuses 'sites.round is never' --set sites.round=never
refuses 'train.not_finite is rollback' --set train.not_finite=rollback
refuses 'there are no sites' --set sites.simulate=0
refuses 'data.memory' --set data.memory='1 GB'
run 1 train small.yaml --run refused --set sites.count=4
expect_bad 1 'data.file names 3 files but sites.count is 4' "refused: a site without a file"
run 3 train net.yaml --run overflow --set optimizer.lr=3e38 --set sites.round='1 step'
expect_bad 1 'round 0: what site [0-9]+ learned is no number' "a change that is no number"

finish
