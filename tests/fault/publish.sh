#!/usr/bin/env bash
# Every system call of one publication, on every rank, goes wrong in every way it can: afterwards the old or the new
# checkpoint loads and is whole, the program has ended and said why, and the next start goes on from there.
#   tests/fault/publish.sh [--waiting] [--all | --cases N] [--seed S]
# A counting run lists the calls; the cases are those × {kill, EIO, ENOSPC, short, torn, lie, …} (faultshim.c). By default
# they are of a publication beside the training, N = 110 of them, among them every kind of call with every fault on every
# rank; --all takes some minutes. With --waiting they are of one that all wait for, N = 15 taken by chance.
. "$(dirname "$0")/../support/lib.sh"

wanted=
way=beside
seed=1
while (($#)); do
    case $1 in
        --waiting) way=step ;;
        --all) wanted=1000000 ;;
        --cases) wanted=$2 && shift ;;
        --seed) seed=$2 && shift ;;
        *) give_up "publish.sh has no option $1" ;;
    esac
    shift
done

[[ $wanted ]] || wanted=$([[ $way == step ]] && echo 15 || echo 110)
dtrain=$build/tests/publish
shim=$build/tests/faultshim.so
directory=$work/checkpoints
log=$work/log
mkdir "$directory"

newest() { "$dtrain" check "$directory"; }

# What a job that was killed leaves behind, in the way of the next publication.
leave_behind() {
    local name
    printf -v name '%s/step-%09d.h5' "$directory" "$1"
    head -c 9000 "$name" >"$(printf '%s/step-%09d.h5.tmp' "$directory" $(($1 + 1)))"
}

# faulty RANKS REQUEST: one start that goes on from the newest checkpoint and publishes the next
faulty() {
    : >"$log"
    DTRAIN_FAULT="path=$directory $2" DTRAIN_FAULT_LOG=$log LD_PRELOAD=$shim run "$1" "$way" "$directory"
}

faults_of() {
    case $1 in
        write) echo kill EIO ENOSPC short torn lie ;;
        read) echo kill EIO short ;;
        truncate) echo kill EIO ENOSPC lie ;;
        open) echo kill EIO ENOSPC EACCES ;;
        *) echo kill EIO ENOSPC ;;
    esac
}

run 2 step "$directory" && run 3 step "$directory"
before=$(newest)
[[ $before == 2 ]] || give_up "two publications that nothing happens to: $before $(cat "$out" "$err")"

# Lines of cases: RANKS RANK NUMBER CALL FAULT
for ranks in 2 3; do
    leave_behind "$before"
    faulty "$ranks" ""
    before=$(newest)
    sort -k1,1n -k2,2n "$log" >calls
    for call in open write read sync rename unlink close; do
        grep -q "^0 [0-9]* $call " calls || fail "rank 0 makes no $call call that the shim sees"
    done
    echo "$ranks ranks: $(awk '{n[$1 " " $3]++} END {for (k in n) printf "%s %d, ", k, n[k]}' calls | tr , '\n' | sort |
        awk 'NF {s = s "  rank " $1 " " $2 " " $3} END {print s}')"
    while read -r rank number call _; do
        ((rank == 0 || rank == ranks - 1)) || continue
        for fault in $(faults_of "$call"); do echo "$ranks $rank $number $call $fault"; done
    done <calls >>all
done

# In random order, first one of each kind.
awk -v seed="$seed" 'BEGIN {srand(seed)} {print rand(), $0}' all | sort -k1,1g | cut -d' ' -f2- |
    awk '{print (kind[$1, $2, $4, $5]++ > 0), NR, $0}' | sort -k1,1n -k2,2n | cut -d' ' -f3- | head -n "$wanted" >cases
kinds=$(awk '{print $1, $2, $4, $5}' all | sort -u | wc -l)
cases=$(wc -l <cases)
[[ $way == step ]] || ((cases >= kinds)) || fail "$cases cases are fewer than the $kinds kinds of calls and faults"

killed() { # the rank and the signal are named
    ((code == 137)) && grep -q "rank $rank .*signal 9" "$err"
}
refused() { # one line says what failed
    ((code == 1)) && [[ $(wc -l <"$err") == 1 ]] && grep -q '^dtrain: ' "$err"
}

# The outcome of a case, or "bad: …". Of rank 0 it may be the child that was killed, which is refused.
judge() {
    grep -q "^$rank $number $call .* fault" "$log" || { echo "bad: the call was not reached"; return; }
    ((code != 124)) || { echo "bad: it did not end within $limit seconds"; return; }
    [[ $after == "$before" || $after == $((before + 1)) ]] || { echo "bad: the newest checkpoint is: $after"; return; }
    case $fault in
        kill | torn) killed || refused || { echo "bad: exit code $code, and not the rank and signal on standard error"; return; } ;;
        *)
            ((code == 0)) || refused || { echo "bad: exit code $code, and not one line on standard error"; return; }
            ((code != 0)) || [[ $after == $((before + 1)) ]] || { echo "bad: success without a new checkpoint"; return; }
            ((code == 0)) || [[ $fault != short ]] || { echo "bad: a short transfer was not continued"; return; }
            ;;
    esac
    printf '%s: exit code %d, %s checkpoint\n' "$fault" "$code" "$( ((after > before)) && echo new || echo old)"
}

while read -r ranks rank number call fault; do
    leave_behind "$before"
    faulty "$ranks" "rank=$rank nth=$number do=$fault"
    after=$(newest)
    outcome=$(judge)
    echo "$call $outcome" >>outcomes
    if [[ $outcome == bad:* ]]; then
        fail "$ranks ranks, $call (call $number) of rank $rank, $fault: ${outcome#bad: }" && show "$out" "$err"
    fi
    [[ $after =~ ^[0-9]+$ ]] || { rm "$directory"/* && run 2 step "$directory" && after=$(newest); }
    before=$after
done <cases
sort outcomes | uniq -c
[[ $(wc -l <outcomes) == "$cases" ]] || fail "not all of the $cases cases were tried"

# Calls in another order: one rank is late, and nothing else is wrong.
for ranks in 2 3; do
    for rank in 0 $((ranks - 1)); do
        faulty "$ranks" "rank=$rank nth=1+ do=delay call=write"
        expect_code 0 "rank $rank of $ranks is late"
        grep -q "^$rank [0-9]* write .* fault" "$log" || fail "rank $rank of $ranks was not late"
    done
done

# A directory that cannot be listed is not one without checkpoints.
before=$(newest)
for nth in 1 2 3 4; do
    faulty 2 "armed=1 rank=0 call=list nth=$nth do=EIO"
    expect_bad 1 "$directory: cannot be listed: Input/output error" "an error at entry $nth of the directory"
    [[ $(newest) == "$before" ]] || fail "after a directory that cannot be listed the newest checkpoint is $(newest)"
done

run 3 step "$directory"
expect_code 0 "a publication that nothing happens to, after all that"
left=$(cd "$directory" && ls)
[[ $(wc -l <<<"$left") == 2 && $left != *tmp* ]] || fail "in the directory are: $left"
pass "$cases of $(wc -l <all) cases, of $kinds kinds"
finish
