#!/usr/bin/env bash
# Differentially private runs: the same bits on any number of ranks and through interruptions, noise of the size that is
# promised, an epsilon that is the accountant's and ends the run, a secret that is nowhere but in its file, and no word of
# the samples besides. What would void the promise is refused by name.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 600 64
export XDG_CONFIG_HOME=$work/config

cat >cnn.yaml <<'END'
data: {file: small.h5, mean: 0, std: 255}
model:
  layers: [{conv2d: {out: 4, kernel: 5, stride: 3, activation: tanh}}, {max_pool: 2}, {conv2d: {out: 40, padding: valid}}, {group_norm: 2}, flatten,
    {dense: {out: 12, activation: tanh}}, {dense: 10}]
privacy: {clip: 0.5, noise: 0.8}
optimizer: {kind: sgd, lr: 0.5, momentum: 0.9}
train: {batch: 50, shards: 6, epochs: 2, log_every: 4 steps, chain: 8}
END
# trial RANKS RUN ARGUMENT…
trial() {
    local ranks=$1 run=$2
    shift 2
    run "$ranks" train cnn.yaml --run "$run" "$@"
}
rehearse() { trial "$@" --set privacy.reproducible_noise=1; }

# ---- the same bits, wherever ----

rehearse 1 one
expect_code 0 "a private run"
expect_last 'done .* step=24 epoch=2 epsilon=[0-9.]+ delta=1e-05 noise=reproducible test_loss=.* ended=epochs .*' "what it says at its end"
expect_in "$err" 'privacy.reproducible_noise is 1: .* not private' "a rehearsal is said to be one"
wanted=$(figures)
for ranks in 2 3; do
    rehearse "$ranks" "on$ranks"
    if [[ $(figures) == "$wanted" ]]; then pass "$ranks ranks, the same"; else fail "$ranks ranks: $(figures), not $wanted"; fi
done
for pieces in 1 7; do # larger than what is computed at once, at times
    rehearse 2 "pieces$pieces" --set train.micro_batch="$pieces"
    expect_code 0 "in pieces of $pieces"
done
for stop in 5 7; do
    rehearse $((stop - 4)) parts --set train.stop_after="$stop steps"
    expect_code 75 "interrupted"
done
rehearse 2 parts
if [[ $(figures) == "$wanted" ]]; then pass "interrupted, the same"; else fail "interrupted: $(figures), not $wanted"; fi
for threads in 1 2; do
    rehearse 1 "threads$threads" --set compute.threads="$threads" --set train.steps=3
    few[threads]=$(figures)
done
if [[ ${few[1]} == "${few[2]}" ]]; then pass "2 threads, the same"; else fail "2 threads: ${few[2]}, not ${few[1]}"; fi
trial 1 other --set privacy.reproducible_noise=2
if [[ $(last_value digest) != "${wanted##*digest=}" ]]; then pass "other noise, another model"; else fail "the noise does not count"; fi

# Batches of 2 of 600: one in seven is empty, and gets noise too.
for ranks in 1 3; do
    rehearse "$ranks" "few$ranks" --set train.batch=2 --set train.shards=2 --set train.epochs=1 --set train.shards=3 --set train.batch=3 \
        --set train.steps=40
    expect_code 0 "batches that may be empty"
    few[ranks]=$(figures)
done
if [[ ${few[1]} == "${few[3]}" ]]; then pass "the same on 1 and 3 ranks"; else fail "batches of 3: ${few[3]}, not ${few[1]}"; fi

# ---- the noise is as large as promised: of a step of all samples, with and without it ----

for noise in 0 0.8; do
    rehearse 1 "noise$noise" --set privacy.noise="$noise" --set train.batch=600 --set train.steps=1 --set optimizer.momentum=0
    expect_code 0 "a step of all samples, noise $noise"
done
if "$python" - noise0 noise0.8 <<'PYTHON'; then pass "the noise has its variance"; else fail "the noise has another variance"; fi
import glob, h5py, math, sys

with h5py.File(glob.glob(f"{sys.argv[1]}/checkpoints/*.h5")[0]) as plain, h5py.File(glob.glob(f"{sys.argv[2]}/checkpoints/*.h5")[0]) as noisy:
    names = []
    plain["weights"].visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    # w -= lr (sum + noise)/batch
    draws = [d / (0.5 * 0.5 * 0.8 / 600) for name in names for d in (noisy["weights"][name][()].astype(float) - plain["weights"][name][()]).ravel()]
n, chi = len(draws), sum(d * d for d in draws)
print(f"{n} elements, chi^2 {chi:.1f}, mean {sum(draws) / n:.4f}")
sys.exit(bool(n < 3000 or abs(chi - n) > 4 * math.sqrt(2 * n) or abs(sum(draws)) > 4 * math.sqrt(n)))
PYTHON

# A sample's part in a step is at most privacy.clip: one whose pixels are a million times as large moves nothing more.
# Without clipping (the control) it does.
for kind in loud endless; do
    "$python" - small.h5 "$kind.h5" "$([[ $kind == loud ]] && echo 1e6 || echo 1e36)" <<'PYTHON' || give_up "no $kind.h5"
import h5py, sys

with h5py.File(sys.argv[1]) as old, h5py.File(sys.argv[2], "w") as new:
    for split in ("train", "test"):
        for part in "xy":
            values = old[f"{split}/{part}"][()]
            if part == "x":
                values = values.astype("float32")
                if split == "train":
                    values[17] *= float(sys.argv[3])
            new[f"{split}/{part}"] = values
PYTHON
done
for clip in 0.5 1e9; do
    for file in small loud; do
        run 1 train cnn.yaml --run "$file$clip" --set data.file="$file.h5" --set train.batch=600 --set train.steps=1 --set privacy.noise=0 \
            --set privacy.clip="$clip" --set optimizer.momentum=0 --set privacy.reproducible_noise=1 \
            --set model.layers='[flatten, {dense: {out: 12, activation: relu}}, {dense: 10}]'
        expect_code 0 "$file data, clip $clip"
    done
done
distance() {
    "$python" - "$@" <<'PYTHON'
import glob, h5py, math, sys

with h5py.File(glob.glob(f"{sys.argv[1]}/checkpoints/*.h5")[0]) as a, h5py.File(glob.glob(f"{sys.argv[2]}/checkpoints/*.h5")[0]) as b:
    names = []
    a["weights"].visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    squares = sum(float(((a["weights"][n][()].astype(float) - b["weights"][n][()]) ** 2).sum()) for n in names)
moved = math.sqrt(squares) * 600 / 0.5
print("clipped" if moved <= 2 * 0.5 else "unbounded" if moved > 100 else f"moved by {moved}")
PYTHON
}
if [[ $(distance small0.5 loud0.5) == clipped ]]; then pass "a loud sample counts no more than another"; else fail "a loud sample: $(distance small0.5 loud0.5)"; fi
# One whose gradient is no number counts for nothing: that a step fails, or does not, would tell of it.
for file in small endless; do
    rehearse 2 "$file-whole" --set data.file="$file.h5" --set data.std=1 --set train.batch=600 --set train.steps=1 --set privacy.noise=0 --set optimizer.momentum=0 \
        --set model.layers='[flatten, {dense: {out: 12, activation: relu}}, {dense: 10}]'
    expect_code 0 "$file data as they are"
done
if [[ $(distance small-whole endless-whole) == clipped ]]; then pass "one that is no number counts for nothing"; else fail "an endless sample: $(distance small-whole endless-whole)"; fi
rehearse 1 wild --set optimizer.lr=3e38 --set train.batch=1 --set train.shards=1
expect_code 1 "a model that diverges"
expect_in "$err" 'step [0-9]+: the weights are no longer numbers' "it says so"
if [[ $(distance small1e9 loud1e9) == unbounded ]]; then pass "without clipping it does"; else fail "the control: $(distance small1e9 loud1e9)"; fi

# ---- epsilon ----

# As numerical quadrature has it, of the Poisson sampled Gaussian: q = 50/600, sigma 0.8, 24 steps, delta 1e-5.
rehearse 1 one
if [[ $(last_value epsilon) == 6.19036 ]]; then pass "epsilon is that of 24 steps"; else fail "epsilon is $(last_value epsilon)"; fi
expect_in one/metrics.jsonl '"series": ?"privacy".*"epsilon": ?[0-9.]+' "it is in the metrics"
rehearse 2 budget --set privacy.max_epsilon=5
expect_code 0 "a budget ends the run"
expect_last 'done .* epsilon=4\.[0-9]+ .* ended=epsilon .*' "and it says so"
spent=$(last_value epsilon) steps=$(last_value step)
((steps > 1 && steps < 24)) || fail "ended at step $steps"
rehearse 1 budget --set privacy.max_epsilon=5
expect_code 0 "the same command again"
expect_in "$out" 'budget is finished: .* privacy budget is spent' "nothing is left"
if [[ $(last_value epsilon) == "$spent" && $(last_value step) == "$steps" ]]; then pass "and nothing more was spent"; else fail "now $(last_value epsilon) at $(last_value step)"; fi
rehearse 3 budget --set privacy.max_epsilon=6 --set train.stop_after="1 steps"
expect_code 75 "more is granted, and it goes on"
rehearse 1 none --set privacy.max_epsilon=0.1
expect_bad 1 'privacy.max_epsilon is 0.1, and the first step would be above it' "a budget of nothing"

# ---- the secret ----

trial 1 secret
expect_code 0 "a run with a key of its own"
key=$(sed -n 's/^privacy: a secret key was made, \(.*\); keep it.*/\1/p' "$out")
if [[ -f $key && $(stat -c %a "$key") == 600 ]]; then pass "the key is its owner's alone"; else fail "no key of mode 600: $key"; fi
hidden=$(sed -n 's/^secret: //p' "$key")
if "$python" - "$hidden" secret "$out" "$err" <<'PYTHON'; then pass "the secret is in no other file"; else fail "the secret is in another file"; fi
import os, sys

text = sys.argv[1].encode()
needles = [text, text.upper(), bytes.fromhex(sys.argv[1])]
paths = [os.path.join(at, name) for top in sys.argv[2:3] for at, _, names in os.walk(top) for name in names] + sys.argv[3:]
found = [path for path in paths for needle in needles if needle in open(path, "rb").read()]
print(*found)
sys.exit(bool(found) or len(paths) < 4 or len(text) != 64)
PYTHON
first=$(last_value digest)
trial 2 secret2
if [[ $(last_value digest) != "$first" ]]; then pass "another run has other noise"; else fail "two runs, one noise"; fi
mv "$key" kept.key
trial 2 secret3 --privacy-key kept.key
if [[ $(last_value digest) == "$first" ]]; then pass "the same key, the same noise, on 2 ranks"; else fail "the key does not decide"; fi
trial 1 secret --set train.epochs=3
expect_bad 1 'the secret key of this run.s noise is not here' "a run whose key is lost"
run 1 keys make another --out another.key
trial 1 secret --set train.epochs=3 --privacy-key another.key
expect_bad 1 'or the key of its noise .* is another' "a run with another key"
DTRAIN_PRIVACY_KEY=kept.key trial 1 secret --set train.epochs=3
expect_code 0 "with its own it goes on"
# Who has the key can compute the run again; who has it not is told so.
run 2 audit one --share 100%
expect_code 0 "a rehearsal is audited"
run 1 audit secret --share 100%
expect_bad 2 'only with its key it can be computed again' "an audit without the key"
DTRAIN_PRIVACY_KEY=kept.key run 1 audit secret --share 100%
expect_code 0 "an audit with the key"
chmod 644 kept.key
trial 1 open --privacy-key kept.key
expect_bad 1 'others may read or write it' "a key that others can read"

# ---- nothing else is told ----

for word in train_loss train_accuracy; do
    if grep -rqE "$word(=|\": ?[0-9])" one "$out"; then fail "$word is told"; else pass "$word is not told"; fi
done
if "$python" - one secret <<'PYTHON'; then pass "checkpoints have no loss, no count and no fingerprint of samples"; else fail "a checkpoint tells of samples"; fi
import glob, h5py, sys

prints = []
for run in sys.argv[1:]:
    with h5py.File(sorted(glob.glob(f"{run}/checkpoints/*.h5"))[0]) as f:
        told = [f"{name}: {f['state'][name][()]}" for name in ("epoch_tally", "last_tally", "epoch_sums", "last_sums") if f["state"][name][()].any()]
        if told:
            sys.exit(str(told))
        prints.append([line for line in f["state/data"][()].tobytes().decode().splitlines() if line.startswith("train_")])
print(prints)
sys.exit(not prints[0] or any(a == b for a, b in zip(*prints)))
PYTHON
run 2 train cnn.yaml --run plain --set privacy.clip=0 --set privacy.noise=0 --set train.stop_after="3 steps"
expect_code 75 "a run that is not private"
rehearse 2 plain --set privacy.clip=0.5 --set privacy.noise=0.8
expect_bad 1 'its 3 steps were not private' "it does not become private"

# ---- what voids the promise ----

refused() { # refused REGEX ARGUMENT…
    local words=$1
    shift
    rehearse 1 refused "$@"
    expect_bad 1 "$words" "$*"
}
refused 'data.normalize is standardise, which voids' --set data.normalize=standardise --set data.mean=0 --set data.std=1
refused 'data.missing is mean, which voids' --set data.missing=mean
refused 'train.class_weights is balanced, which voids' --set train.class_weights=balanced
refused 'data.split.stratify is true, which voids' --set data.split.test=0.1 --set data.split.stratify=true
refused 'checkpoint.best is test_loss, which voids' --set data.split.test=0.1 --set checkpoint.best=test_loss
refused 'data.shuffle is none, which voids' --set data.shuffle=none
refused 'data.memory is .*, which voids' --set data.memory=1MiB
refused 'optimizer.clip_norm is 1, which voids' --set optimizer.clip_norm=1
refused 'optimizer.clip_value is 1, which voids' --set optimizer.clip_value=1
refused 'train.not_finite is skip, which voids' --set train.not_finite=skip
refused 'reduce.wire is f32, which voids' --set reduce.wire=f32
refused 'compute.precision is bf16, which voids' --set compute.precision=bf16
refused 'privacy.sampling=shuffle: it must be poisson' --set privacy.sampling=shuffle
refused 'batch_norm mixes the samples' --set model.layers='[flatten, {dense: 5}, batch_norm, {dense: 10}]'
refused 'gru cannot do yet' --set model.layers='[{gru: {units: 5, last: yes}}, {dense: 10}]'
refused 'train.batch is 700 but there are 600 samples' --set train.batch=700
run 1 train cnn.yaml --run refused --set privacy.clip=0
expect_bad 1 'privacy.noise is 0.8 but privacy.clip is 0' "noise without clipping"
rehearse 1 warned --set data.split.test=0.1 --set train.steps=1
expect_in "$err" 'is cut from its training data' "a test on private data is warned of"
rehearse 1 warned2 --set privacy.delta=0.01 --set train.steps=1
expect_in "$err" 'privacy.delta is 0.01, which is above 1/600' "a large delta is warned of"
rehearse 1 warned3 --set privacy.noise=0 --set train.steps=1
expect_in "$err" 'privacy.noise is 0: .* not private' "no noise is warned of"
finish
