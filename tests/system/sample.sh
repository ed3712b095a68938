#!/usr/bin/env bash
# Texts from trained models: the same seed is the same text whatever trained the model, a model of a period goes on with
# it, characters come whole, and what is wrong is named.
. "$(dirname "$0")/../support/lib.sh"

# A text of a period with characters of one to four bytes, and one with every byte.
"$python" - <<'END'
open("period.txt", "w").write("abcdefg größte 日本 😀\n" * 400)
open("bytes.bin", "wb").write(bytes(range(256)) * 40 + "日本 😀 größte\n".encode() * 300)
END
for kind in char byte; do
    run 1 import text period.txt "$kind.h5" --tokens "$kind"
    expect_code 0 "import of $kind"
done
run 1 import text bytes.bin bytes.h5 --tokens byte

# recipe NAME FILE CONTEXT OPTIONS STEPS
recipe() {
    cat >"$1.yaml" <<END
name: $1
data: {file: $2, context: $3}
model: {layers: [gpt: {layers: 2, heads: 2, width: 32, $4}]}
optimizer: {kind: adamw, lr: 0.005}
train: {batch: 16, steps: $5, shards: 2, eval_every: 0, log_every: 100}
END
}
recipe char char.h5 24 'bias: false' 300
recipe byte byte.h5 40 'positions: rotary' 300
recipe bytes bytes.h5 16 'dropout: 0.5' 20
for ranks in 1 2; do
    run "$ranks" train char.yaml --run "char-$ranks"
    expect_code 0 "a model of characters on $ranks ranks"
done
run 1 train byte.yaml --run byte
run 1 train bytes.yaml --run bytes
cat >lstm.yaml <<'END'
data: {file: char.h5, context: 24, windows: stream}
model: {layers: [rnn: {layers: 1, width: 48}]}
optimizer: {kind: adam, lr: 0.01, clip_norm: 1}
train: {batch: 8, steps: 300, eval_every: 0}
END
run 1 train lstm.yaml --run lstm
expect_code 0 "a recurrent model"

# text NAME ARGUMENT…: what sample writes, in NAME.txt
text() {
    local name=$1
    shift
    run 1 sample "$@"
    cp "$out" "$name.txt"
    if [[ $code != 0 || -s $err ]]; then fail "sample $*: exit code $code" && show "$err"; fi
}
same() { if [[ -s $1.txt ]] && cmp -s "$1.txt" "$2.txt"; then pass "$3"; else fail "$3" && show "$1.txt" "$2.txt"; fi; }
differ() { if [[ -s $1.txt && -s $2.txt ]] && ! cmp -s "$1.txt" "$2.txt"; then pass "$3"; else fail "$3" && show "$1.txt" "$2.txt"; fi; }

# Far beyond the window, whose newest half is read again and again.
for name in char-1 byte lstm; do
    text periodic "$name" --prompt $'defg größte 日本 😀\nabcdefg größte 日' --tokens 400 --temperature 0
    if "$python" - <<'END'; then pass "$name goes on with the period"; else fail "$name goes on otherwise" && show periodic.txt; fi
line, text = "abcdefg größte 日本 😀\n", open("periodic.txt", "rb").read().decode(errors="ignore")
assert len(text) > 200 and (line * 40)[3:].startswith(text), text
END
done
text hot char-1 --temperature 0 --tokens 60
text one char-1 --top-k 1 --tokens 60 --temperature 3
same hot one "the likeliest alone is the likeliest"
text nucleus char-1 --top-p 0.00001 --tokens 60 --temperature 3
same hot nucleus "so is the smallest nucleus"
text exact char-1 --temperature 0 --tokens 60 --weights=float32
same hot exact "and that of weights that are not rounded"

text seed1 char-1 --temperature 2 --seed 11
text again char-1 --temperature 2 --seed 11
text ranks char-2 --temperature 2 --seed 11
text seed2 char-1 --temperature 2 --seed 12
same seed1 again "the same seed, the same text"
same seed1 ranks "whatever number of ranks trained the model"
differ seed1 seed2 "another seed, another text"
[[ $("$python" -c 'print(len(open("seed1.txt").read()))') == 500 ]] || fail "not 500 characters"
text checkpoint char-1/checkpoints/step-000000300.h5 --temperature 2 --seed 11
same seed1 checkpoint "a run is its newest checkpoint"

# Several texts: the first is the one alone, all are the same among more.
text three char-1 --temperature 2 --seed 11 --tokens 90 --samples 3
text twenty char-1 --temperature 2 --seed 11 --tokens 90 --samples 20
text alone char-1 --temperature 2 --seed 11 --tokens 90
if "$python" - <<'END'; then pass "texts are independent of each other"; else fail "texts among others" && show three.txt; fi
import re

three, twenty = (re.split(r"\n?==> sample \d+ <==\n", open(name).read())[1:] for name in ("three.txt", "twenty.txt"))
assert len(three) == 3 and len(twenty) == 20 and len(set(twenty)) == 20
assert [text.rstrip("\n") for text in three] == [text.rstrip("\n") for text in twenty[:3]]
assert three[0].rstrip("\n") == open("alone.txt").read().rstrip("\n")
END

# Prompts: shown as they are, from a file, longer than the window, empty, of half a character.
printf 'efg größte 日本 😀\nabcdefg größte 日本 😀\nabc' >prompt
text file char-1 --prompt-file prompt --tokens 8 --temperature 0
is() { if [[ $1 == "$2" ]]; then pass "$3"; else fail "$3: $1, not $2"; fi; }
is "$(cat file.txt)" "$(cat prompt)defg grö" "a prompt of a file"
"$dtrain" sample char-1 --prompt-file - --tokens 8 --temperature 0 <prompt >stdin.txt
same file stdin "and of standard input"
text none char-1 --tokens 0 --prompt 'abc'
is "$(cat none.txt)" abc "a prompt and no tokens"
text empty char-1 --tokens 5 --temperature 0
is "$(cat empty.txt)" abcde "an empty prompt begins a line"
printf 'gr\xc3' >half
text half byte --prompt-file half --tokens 3 --temperature 0
is "$(cat half.txt)" größ "half a character is made whole"

# Whole characters at each write, where the model makes characters; else its bytes, all of them.
if "$python" - "$dtrain" byte <<'END'; then pass "every piece of the stream is whole characters"; else fail "a piece of the stream"; fi
import os, subprocess, sys

# A pipe in packet mode keeps the pieces of a stream apart.
read, write = os.pipe2(os.O_DIRECT)
process = subprocess.Popen([sys.argv[1], "sample", sys.argv[2], "--tokens", "300", "--temperature", "0"], stdout=write)
os.close(write)
pieces = []
while piece := os.read(read, 65536):
    pieces.append(piece)
assert process.wait() == 0 and len(pieces) > 100, len(pieces)
for piece in pieces[:-1]:
    piece.decode()
END
text noise bytes --tokens 3000 --temperature 5
is "$(stat -c %s noise.txt)" 3000 "bytes that are no characters are all there"
"$python" - <<'END' || fail "the noise is UTF-8, so that was no test"
try:
    open("noise.txt", "rb").read().decode()
except UnicodeDecodeError:
    raise SystemExit(0)
raise SystemExit(1)
END

# On a terminal what would control it is shown, as a stranger's vocabulary may have anything in it.
if "$python" - "$dtrain" bytes <<'END'; then pass "a terminal obeys no token"; else fail "a terminal obeys tokens"; fi
import os, pty, subprocess, sys

ours, theirs = pty.openpty()
command = [sys.argv[1], "sample", sys.argv[2], "--tokens", "3000", "--temperature", "5", "--samples", "2"]
process = subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL)
os.close(theirs)
seen = b""
try:
    while piece := os.read(ours, 65536):
        seen += piece
except OSError:
    pass
assert process.wait() == 0 and len(seen) > 6000, len(seen)
assert b"\\x1b" in seen and not set(seen) & (set(range(32)) - set(b"\t\r\n")), seen
END

# Who has enough closes the pipe; who asks for figures gets a line.
"$dtrain" sample char-1 --tokens 1000000000 2>"$err" | head -c 100 >"$out"
code=${PIPESTATUS[0]}
expect_code 0 "a reader that has enough"
is "$(stat -c %s "$out")" 100 "which has it"
[[ ! -s $err ]] || fail "which is told of: $(cat "$err")"
run 1 sample char-1 --tokens 40 --stats
expect_in "$err" '^sample: 40 tokens, [0-9]+ tokens/s$' "figures"
"$dtrain" sample char-1 --tokens 40 >/dev/full 2>"$err"
code=$?
expect_bad 1 'the text cannot be written: No space left' "a full disk"

# What is wrong: of the command line …
while IFS='|' read -r arguments regex; do
    # shellcheck disable=SC2086  # words
    run 1 sample $arguments
    expect_bad 2 "$regex" "sample $arguments"
done <<'END'
|sample needs a checkpoint
char-1 char-2|two checkpoints, char-1 and char-2
char-1 --tokens -1|--tokens is "-1"; it must be a number of tokens
char-1 --tokens 1.5|--tokens is "1.5"
char-1 --tokens|--tokens needs a value
char-1 --samples 0|--samples is "0"; it must be a number of texts, at least 1
char-1 --samples many|--samples is "many"
char-1 --temperature -0.1|--temperature is "-0.1"; it must be a number, at least 0
char-1 --temperature nan|--temperature is "nan"
char-1 --temperature inf|--temperature is "inf"
char-1 --temperature 1x|--temperature is "1x"
char-1 --top-k -3|--top-k is "-3"
char-1 --top-p 0|--top-p is "0"; it must be a number above 0 and at most 1
char-1 --top-p 1.1|--top-p is "1.1"
char-1 --top-p=|--top-p is ""
char-1 --seed x|--seed is "x"
char-1 --seed 99999999999999999999|--seed is "99999999999999999999"
char-1 --weights fp16|--weights is "fp16"; it must be bf16 or float32
char-1 --prompt a --prompt-file prompt|--prompt and --prompt-file: give one
char-1 --speed 3|sample has no option --speed
END
# … of the prompt …
run 1 sample char-1 --prompt 'größte Straße'
expect_bad 1 'the prompt: the character U\+0053 at offset 9 is not in the vocabulary of [0-9]+ characters' "an unknown character"
run 1 sample char-1 --prompt-file half
expect_bad 1 'the prompt: the byte 0xc3 at offset 2 does not belong' "half a character for a model of characters"
run 1 sample char-1 --prompt-file missing.txt
expect_bad 1 'prompt-file: missing.txt: cannot open: No such file' "no such file"
# … and of the checkpoint.
run 1 sample missing
expect_bad 1 'missing: no such checkpoint or run directory' "no such run"
mkdir -p nothing/checkpoints
run 1 sample nothing
expect_bad 1 'nothing: no checkpoint here yet' "a run without a checkpoint"
run 1 sample char.h5
expect_bad 1 'char.h5' "a file that is no checkpoint"
"$python" - <<'END'
import h5py, shutil

shutil.copy("char-1/checkpoints/step-000000300.h5", "damaged.h5")
with h5py.File("damaged.h5", "a") as file:
    file["weights/embedding1/w"][3, 5] += 1
END
run 1 sample damaged.h5
expect_bad 1 'damaged.h5: /weights/embedding1/w does not match its hash' "a damaged checkpoint"
[[ ! -s $out ]] || fail "a damaged checkpoint gives text"

# other NAME <RECIPE: a checkpoint of another kind of model, and a text of it
other() {
    cat >"$1.yaml"
    run 1 train "$1.yaml" --run "$1" --set train.steps=2
    expect_code 0 "a model: $1"
    run 1 sample "$1"
}
need_data
other picture <<END
data: {file: $data}
model: {layers: [flatten, dense: 10]}
train: {batch: 10}
END
expect_bad 1 'picture/checkpoints/step-000000002.h5: its model was not trained on text' "a model of pictures"
other masked <<'END'
data: {file: char.h5, context: 8, objective: masked}
model: {layers: [bert: {layers: 1, heads: 2, width: 16}]}
train: {batch: 10}
END
expect_bad 1 'does not predict the next token \(data.objective is masked\)' "a model of masked tokens"
other both_ways <<'END'
data: {file: char.h5, context: 8}
model: {layers: [embedding: 16, attention: {heads: 2, causal: false}, unembed: embedding1]}
train: {batch: 10}
END
expect_bad 1 'attention1: attention looks at more than one position' "a model that looks ahead"
finish
