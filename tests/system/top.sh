#!/usr/bin/env bash
# dtrain top: on a terminal a page that fits it, follows the run and leaves all as it was; else one picture. It says what the
# run's files say, nothing of them reaches the terminal as it is, and it needs nothing of the processes of the run.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 200 64
run 2 train --run real --set train.chain=10 --set data.file=small.h5 --set "checkpoint.every=1 epoch" --set train.batch=20 --set train.epochs=3 --set train.log_every=1
expect_code 0 "a run"
digest=$(last_value digest)

run 1 top real
expect_code 0 "top of it"
cp "$out" picture
expect_in "$out" "^real  done \(epochs\), digest $digest$" "it is done, with its digest"
expect_in "$out" "^step 30/30  epoch 3.00  100 %" "all its steps"
expect_in "$out" "^checkpoint step 30, 0:[0-9]+ old, written in .* are kept$" "its newest checkpoint"
expect_in "$out" "^time .* compute [0-9]+ %" "where its time went"
link=$(grep '"series":"chain"' real/metrics.jsonl | tail -n 1 | sed -n 's/.*"link_high":\([0-9]*\),"link_low":\([0-9]*\).*/\1 \2/p')
# shellcheck disable=SC2086  # two numbers
expect_in "$out" "^chain  link 3, step 30: $(printf '%08x%08x' $link)$" "the newest link of its chain of digests"
run 2 train --run real --set train.chain=10 --set data.file=small.h5 --set "checkpoint.every=1 epoch" --set train.batch=20 --set train.epochs=4 --set train.log_every=1 --set train.audit=0.5
run 2 audit real --share 100%
run 1 top real
expect_in "$out" '^audits  50 % of the steps are computed by two ranks, and compared$' "live audits"
expect_in "$out" '^audited  1 times, 0 found something; last: all digests agree$' "and those afterwards"
printf '%s\n' '{"event":"audited","time":"2026-11-26T00:00:00Z","finding":"differs","from":7,"to":9}' >>real/journal.jsonl
run 1 top real
expect_in "$out" '^audited  2 times, 1 found something; last: digests differ, steps 7 to 9$' "with what they found"
run 1 top small.h5
expect_bad 1 "small.h5: not a run directory, but a file" "of a file"
run 1 top .
expect_bad 1 "not a run directory: there is no metrics.jsonl" "of another directory"
run 1 top nowhere
expect_bad 1 "nowhere: No such file" "of nothing"
run 1 top real --every never
expect_bad 2 '--every is "never"; it must be' "of no seconds"
run 1 top
expect_bad 2 'top needs a run directory' "without a run"

PYTHONPATH=$source/tests/support "$python" - "$dtrain" >"$out" 2>"$err" <<'END'
import json, os, re, signal, subprocess, sys

from terminal import Terminal

dtrain = sys.argv[1]
ascii, utf8 = {"LC_ALL": "C", "TERM": "xterm"}, {"LC_ALL": "C.UTF-8", "TERM": "xterm"}
wrong = 0


def check(good, what, *seen):
    global wrong
    wrong += not good
    print("ok   " if good else "FAIL ", what, *([] if good else seen))


def picture(run, columns=80, lines=24, **environment):
    done = subprocess.run([dtrain, "top", run], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=60,
                          env={**os.environ, **ascii, "COLUMNS": str(columns), "LINES": str(lines), **environment})
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def fits(text, columns, lines):
    rows = text.rstrip("\n").split("\n")
    return len(rows) <= lines and all(len(row) <= columns for row in rows)


def row(series, **figures):
    return json.dumps({"series": series, **figures}, separators=(",", ":")) + "\n"


def make(run, rows, events=()):
    os.makedirs(run + "/checkpoints", exist_ok=True)
    open(run + "/metrics.jsonl", "w").write("".join(rows))
    open(run + "/journal.jsonl", "w").write("".join(json.dumps(event) + "\n" for event in events))


def interval(step, loss, seconds=10.0):
    return row("train", step=step, epoch=step / 100, loss=loss, learning_rate=0.001, grad_norm=2, samples_per_s=64, tokens_per_s=None,
               input_mean=seconds / 10, compute_min=1, compute_mean=seconds * 0.6, compute_max=8, reduce_mean=seconds * 0.2,
               update_mean=seconds * 0.1)


# ---- one picture ----

for columns, lines in ((80, 24), (30, 10), (200, 60), (20, 3)):
    code, text, said = picture("real", columns, lines)
    check(code == 0 and fits(text, columns, lines) and text.isascii(), f"{columns} x {lines}: it fits, and is ASCII", code, said, text)
code, text, said = picture("real", LC_ALL="C.UTF-8")
check(re.search("[\u2801-\u28ff]", text) is not None and fits(text, 80, 24), "with UTF-8 the curve is of Braille patterns", text)
check("\x1b" not in text, "and nothing is styled where it is no terminal")

started = {"event": "started", "time": "2026-01-01T00:00:00Z", "total_steps": 1000, "ranks": 4, "shards": 4}
make("made", [interval(100 * i, 5 - i) for i in range(1, 5)] + [row("epoch", step=400, epoch=4, test_loss=1.25, test_accuracy=0.5)], [started])
code, text, said = picture("made")
check("step 400/1000" in text and " 40 % " in text, "how far it is", text)
figures = re.search(r"steps/s ([\d.]+)", text)
check(figures and abs(float(figures[1]) - 10) < 0.01, "its pace is that of all that took time", text)
curve = [line[10:] for line in text.split("\n") if re.match(r"[ \d.a-z]{9} [ *]*\*", line)]
ends = [curve[0].index("*"), max(curve[-1].rindex("*"), 0)]
columns_of_stars = [min(i for i, c in enumerate(line) if c == "*") for line in curve if "*" in line]
check(len(curve) > 5 and ends == [0, 69] and columns_of_stars == sorted(columns_of_stars), "a loss that falls evenly is a straight line", text)
check(text.find("4 ") >= 0 and re.search(r"^ +4 \*", text, re.M) and re.search(r"^ +1 ", text, re.M), "with its range beside it", text)
check("input 10 %  compute 60 %  reduce 20 %  update 10 %" in text, "phases are shares of the interval", text)
check("test_loss 1.25  test_accuracy 0.5000  best 1.25 at step 400" in text, "the last evaluation and the best", text)

make("infinite", [interval(1, 3), row("train", step=2, loss=None, loss_was="inf"), row("train", step=3, loss=None), interval(4, 1e300), interval(5, 1e-300)])
code, text, said = picture("infinite")
check(code == 0 and fits(text, 80, 24), "losses that are no numbers, and of any size", code, said, text)
make("new", [])
code, text, said = picture("new")
check(code == 0 and "no rows of metrics yet" in text and "no checkpoint yet" in text, "a run that has just begun", code, said, text)

# ---- what files say is not believed ----

bad = "\x1b[31mred\x07\x9b2J\u202eevil\u0000"
make("hos\x1btile", [interval(1, 2), "not a row\n", '{"series":"train"', "x" * 200000 + "\n", interval(2, 1), row("late", step=2, rank=-1e300, busy=1, busy_mean=0)],
     [started] + [{"event": "warning", "time": bad, "text": bad}] * 3 + [{"event": "ended", "outcome": bad, "why": bad, "digest": bad}, {"event": bad}])
code, text, said = picture("hos\x1btile", LC_ALL="C.UTF-8")
check(code == 0 and not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text), "no control character of a file is printed", code, repr(text))
check(re.search(r"3 x, last .*red", text) is not None and "3 warnings" in text, "a warning that comes again is counted", text)
os.mkdir("pipe")
os.mkfifo("pipe/metrics.jsonl")
code, text, said = picture("pipe")
check(code == 1 and re.search("metrics.jsonl.*pipe", said), "metrics that are a pipe are refused", code, said)

# ---- who is at it: a holder that cannot be asked is judged by its heartbeat ----


def beat(run, number):
    text = ("dtrain lock host else%swhere pid 1 started 1 boot 00000000-1111 space 1 job - since 2026-01-01T00:00:00Z lease %.3f token "
            "00000000000000aa beat %010d\n" % ("\x1b", 1.0, number))
    open(run + "/lock.new", "w").write(text)
    os.rename(run + "/lock.new", run + "/lock")


beat("made", 1)
code, text, said = picture("made")
check("held by else" in text and "\x1b" not in text and ", 4 ranks" in text, "one picture cannot tell", text)
check("1:00 left" in text, "the time left follows from pace and steps", text)

make("hosts", [interval(1, 2)] + [row("late", step=1, rank=rank, busy=busy, busy_mean=4) for rank, busy in ((3, 5), (0, 4.4), (99, 3))],
     [{**started, "hosts": "north (2), south (2)"}])
code, text, said = picture("hosts", columns=120)
check("late   rank 3 on south +25.0 %, rank 0 on north +10.0 %, rank 99 -25.0 %" in text, "late ranks and their hosts", text)

# ---- a page ----

page = Terminal([dtrain, "top", "made", "--every", "0.1"], 100, 30, utf8)
page.wait("a heartbeat that stands still", r"else\\x1bwhere is gone, without an end")
beat("made", 2)
page.wait("one that goes on", r"running on else\\x1bwhere")
with open("made/metrics.jsonl", "a") as file:
    file.write(interval(500, 0.5))
page.wait("a row that comes", "step 500/1000")
check(all(fits(text, 100, 30) for text in page.pages()), "pages fit 100 x 30", page.pages())
check(all(len(text.split("\n")) == 30 for text in page.pages()), "and fill it", page.pages()[-1])
page.resize(50, 12)
page.wait("another size", "q leaves")
check(fits(page.pages()[-1], 50, 12), "of another size it is drawn anew", page.pages()[-1])
page.type(b"x")
page.type(b"q")
check(page.end() == 0 and page.becomes_restored(), "q leaves, and the terminal is as it was", page.said[-200:])

page = Terminal([dtrain, "top", "real"], 80, 24, ascii)
page.wait("a page", "q leaves")
check(all(text.isascii() for text in page.pages()), "without UTF-8 pages are ASCII")
check(page.settings[3] != 0 and not page.restored(), "(the terminal is ours meanwhile)")
page.type(b"\x1a")
page.until_stopped()
check(page.becomes_restored(), "job control finds the terminal as it was", page.said[-200:])
page.mark = len(page.said)
page.signal(signal.SIGCONT)
page.wait("going on", "q leaves")
check(not page.restored(), "and it goes on")
page.type(b"\x03")
check(page.end() == 0 and page.becomes_restored(), "so does Ctrl-C leave", page.said[-200:])

page = Terminal([dtrain, "top", "real"], 80, 24, ascii)
page.wait("a page", "q leaves")
page.signal(signal.SIGTERM)
check(page.end() == 128 + signal.SIGTERM and page.becomes_restored(), "and SIGTERM, with its exit code", page.said[-200:])

page = Terminal([dtrain, "top", "made"], 80, 24, utf8)
page.wait("a page", "q leaves")
os.rename("made/metrics.jsonl", "made/old")
os.mkdir("made/metrics.jsonl")
check(page.end() == 1 and page.becomes_restored() and b"metrics.jsonl" in page.said[page.said.rfind(b"1049l") :], "an error is said on the first screen", page.said[-300:])

page = Terminal([dtrain, "top", "real"], 80, 24, {"TERM": "dumb", "LC_ALL": "C"})
check(page.end() == 0 and b"\x1b" not in page.said and b"done (epochs)" in page.said, "a terminal that can do nothing gets one picture", page.said)
sys.exit(wrong > 0)
END
code=$?
cat "$out"
failures=$((failures + $(grep -c '^FAIL' "$out")))
{ ((code < 2)) && [[ ! -s $err ]]; } || fail "the terminal: $(tail -n 3 "$err")"

# Ranks the others wait for.
layers=$build/tests/layers.so
[[ -f $layers ]] || give_up "no $layers; build first"
DTRAIN_SLOW_LAYER="1 40 2" LD_PRELOAD=$layers run 3 train --run late --set data.file=small.h5 --set train.batch=30 --set train.steps=4 --set train.log_every=2
expect_code 0 "a run with a slow rank"
run 1 top late
expect_in "$out" "^late   rank 2 on .* \+[0-9.]+ %, rank [01] on .* -[0-9.]+ %, " "the slow rank is the first of those that are late"

# While a run goes on, and from a pipe.
start 2 train --run live --set data.file=small.h5 --set train.batch=20 --set train.steps=100000000 --set train.log_every=10
until_true 60 has_steps live 100 || fail "the run did not begin"
"$dtrain" top live | cat >picture
expect_in picture "^live  running on .*, 2 ranks$" "a run that goes on"
expect_in picture "^step [0-9]+/100000000 .* left" "how far it is, and how long it takes"
kill -TERM "$job"
await
expect_code 75 "and it went on until it was stopped"
"$dtrain" top live >picture
expect_in picture "^live  stopped \(" "then it is stopped"
finish
