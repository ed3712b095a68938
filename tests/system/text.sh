#!/usr/bin/env bash
# From text files to a trained model: tokens of every kind are the text again, a run on them has the same bits on any
# number of ranks and through any stop, and what is wrong is named.
. "$(dirname "$0")/../support/lib.sh"
licence=/usr/share/common-licenses/GPL-3
[[ -s $licence ]] || give_up "no $licence (Debian's base-files)"

# A generated text with characters of one to four bytes, and the licence.
"$python" - >generated.txt <<'END'
import random

random.seed(3)
words = ["Die", "größte", "Straße", "it's", "we'll", "naïve", "10", "2 048", "日本", "😀", "a", "of", "the", "\t", "\n\n"]
print(" ".join(random.choice(words) for _ in range(20000)))
END

# same_text FILE TEXT SPLIT: the tokens are the text, the first part of it for training
same_text() {
    if "$python" - "$@" 2>"$err" <<'END'; then pass "$1 is $2"; else fail "$1 is not $2" && show "$err"; fi
import sys, h5py

name, texts, split = sys.argv[1:]
whole = b"".join(open(text, "rb").read() for text in texts.split("+"))
cut = int(float(split) * len(whole))
while cut < len(whole) and whole[cut] & 0xC0 == 0x80:
    cut -= 1
with h5py.File(name) as file:
    data, offsets = file["vocab/bytes"][:].tobytes(), file["vocab/offsets"][:]
    tokens = [data[a:b] for a, b in zip(offsets, offsets[1:])]
    for part, text in (("train", whole[:cut]), ("test", whole[cut:])):
        ids = file[part + "/tokens"]
        assert b"".join(tokens[i] for i in ids[:]) == text, part
        assert ids.attrs["chars"] == sum(byte & 0xC0 != 0x80 for byte in text), part
        assert ids.dtype.itemsize == (1 if len(tokens) <= 256 else 2) and ids.chunks is None, ids
    if "char" in name:
        assert tokens == sorted({c.encode() for c in whole.decode()}), "the vocabulary"
END
}

# What editors of other systems leave in a text is said.
printf '\xef\xbb\xbfone\r\ntwo\r\nthree\r' >windows.txt
run 1 import text windows.txt windows.h5 --tokens char --split 1
expect_code 0 "a text from Windows"
expect_in "$out" 'windows.txt: begins with a byte-order mark, which is left out' "the mark is said"
expect_in "$err" 'windows.txt: 2 ends of lines are CR LF and 1 CR alone, .*--newlines lf' "the ends of lines are said"
run 1 import text windows.txt windows.h5 --tokens char --split 1 --newlines lf
expect_code 0 "with --newlines lf"
expect_in "$out" '2 ends of lines are CR LF and 1 CR alone; all are read as LF' "says what it did"
run 1 import text windows.txt windows.h5 --tokens char --newlines crlf
expect_bad 2 'newlines is "crlf"; it must be keep or lf' "--newlines of something else"

run 1 import text "$licence" char.h5 --tokens char
expect_code 0 "characters"
same_text char.h5 "$licence" 0.9
run 1 import text generated.txt "$licence" generated-char.h5 --tokens char --split 0.35
expect_code 0 "characters of two files"
same_text generated-char.h5 "generated.txt+$licence" 0.35
run 1 import text "$licence" byte.h5 --tokens=byte --split=0.8
same_text byte.h5 "$licence" 0.8
run 1 import text generated.txt "$licence" bpe.h5 --tokens bpe --vocab 400
expect_code 0 "byte-pair encoding"
same_text bpe.h5 "generated.txt+$licence" 0.9
run 1 import text generated.txt "$licence" again.h5 --tokens bpe --vocab 400
if "$python" - again.h5 bpe.h5 <<'END'; then
import sys, h5py

contents = []
for name in sys.argv[1:]:
    arrays = {}
    with h5py.File(name) as file:
        file.visititems(lambda path, item: arrays.__setitem__(path, item[()].tobytes()) if hasattr(item, "dtype") else None)
    contents.append(arrays)
assert len(contents[0]) > 4, contents[0].keys()
sys.exit(contents[0] != contents[1])
END
    pass "the same import is the same dataset"
else
    fail "the same import is another dataset"
fi

# vocabulary FILE: how many tokens
vocabulary() { "$python" -c "import h5py, sys; print(h5py.File(sys.argv[1])['vocab/offsets'].size - 1)" "$1"; }
# recipe NAME FILE OPTIONS: a small model of what the next tokens are
recipe() {
    local tokens
    tokens=$(vocabulary "$2")
    cat >"$1.yaml" <<END
name: $1
data: {file: $2, context: 6, $3}
model:
  layers: [dense: {out: 32, activation: tanh}, dropout: 0.1, dense: $((6 * tokens)), reshape: [6, $tokens]]
optimizer: {lr: 0.003, clip_norm: 1}
train: {batch: 20, steps: 150, shards: 4, log_every: 50, eval_every: 60}
END
}
# trains NAME: the same bits on any number of ranks and through a stop; eval agrees
trains() {
    local ranks wanted=''
    for ranks in 1 2 3; do
        run "$ranks" train "$1.yaml" --run "$1-$ranks"
        expect_code 0 "$1 on $ranks ranks"
        [[ $wanted ]] || wanted=$(figures)
        if [[ $(figures) == "$wanted" ]]; then pass "$wanted"; else fail "$1 on $ranks ranks: $(figures)"; fi
    done
    local line='done run=[^ ]+ step=150 epoch=[0-9]+ train_loss=[^ ]+ test_loss=[^ ]+ test_accuracy=[^ ]+ '
    line+='test_perplexity=[^ ]+ ended=[a-z]+ samples_per_s=[0-9]+ tokens_per_s=[0-9]+ seconds=[^ ]+ ranks=3 shards=4 digest=[0-9a-f]+'
    expect_last "$line" "$1: the keys of the last line"
    run 3 train "$1.yaml" --run "$1-stopped" --set train.stop_after=70
    expect_code 75 "$1 stopped"
    expect_last 'stopped .* tokens_per_s=.*' "$1: the last line of a stop"
    run 1 train "$1.yaml" --run "$1-stopped"
    if [[ $(figures) == "$wanted" ]]; then pass "$1 resumed"; else fail "$1 resumed: $(figures), not $wanted"; fi
    local test perplexity digest
    test=$(last_value test_loss) perplexity=$(last_value test_perplexity) digest=$(last_value digest)
    for ranks in 1 2; do
        run "$ranks" eval "$1-1"
        expect_last "eval loss=$test accuracy=[^ ]+ perplexity=$perplexity samples=$2 digest=$digest" "$1: eval"
    done
}

chars=$("$python" -c "import h5py; print(h5py.File('char.h5')['test/tokens'].size)")
bytes=$("$python" -c "import h5py; print(h5py.File('byte.h5')['test/tokens'].size)")
tokens=$("$python" -c "import h5py; print(h5py.File('bpe.h5')['test/tokens'].size)")
recipe random char.h5 'windows: random'
trains random $((chars - 1))
recipe stream byte.h5 'windows: stream'
trains stream $((bytes - 1))
recipe masked bpe.h5 'objective: masked'
# one of six tokens; the last window begins earlier, and its mask may be where tokens were seen already
trains masked "($((tokens / 6))|$(((tokens + 5) / 6)))"

# The loss is that of a reference in Python from the stored weights; the vocabulary is in the checkpoint.
"$python" - "$(sed -n 's/.*"test_loss": *\([0-9.]*\).*/\1/p' random-1/metrics.jsonl | tail -n 1)" <<'END' || fail "the loss and the checkpoint as Python has them"
import glob, sys
import h5py, numpy

data = h5py.File("char.h5")
test = data["test/tokens"][:].astype(int)
with h5py.File(glob.glob("random-1/checkpoints/*150.h5")[0]) as file:
    assert (file["state/vocab_bytes"][:] == data["vocab/bytes"][:]).all()
    assert (file["state/vocab_offsets"][:] == data["vocab/offsets"][:]).all() and file["state/vocab_kind"][0] == 0
    w = [file[f"weights/dense{i}/{name}"][:].astype(float) for i in (1, 2) for name in "wb"]
total, seen, count = 0.0, 0, len(test) - 1
for first in list(range(0, count - 5, 6)) + ([count - 6] if count % 6 else []):
    h = numpy.tanh(test[first : first + 6] @ w[0] + w[1])
    o = (h @ w[2] + w[3]).reshape(6, -1)
    o = o - o.max(axis=1, keepdims=True)
    losses = numpy.log(numpy.exp(o).sum(axis=1)) - o[numpy.arange(6), test[first + 1 : first + 7]]
    total += losses[max(0, seen - first) :].sum()
    seen = first + 6
assert seen == count, (seen, count)
assert abs(total / count - float(sys.argv[1])) < 1e-4, (total / count, sys.argv[1])
END
expect_in random-1/metrics.jsonl '"test_perplexity": ?[0-9.]+, ?"test_bits_per_char": ?[0-9.]+' "metrics of a text"
expect_in random-1/metrics.jsonl '"tokens_per_s": ?[0-9.e+]+, ?"perplexity": ?[0-9.]+' "and of an interval"

# Rows of tokens with a class.
"$python" - <<'END'
import h5py, numpy

random = numpy.random.default_rng(1)
with h5py.File("rows.h5", "w") as file:
    for part, rows in ("train", 400), ("test", 100):
        x = random.integers(0, 9, (rows, 6)).astype("int16")
        file[part + "/tokens"], file[part + "/y"] = x, (x[:, 0] > 4).astype("uint8")
        x[:, 5] = -1
        file[part + "/tokens"][:] = x
END
cat >rows.yaml <<'END'
data: {file: rows.h5, context: 6, objective: class, vocabulary: 9}
model: {layers: [dense: {out: 16, activation: relu}, dense: 2]}
optimizer: {lr: 0.01}
train: {batch: 20, epochs: 20, shards: 3}
END
run 2 train rows.yaml --run rows
expect_code 0 "classes of rows"
expect_last 'done .* test_loss=[^ ]+ test_accuracy=(0\.9|1).* samples_per_s=[0-9]+ tokens_per_s=.*' "and it learns them"

# What is wrong is named, on every rank alike.
printf 'ok\n\xff\n' >bad.txt
run 1 import text generated.txt bad.txt bad.h5 --tokens char
expect_bad 1 'bad.txt: the byte 0xff at offset 3 \(line 2\) does not belong' "what is no UTF-8"
run 1 import text generated.txt bad.h5
expect_bad 2 '--tokens is missing; it must be char, byte or bpe' "no kind of token"
run 1 import text generated.txt bad.h5 --tokens char --speed 3
expect_bad 2 'import text has no option --speed' "an option that is none"
run 1 import text --tokens char only.h5
expect_bad 2 'usage: dtrain import text FILE' "no text"
run 1 import idx a b c.h5 --tokens char
expect_bad 2 'import idx has no option --tokens' "options of another kind"
[[ ! -e bad.h5 ]] || fail "a failed import left a file"
run 1 import --help
for option in --tokens --vocab --split --newlines --vocab-json --merges; do
    grep -Eq "^ +$option +[a-z]" "$out" || fail "import --help does not explain $option"
done

cp char.h5 other.h5
"$python" -c "import h5py; h5py.File('other.h5', 'a')['vocab/bytes'][1] = 1"
run 2 train random.yaml --run random-1 --set data.file=other.h5 --set train.steps=300
expect_bad 1 'the vocabulary of other.h5 is another than the checkpoint' "to go on with another vocabulary"
run 2 eval random-1 --data byte.h5
expect_bad 1 'byte.h5: its vocabulary is another' "to evaluate on another vocabulary"
cp char.h5 outside.h5
"$python" -c "import h5py; h5py.File('outside.h5', 'a')['train/tokens'][4321] = 200"
run 3 train random.yaml --run outside --set data.file=outside.h5
expect_bad 1 "outside.h5: /train/tokens: token 4321 is 200, but the vocabulary has $(vocabulary char.h5) tokens" \
    "a token outside the vocabulary"
run 2 train random.yaml --run no-vocabulary --set data.file=rows.h5
expect_bad 1 'rows.h5: there is no /vocab' "no vocabulary"
run 2 train random.yaml --run rows-1 --set data.file=rows.h5 --set data.vocabulary=9
expect_bad 1 '/train/tokens has rows; a text is one row of token ids' "rows where a text was expected"
run 2 train random.yaml --run context --set data.context=100000
expect_bad 1 'it needs at least 100001' "a window longer than the text"
run 2 train random.yaml --run positions --set data.context=7
expect_bad 1 'it gives \[6, [0-9]+\] but a sample has 7 labels' "a model of other windows"
run 2 train random.yaml --run classes --set data.vocabulary=1000
expect_bad 1 'gives [0-9]+ values but the data has 1000 classes' "a model of fewer tokens"
run 1 train random.yaml --run nothing --set data.file=shakespeare.h5
expect_bad 1 'run data/fetch.sh shakespeare to make it' "a set that can be fetched"
finish
