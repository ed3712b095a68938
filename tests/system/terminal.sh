#!/usr/bin/env bash
# On a terminal there is one live line; mpirun alone, in a pipe or under a terminal, is not mistaken for one.
. "$(dirname "$0")/../support/lib.sh"
need_data
export DTRAIN=$dtrain MPIEXEC_TIMEOUT=$limit

arguments=(train --set "data.file=$data" --set train.epochs=2 --set checkpoint.every=500)
live=$'\r\x1b\\[Kepoch [0-9.]+/2  step [0-9]+/3750  loss [0-9.]+  [0-9]+ samples/s  [0-9:]+ left'

script -qec "$source/launch/local.sh -n 2 ${arguments[*]} --run local" /dev/null >"$out" 2>"$err" </dev/null
expect_in "$out" "$live" "a live line with epoch, step, loss, samples/s and time left (local.sh)"
script -qec "$mpirun -n 2 $dtrain ${arguments[*]} --run mpirun" /dev/null >"$out" 2>"$err" </dev/null
expect_in "$out" "$live" "a live line (mpirun)"
expect_in "$out" 'left  saved 0:[0-9]+ ago' "once there is a checkpoint, how old it is"
expect_in "$out" '^(.*\[K)?done run=mpirun .*digest=' "and the last line on a line of its own"
script -qec "stty cols 40; $mpirun -n 2 $dtrain ${arguments[*]} --set train.epochs=1 --run narrow" /dev/null >"$out" 2>"$err" </dev/null
"$python" - "$out" <<'END' || fail "on a narrow terminal the live line is longer than a line"
import re, sys

lines = re.findall(rb"\r\x1b\[K(epoch [^\r\n\x1b]*)", open(sys.argv[1], "rb").read())
live = [line for line in lines if b"  step " in line]
sys.exit(not live or max(map(len, live)) > 39)
END

# plain WHAT: a whole run's output, and no control characters in it
plain() {
    grep -q '^done run=' "$out" || fail "$1: no end"
    if LC_ALL=C grep -q $'[\x01-\x09\x0b-\x1f\x7f]' "$out"; then fail "$1: control characters"; else pass "$1"; fi
}
"$source/launch/local.sh" -n 2 "${arguments[@]}" --run pipe1 2>"$err" </dev/null | cat >"$out"
plain "local.sh in a pipe"
"$mpirun" -n 2 "$dtrain" "${arguments[@]}" --run pipe2 2>"$err" </dev/null | cat >"$out"
plain "mpirun in a pipe"
script -qec "$mpirun -n 2 $dtrain ${arguments[*]} --run file >$out" /dev/null >/dev/null </dev/null
plain "mpirun on a terminal, its output in a file"
"$dtrain" "${arguments[@]}" --run alone >"$out" 2>"$err" </dev/null
plain "one rank without mpirun"
finish
