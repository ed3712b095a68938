#!/usr/bin/env bash
# Several machines: the same bits as on one, also with slices that cross in chunks and batches that leave ranks without
# rows. A rank or a host that dies, and a host that falls silent, end the job within a bound and are named; the run goes
# on, on other hosts, to the digest of the run nobody touched.
. "$(dirname "$0")/../support/lib.sh"
. "$source/tests/support/hosts.sh"
need_hosts
need_data
networks=yes
lay_network hostA hostB hostC || { networks= && lacks "hosts with networks of their own: ip netns is not permitted here"; }
cut_data small.h5 25 16

# A slice of each of two owners is above 2^18 elements. The last batch of an epoch has one row, for four shards.
large=(--set data.file=small.h5 --set train.batch=8 --set train.shards=4 --set train.epochs=3 --set reduce.wire=i32
    --set "model.layers=[flatten, {dense: {out: 2048, activation: relu}}, {dense: 10}]")
run 1 train "${large[@]}" --run one
wanted=$(last_value digest)

same_bits() { # same_bits HOSTS OPTION…
    local hosts=$1
    shift
    rm -rf run
    run_on "$hosts" train "${large[@]}" "$@" --run run
    expect_last "done run=run step=12 .* digest=$wanted" "$hosts $*: the digest of one rank"
}
same_bits "hostA:2 hostB:2"
same_bits "hostA:3 hostB:1"
same_bits "hostA:1 hostB:1 hostC:1"
same_bits "hostA:1 hostB:2" --set reduce.path=flat
# Stopped and started again elsewhere, twice, and one host in the end.
rm -rf run
for hosts in "hostA:2 hostB:2" "hostA:1 hostB:2 hostC:1"; do
    run_on "$hosts" train "${large[@]}" --run run --set train.stop_after="4 steps"
    expect_code 75 "stopped on $hosts"
done
run_on "hostA:4" train "${large[@]}" --run run
expect_last "done run=run step=12 .* digest=$wanted" "two hosts, then three, then one: the digest of one rank"
# Teams of two in a machine, as if they were machines.
run 4 train "${large[@]}" --set reduce.node_ranks=2 --run teams
expect_last "done run=teams step=12 .* digest=$wanted" "teams of two ranks of one machine: the digest of one rank"

# Data that is split, and read in pieces into a cache that each machine has; and predictions.
cut_data part.h5 1600 100
"$python" - <<'PYTHON' || give_up "no packed data"
import h5py

with h5py.File("part.h5") as plain, h5py.File("packed.h5", "w") as packed:
    for split in "train", "test":
        packed.create_dataset(f"{split}/x", data=plain[f"{split}/x"], chunks=(20, 28, 28), compression="gzip")
        packed[f"{split}/y"] = plain[f"{split}/y"][...]
PYTHON
pieces=(--set data.shuffle=block --set data.shuffle_block=40 --set data.shuffle_window=2 --set data.split.test=0.25 --set data.mean=0 --set data.std=1 --set data.normalize=standardise
    --set train.batch=30 --set train.shards=6 --set train.epochs=2 --set "model.layers=[flatten, {dense: 10}]")
run 1 train "${pieces[@]}" --set data.file=part.h5 --run pieces
wanted=$(last_value digest)
run_on "hostA:2 hostB:1" train "${pieces[@]}" --set data.file=packed.h5 --set data.memory='1 MB' --run pieces-on-two
expect_last "done .* digest=$wanted" "split and read in pieces on two hosts: the digest of one rank"
run 1 predict pieces -o pieces.npy
said=$(last_value digest)
run_on "hostA:1 hostB:2" predict pieces-on-two -o two.npy
expect_last "predict samples=400 .* digest=$said" "predictions of two hosts: the digest of one rank"
if cmp -s pieces.npy two.npy; then pass "and the same file"; else fail "another file"; fi

# Two sites in one job, whose ranks are on two hosts; and one of two sites that are elsewhere, on two hosts of its own.
cat >net.yaml <<END
data: {file: small.h5, mean: 73, std: 90}
model: {layers: [flatten, {dense: {out: 16, activation: relu}}, {dense: 10}]}
optimizer: {kind: sgd, lr: 0.05, momentum: 0.9}
train: {batch: 4, shards: 2}
sites: {simulate: 2, rounds: 3, round: 2 steps, partition: iid, wire: i8, control: true, outer: {kind: nesterov, lr: 0.7, momentum: 0.8}}
END
run 1 train net.yaml --run sites
wanted=$(last_value digest)
run_on "hostA:2 hostB:2" train net.yaml --run sites-on-two --set train.stop_after="2 steps"
expect_code 75 "two sites in a job on two hosts, stopped behind a round"
run_on "hostA:1 hostB:2" train net.yaml --run sites-on-two
expect_last "done .* rounds=3 sites=2 .* digest=$wanted" "that go on with what each keeps: the digest of one rank"
run 1 split small.h5 --sites 2 --partition iid -o parts
for name in north south; do
    run 1 keys make $name --out $name.key
    members+="${members:+, }$(tail -n 1 "$out")"
done
mkdir box
elsewhere=(--set sites.simulate=0 --set sites.mailbox=box --set sites.wait='2 min' --set "sites.members={$members}")
"$dtrain" train net.yaml --site south --key south.key --run south "${elsewhere[@]}" --set data.file=parts/site-1.h5 >south.out 2>&1 </dev/null &
south=$!
run_on "hostA:1 hostB:1" train net.yaml --site north --key north.key --run north "${elsewhere[@]}" --set data.file=parts/site-0.h5
expect_last "done .* rounds=3 sites=2 .* digest=$wanted" "a site on two hosts and one elsewhere: the digest of one job"
wait $south || fail "the site elsewhere: $(tail -n 2 south.out)"
if grep -q "^done .* digest=$wanted$" south.out; then pass "which the other site has, too"; else fail "the other site: $(tail -n 1 south.out)"; fi

# ---- what goes wrong -------------------------------------------------------------------------------------------------
long=(--set "data.file=$data" --set train.shards=4 --set train.steps=500 --set reduce.wire=i32
    --set checkpoint.every="50 steps" --set train.log_every="10 steps")
run 1 train "${long[@]}" --run untouched
wanted=$(last_value digest)

no_rank_lives() { ! rank_pid 0 && ! rank_pid 1 && ! rank_pid 2 && ! rank_pid 3; }

# began OPTION…: a run on two hosts is under way
began() {
    rm -rf run
    slowly 2 start_on "hostA:2 hostB:2" train "${long[@]}" --run run "$@"
    until_true 60 has_steps run 60 || fail "the run does not get to step 60"
    until_true 60 has_checkpoint run || fail "the run has no checkpoint"
}

# goes_wrong SIGNAL WHOM REGEX WHAT BEGIN…: of a run that BEGIN starts, WHOM (a command that prints processes) gets SIGNAL: the
# job ends by itself, in time, and says who did not go on. A launcher that crashed of its own says nothing: again.
goes_wrong() {
    local signal=$1 whom=$2 regex=$3 what=$4 pids attempt
    shift 4
    for attempt in 1 2 3; do
        "$@"
        mapfile -t pids < <($whom)
        kill "-$signal" "${pids[@]}"
        await
        [[ $signal != STOP ]] || kill -KILL "${pids[@]}" 2>/dev/null
        heard
        until_true 20 no_rank_lives || fail "$what: ranks are left behind"
        launcher_crashed || break
        echo "      mpirun itself crashed, attempt $attempt" && show "$err"
    done
    ((code != 0 && code != 75 && code != 124)) || fail "$what: exit code $code"
    expect_in "$err" "$regex" "$what: named"
    run 1 verify run
    expect_code 0 "$what: every checkpoint is whole"
}
host_of_3() { on_host_of "$(rank_pid 3)"; }

goes_wrong KILL "rank_pid 3" 'rank 3 .* on node hostB exited on signal 9' "a rank of the other host is killed" began
run_on "hostA:1 hostB:1 hostC:1" train "${long[@]}" --run run --set train.stop_after="100 steps"
expect_code 75 "the same command on three hosts"
expect_in "$out" 'going on from run/checkpoints/step-0*[1-9]' "goes on from a checkpoint"
run 2 train "${long[@]}" --run run
expect_last "done run=run step=500 .* digest=$wanted" "from three hosts to one: the digest of the run nobody touched"

goes_wrong KILL host_of_3 'node hostB' "a host dies" began
run_on "hostA:3" train "${long[@]}" --run run
expect_last "done run=run step=500 .* digest=$wanted" "from two hosts to one: the digest of the run nobody touched"

# Most steps have no checkpoint, where slow storage is to be waited for longer.
goes_wrong STOP "rank_pid 2" 'held up by rank 2 \(stopped ' "a rank of the other host is stuck" began --set train.timeout=2

# Its watchdog is silent too, and no connection breaks: mpirun itself would wait for ever. The run goes on from before.
goes_on() {
    start_on "hostA:2 hostB:2" train "${long[@]}" --run run --set train.timeout=2 --set train.steps=50000 \
        --set checkpoint.every="50000 steps" --set train.log_every="1 steps" # where a rank may wait for its own machine, too
    until_true 60 grep -q 'step [0-9]*/50000 ' "$out" || fail "the run does not get going"
}
goes_wrong STOP host_of_3 'ranks of hostA wait in step [0-9]+ for those of hostB \(ranks 2 to 3\)' "a host falls silent" goes_on

# The link to a host is cut: no process dies, and no connection says so. What is left of the other host is ended by hand.
[[ $networks ]] || finish
began --set train.timeout=2
set_link hostB down
await
end_host hostB
heard
((code != 0 && code != 75 && code != 124)) || fail "the link is cut: exit code $code"
expect_in "$err" 'ranks of hostA wait in step [0-9]+ for those of hostB \(ranks 2 to 3\)' "the link is cut: the host is named"
until_true 20 no_rank_lives || fail "the link is cut: ranks are left behind"
run_on "hostA:2 hostC:1" train "${long[@]}" --run run
expect_last "done run=run step=500 .* digest=$wanted" "on the hosts that are left: the digest of the run nobody touched"
finish
