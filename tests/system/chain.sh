#!/usr/bin/env bash
# The chain of digests: one for a run, whoever computes it and however often it is interrupted; a link's digest is that of the
# checkpoint of its step; and runs that part show where.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 200 64
cat >net.yaml <<'END'
data: {file: small.h5, mean: 72.94, std: 90.02}
model: {layers: [flatten, {dense: {out: 16, activation: relu}}, {batch_norm: {name: norm}}, {dense: 10}]}
optimizer: {kind: adam, lr: 0.003}
train: {batch: 24, steps: 33, shards: 3, chain: 4, log_every: 7 steps, eval_every: 10 steps}
checkpoint: {every: 8 steps, keep: 0}
END
cat >chain.py <<'END'
"""links RUN: steps, digests and links of metrics; state PATH: /state/chain, and the file's own digest."""
import glob, h5py, json, sys
kind, path = sys.argv[1:]
if kind == "links":
    for line in open(f"{path}/metrics.jsonl"):
        row = json.loads(line)
        if row["series"] == "chain":
            print(int(row["step"]), *("%08x%08x" % (int(row[f"{k}_high"]), int(row[f"{k}_low"])) for k in ("digest", "link")))
else:
    with h5py.File(path) as file:
        links, step, digest, link = map(int, file["state/chain"][:])
        print(links, step, "%016x %016x" % (digest, link), file.attrs["digest"] if isinstance(file.attrs["digest"], str) else file.attrs["digest"].decode())
END
chain() { "$python" chain.py "$@"; }
newest() { find "$1/checkpoints" -name '*.h5' | sort | tail -1; }

for ranks in 1 2 3; do
    node=$((ranks == 2)) # two nodes of one rank; else one of all
    run $ranks train net.yaml --run "on$ranks" --set reduce.node_ranks=$node
    expect_code 0 "a run on $ranks ranks"
    digest=$(last_value digest)
    chain links "on$ranks" >"links$ranks"
    chain state "$(newest "on$ranks")" >"file$ranks"
done
if [[ $(wc -l <links1) == 8 ]] && cmp -s links1 links2 && cmp -s links1 links3 && cmp -s file1 file2 && cmp -s file1 file3; then
    pass "eight links in 33 steps, the same on 1 rank, on 2 nodes and on 3 ranks"
else
    fail "chains differ: $(diff links1 links2; diff links1 links3; cat file1 file2 file3)"
fi
read -r links step _ link _ <file1
[[ "$links $step $link" == "8 32 $(tail -1 links1 | cut -d' ' -f3)" ]] || fail "the checkpoint's chain is $(cat file1)"
for step in 8 16 24 32; do # of these there are checkpoints, too
    read -r links at digest link own <<<"$(chain state "on1/checkpoints/step-$(printf %09d $step).h5")"
    if [[ $digest == "$own" && $at == "$step" && $links == $((step / 4)) && "$step $digest $link" == "$(grep "^$step " links1)" ]]; then
        pass "the digest of step $step is the checkpoint's"
    else
        fail "step $step: the chain has $links $at $digest $link, the checkpoint is $own"
    fi
done

run 2 train net.yaml --run broken --set train.stop_after='10 steps'
expect_code 75 "a run that is stopped between two links"
run 3 train net.yaml --run broken --set train.stop_after='13 steps' --set checkpoint.every='100 steps'
cp -r broken killed
rm "$(newest killed)" # as if it had been killed behind the links of steps 12, 16 and 20
run 1 train net.yaml --run killed
expect_code 0 "gone on with from before links that were recorded"
run 1 train net.yaml --run broken
for run in broken killed; do
    chain links $run >links.txt && chain state "$(newest $run)" >state.txt
    if cmp -s links.txt links1 && cmp -s state.txt file1; then pass "the chain of the run that was $run is the same"; else fail "$run: $(diff links.txt links1)"; fi
done

cp -r on1 other && rm other/checkpoints/step-0000000{24,32,33}.h5
run 2 train net.yaml --run other --set optimizer.lr=0.0031
chain links other >links.txt
if [[ $(diff links.txt links1 | grep -c '^<') == 4 && $(head -4 links.txt) == "$(head -4 links1)" ]]; then
    pass "runs that part after step 16 have different links from step 20 on"
else
    fail "which links differ: $(diff links.txt links1)"
fi
run 3 train net.yaml --run coarse --set train.chain=8
chain links coarse >links.txt
if [[ $(cut -d' ' -f1,2 links.txt) == "$(awk '$1 % 8 == 0 {print $1, $2}' links1)" ]] && ! cut -d' ' -f3 links.txt | grep -qFf <(cut -d' ' -f3 links1); then
    pass "a link is made of those before: of the same digests, but of others between them, come other links"
else
    fail "links every 8 steps: $(cat links.txt)"
fi
run 1 inspect "$(newest on1)"
expect_in "$out" "8 links; the newest, of step 32, is $link, of the digest [0-9a-f]{16}" "inspect shows it"
run 1 train net.yaml --run none --set train.chain=0
expect_last "done .* digest=$(cut -d' ' -f5 file1)" "without a chain the digest is the same"
[[ -z $(chain links none) && $(chain state "$(newest none)") == "0 0 "* ]] || fail "train.chain=0 leaves a chain"
finish
