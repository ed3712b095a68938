#!/usr/bin/env bash
# What a run leaves behind for its report by itself: the tables of its last evaluation, and texts that it wrote while it learned.
# Both are what eval and sample give of the checkpoint, whoever trained, and change no bit of what is learned.
. "$(dirname "$0")/../support/lib.sh"

same() { # same FILE FILE WHAT
    if cmp -s "$1" "$2"; then pass "$3"; else fail "$3: $1 and $2 differ"; fi
}
without() { # without FILE WHAT
    if [[ ! -e $1 ]]; then pass "$2"; else fail "$2: $1 is there"; fi
}

need_data
cut_data small.h5 2000 300
settings=(--set data.file=small.h5 --set train.shards=6)
run 1 train "${settings[@]}" --run one --set train.epochs=2
digest=$(last_value digest)
run 1 eval one --json wanted.json
same one/evaluation.json wanted.json "the tables are those of eval"
expect_in one/report.html 'u0022confusion.u0022: ' "and in the run's page"
for ranks in 2 3; do
    run "$ranks" train "${settings[@]}" --run "one-$ranks" --set train.epochs=2
    sed "s/one-$ranks/one/" "one-$ranks/evaluation.json" >other.json
    same other.json wanted.json "on $ranks ranks they are the same"
done
run 1 train "${settings[@]}" --run off --set train.epochs=2 --set report.tables=false
expect_last ".*digest=$digest" "without them the same is learned"
without off/evaluation.json "report.tables=false"
run 1 train "${settings[@]}" --run stopped --set train.epochs=2 --set train.stop_after=40
without stopped/evaluation.json "a run that only stopped has none"
run 2 train "${settings[@]}" --run stopped --set train.epochs=2
sed 's/stopped/one/' stopped/evaluation.json >other.json
same other.json wanted.json "but where it goes on"
run 1 train "${settings[@]}" --run patient --set train.epochs=100 --set train.patience=1 --set checkpoint.best=test_loss \
    --set train.eval_every=20 --set optimizer.lr=1e-30
expect_last '.*ended=patience .*' "a run that ends by train.patience"
run 1 eval patient --json wanted.json
same patient/evaluation.json wanted.json "has the tables of its last evaluation"
mkdir -p refused/evaluation.json refused/checkpoints && touch refused/.dtrain-run
run 1 train "${settings[@]}" --run refused --set train.epochs=1
expect_code 0 "a run whose tables cannot be written"
expect_in "$err" 'evaluation.json' "says so"

for ((i = 0; i < 400; i++)); do echo "the cat sat on the mat number $((i * i % 97)), and"; done >cats.txt
run 1 import text cats.txt cats.h5 --tokens char
cat >cats.yaml <<'END'
data: {file: cats.h5, context: 16}
model: {layers: [gpt: {layers: 1, heads: 2, width: 32}]}
train: {steps: 9, eval_every: 1, batch: 6, shards: 3}
END
run 1 train cats.yaml --run cat
digest=$(last_value digest)
texts=$(cd cat/samples && echo *)
if [[ $texts == "step-000000001.txt step-000000002.txt step-000000004.txt step-000000008.txt step-000000009.txt" ]]; then
    pass "a text at every power of two of steps, and at the end"
else
    fail "texts are $texts"
fi
"$dtrain" sample cat --tokens 200 >wanted.txt
same cat/samples/step-000000009.txt wanted.txt "the last is what sample gives"
run 3 train cats.yaml --run cat-3
for one in cat/samples/*; do same "$one" "cat-3/samples/${one##*/}" "${one##*/} on 3 ranks is the same"; done
expect_in cat/report.html '<figcaption>step-000000009.txt' "and in the run's page"
run 2 train cats.yaml --run quiet --set report.samples=0
expect_last ".*digest=$digest" "without texts the same is learned"
without quiet/samples "report.samples=0"
run 1 train cats.yaml --run frozen --set 'model.freeze=[block1*]' --set compute.precision=bf16
"$dtrain" sample frozen --tokens 200 >wanted.txt
same frozen/samples/step-000000009.txt wanted.txt "of a model with frozen tensors and bf16, too"
finish
