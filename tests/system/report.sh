#!/usr/bin/env bash
# The report of a run: a page whose numbers are those of the metrics, in which nothing that files say becomes an element, made at
# the end of a run and while it goes on.
. "$(dirname "$0")/../support/lib.sh"

need_data
cut_data small.h5 4000 500
reader=$source/tests/support/read_report.py
settings=(--set data.file=small.h5 --set train.log_every=1 --set train.shards=2 --set train.epochs=2 --set 'checkpoint.every=1 epoch')

reads() { # reads WHAT REPORT RUN…
    local what=$1
    shift
    if "$python" "$reader" check "$@" >figures 2>&1; then pass "$what: $(cat figures)"; else fail "$what: $(tail -n 3 figures)"; fi
}
at_most() { # at_most BYTES FILE
    local bytes
    bytes=$(wc -c <"$2")
    if ((bytes <= $1)); then pass "$2 has $bytes bytes"; else fail "$2 has $bytes bytes, more than $1"; fi
}

run 2 train "${settings[@]}" --run one --set train.log_every=4 --set train.stop_after=100
run 2 train "${settings[@]}" --run one --set train.log_every=4
expect_code 0 "a run with a stop amid"
digest=$(last_value digest)
reads "its report" one/report.html one
at_most 300000 one/report.html
expect_in one/report.html 'Best test accuracy <strong>' "it says how good the run became"
expect_in one/report.html "<code>$digest</code>" "its digest"
expect_in one/report.html 'Done: all epochs were made' "and how it ended"
expect_in one/report.html '"starts":\[0,100\]' "where it was started again"
expect_in one/report.html '"checkpoints":\[100,125,250\]' "and where checkpoints are"
expect_in one/report.html 'mpirun -n 2 dtrain train one/recipe.yaml --run one-again' "and what repeats it"
command=$(sed -n 's/.*<pre class="\?command"\?>mpirun -n 2 dtrain \(.*\)<\/pre>.*/\1/p' one/report.html)
# shellcheck disable=SC2086  # its words
run 2 $command
expect_in "$out" "digest=$digest" "which does"

run 1 eval one --json one/evaluation.json
mkdir one/samples && echo 'once upon a time' >one/samples/step-100.txt
run 1 train "${settings[@]}" --run two --set optimizer.lr=0.003 --set train.epochs=1 --set 'model.layers=[flatten, {dense: {out: 16, activation: gelu}}, {dense: 10}]' --set train.chain=10 --set train.audit=0.1
audits=$(last_value audits)
expect_in two/report.html "<dt>Audits</dt><dd>$audits <small>steps computed again" "how many steps were audited"
link=$(grep '"series":"chain"' two/metrics.jsonl | tail -n 1 | sed -n 's/.*"link_high":\([0-9]*\),"link_low":\([0-9]*\).*/\1 \2/p')
# shellcheck disable=SC2086  # two numbers
expect_in two/report.html "<dt>Chain of digests</dt><dd><code>$(printf '%08x%08x' $link)</code> <small>link 12, step 120</small>" "the newest link of the chain of digests"
if grep -q 'Chain of digests' one/report.html; then fail "a run without a link shows one"; else pass "a run without a link shows none"; fi
run 1 report one two -o both.html
expect_last 'report both.html' "a report of two"
reads "two runs in it" both.html one two
expect_in both.html '<code>optimizer.lr</code></th><td>0.001</td><td>0.003</td>' "fields that differ are beside each other"
expect_in both.html '<code>model.layers.1.dense.out</code></th><td>128</td><td>16</td>' "those of layers too"
expect_in both.html 'once upon a time' "and samples of text"
if grep -q '<code>seed</code>' both.html; then fail "a field that is alike is shown"; else pass "fields that are alike are not"; fi

# What others may have written. A page has two scripts of its own, and neither pictures nor links.
evil='<img src=x onerror=alert(1)></script><script>alert(2)</script>"'"'"'&'
cp -r one "evil ${evil//\//}"
printf '{"event":"warning","time":"2026-11-26T00:00:00Z","text":"%s","step":1}\n' '</li><script>alert(3)</script><u>\u2028' >>"evil ${evil//\//}/journal.jsonl"
printf 'name: "</pre><script>alert(4)</script>"\ndata: {file: "<svg onload=alert(5)>"}\n' >"evil ${evil//\//}/recipe.yaml"
printf '{"classes":[{"label":"</script><script>alert(6)</script>\u0007"}],"confusion":[[1]],"split":"<u>"}' >"evil ${evil//\//}/evaluation.json"
printf '</pre><iframe src=x></iframe>\033[31m\xff' >"evil ${evil//\//}/samples/step-9.txt"
run 1 report "evil ${evil//\//}" -o evil.html
expect_code 0 "a run with hostile texts"
reads "its report" evil.html "evil ${evil//\//}"
elements=$("$python" "$reader" elements evil.html)
case " $elements " in
*" script=2 "*) pass "no text became a script" ;;
*) fail "scripts: $elements" ;;
esac
if grep -qE ' (img|iframe|svg|u)=' <<<" $elements"; then fail "texts became elements: $elements"; else pass "nor another element"; fi
if LC_ALL=C grep -qP '\x1b|\xff' evil.html; then fail "a control character in a page"; else pass "nor do they have control characters"; fi

# Many rows, with peaks that one row has.
mkdir long
"$python" - <<'END'
import json, math, random

random.seed(5)
with open("long/metrics.jsonl", "w") as out:
    for step in range(1, 100001):
        loss = 2 / (1 + step / 5000) + 0.2 * random.random() + (50 if step == 61234 else 0)
        row = {"series": "train", "step": step, "epoch": step / 1875, "seconds": step * 0.01234567, "loss": loss, "learning_rate": 1e-3 * math.exp(-step / 1e5),
               "grad_norm": random.expovariate(1) + 1e-3, "samples_per_s": random.gauss(2e5, 1e4), "tokens_per_s": None, "perplexity": None}
        for phase in ("input", "compute", "reduce", "update"):
            t = random.random()
            row |= {f"{phase}_min": t, f"{phase}_mean": t * 1.1, f"{phase}_max": t * 1.3}
        row |= {"evaluate_mean": 0, "checkpoint_mean": 0, "memory_min": 1e8, "memory_mean": 1.1e8 + step, "memory_max": 1.2e8 + 2 * step}
        out.write(json.dumps(row, separators=(",", ":")) + "\n")
        if step % 1000 == 0:
            out.write(json.dumps({"series": "epoch", "step": step, "epoch": step / 1875, "train_loss": loss, "train_accuracy": 0.9, "test_loss": loss * 1.1,
                                  "test_accuracy": 0.5 + step / 3e5, "seconds": step * 0.01234567}) + "\n")
END
run 1 report long
expect_code 0 "a run of 100000 rows, without journal and recipe"
reads "its report" long/report.html long
at_most 1000000 long/report.html

# Rows that say little.
mkdir odd
printf '{"series":"train","step":5,"epoch":1,"seconds":3,"loss":null}\n{"event":1}\n{"series":"epoch","step":5}\n' >odd/metrics.jsonl
printf '{"event":"started"}\n{"event":"ended","outcome":"","step":null}\nnonsense\n' >odd/journal.jsonl
echo '[' >odd/recipe.yaml
run 1 report odd
expect_code 0 "a run whose losses are no numbers, and whose recipe is none"
reads "its report" odd/report.html odd

# While the run goes on, and where it cannot be.
start 2 train "${settings[@]}" --run live --set train.epochs=100000 --set report.every=50
if until_true 120 grep -q 'The run goes on' live/report.html; then pass "a report while the run goes on"; else fail "no report of a run that goes on"; fi
kill -TERM "$job"
await
expect_code 75 "that run"
expect_in live/report.html 'Stopped: it was told to stop' "its report at the end"
mkdir -p no/report.html no/checkpoints && touch no/.dtrain-run
run 1 train "${settings[@]}" --run no
expect_code 0 "a run whose report cannot be written"
expect_in "$err" 'report.html: .*the run goes on without its report' "says so"
run 1 train "${settings[@]}" --run none --set report.every=never
if [[ $code == 0 && ! -e none/report.html ]]; then pass "report.every: never"; else fail "report.every: never"; fi
run 1 train "${settings[@]}" --run sick --set optimizer.kind=sgd --set optimizer.lr=1e30
expect_code 1 "a run that fails"
expect_in sick/report.html 'Failed: ' "its report says why"

run 1 report
expect_bad 2 'needs a run directory' "no run"
run 1 report nowhere
expect_bad 1 'nowhere: No such file' "one that is not there"
mkdir empty
run 1 report empty
expect_bad 1 'not a run directory' "one that is none"
run 1 report one -o empty
expect_bad 2 'empty: .*a directory' "a page in the place of a directory"

# In a browser, where there is one: nothing is complained of, and what it shows at a point is that point's number.
browser=$(command -v chromium-headless-shell || command -v chromium || true)
if [[ -z $browser ]]; then
    lacks "the page in a browser: chromium is not installed"
    finish
fi
cat >point.html <<'END'
<script>
const plot = document.querySelector(".plot svg"), r = plot.getBoundingClientRect();
plot.dispatchEvent(new PointerEvent("pointermove", {clientX: r.left + r.width / 2, clientY: r.top + 50, bubbles: true}));
document.title = "shown: " + document.getElementById("tip").textContent;
</script>
END
for page in one/report.html both.html evil.html long/report.html; do
    cat "$page" point.html >shown.html
    if ! timeout 60 "$browser" --no-sandbox --disable-gpu --virtual-time-budget=3000 --enable-logging=stderr --dump-dom "file://$PWD/shown.html" >dom 2>said; then
        fail "$page in a browser"
    fi
    if grep CONSOLE said; then fail "$page: the browser complains (above)"; else pass "$page: the browser has nothing to say"; fi
    plots=$(grep -o '<figure class="plot' dom | wc -l)
    if ((plots >= 7)); then pass "$plots plots"; else fail "$plots plots in $page"; fi
done
"$python" - dom long <<'END' || fail "what is under the pointer"
import json, re, sys

shown = re.search(r"<title>shown: step ([\d\u202f]+).*?training(?: \(step ([\d\u202f]+)\))?([\d.e-]+)</title>", re.sub(r"test(?: \(step [\d\u202f]+\))?[\d.e-]+", "", open(sys.argv[1], encoding="utf-8").read()))
step = int((shown[2] or shown[1]).replace("\u202f", ""))
rows = {row["step"]: row["loss"] for row in map(json.loads, open(f"{sys.argv[2]}/metrics.jsonl")) if row["series"] == "train"}
assert rows[step] == float(shown[3]), (step, rows[step], shown[0])
print(f"ok    under the pointer is the number of step {step}: {shown[3]}")
END
finish
