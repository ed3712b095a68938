#!/usr/bin/env bash
# Threads of a rank: they train, the bits are the same on any number of ranks, and another number of threads, which may
# give other bits, is refused where a run goes on.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 600 64

cat >wide.yaml <<'END'
name: wide
data: {file: small.h5, mean: 73, std: 90}
model:
  layers: [flatten, {dense: {out: 512, activation: relu}}, {dense: 10}]
  loss: softmax_cross_entropy
train: {epochs: 2, batch: 200, shards: 4}
optimizer: {kind: adam, clip_norm: 1}
END

for threads in 1 2 3; do
    run 1 train wide.yaml --set compute.threads=$threads --run "one$threads"
    expect_code 0 "$threads threads train"
    wanted=$(last_value digest)
    run 2 train wide.yaml --set compute.threads=$threads --run "two$threads"
    expect_last "done .* digest=$wanted" "and give two ranks the digest of one"
done

run 1 train wide.yaml --set compute.threads=2 --set train.stop_after=4 --run part
expect_code 75 "a run on two threads stops"
sed -i '$a compute: {threads: 3}' wide.yaml
run 1 train wide.yaml --run part
expect_bad 1 'compute.threads is 3 but the checkpoint was trained with 2' "another number is refused"
run 1 train wide.yaml --set compute.threads=3 --run part
expect_code 0 "and taken by --set"
finish
