#!/usr/bin/env bash
# Threads of a rank: they train, and the bits are the same on any number of threads and ranks, also where a run goes on.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 600 64

cat >wide.yaml <<'END'
name: wide
data: {file: small.h5, mean: 73, std: 90}
model:
  layers: [conv2d: {out: 8, activation: relu}, max_pool, flatten, {dense: {out: 512, activation: relu}}, {dense: 10}]
  loss: softmax_cross_entropy
train: {epochs: 2, batch: 200, shards: 4}
optimizer: {kind: adam, clip_norm: 1}
END

wanted=
for threads in 1 2 3; do
    for ranks in 1 2; do
        run $ranks train wide.yaml --set compute.threads=$threads --run "run$ranks-$threads"
        expect_code 0 "$threads threads on each of $ranks ranks train"
        [[ $wanted ]] || wanted=$(last_value digest)
        expect_last "done .* digest=$wanted" "and give the same digest"
    done
done

run 1 train wide.yaml --set compute.threads=2 --set train.stop_after=4 --run part
expect_code 75 "a run on two threads stops"
run 1 train wide.yaml --set compute.threads=3 --run part
expect_last "done .* digest=$wanted" "and goes on with three"

# A checkpoint may be anybody's: eval starts no thousand threads because one says so.
processors=$(getconf _NPROCESSORS_ONLN)
asked=$((8 * processors + 32 < 1024 ? 8 * processors + 32 : 1024)) # above 250 processors all of them are granted
run 1 train wide.yaml --set compute.threads=$asked --set train.stop_after=1 --run many
expect_code 75 "a recipe of one's own may ask for any number"
python3 -c 'import subprocess, sys, os
def threads(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except FileNotFoundError:
        return 0
process, most = subprocess.Popen(sys.argv[1:]), 0
while process.poll() is None:
    most = max(most, threads(process.pid))
print("most threads:", most)
sys.exit(process.returncode or most > 4 * os.cpu_count() + 24)' "$dtrain" eval many >"$out" 2>"$err"
code=$?
expect_code 0 "eval of a checkpoint that asks for $asked threads, with $(tail -n 1 "$out")"
((processors >= 256)) || expect_in "$err" "compute.threads of the checkpoint is $asked; this machine is asked for" "says that it takes fewer"
finish
