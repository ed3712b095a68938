#!/usr/bin/env bash
# launch/sge.sh, pbs.sh and lsf.sh with commands that stand in for qsub, qstat and bsub and do with a job what these would,
# once each: a job ends before its time, comes back, and comes to the end of the run nobody stopped. No scheduler is tried.
. "$(dirname "$0")/../support/lib.sh"
need_data
need_open_mpi 4 "mpirun takes the ranks it is told"
export DTRAIN=$dtrain OMPI_MCA_rmaps_base_oversubscribe=1
recipe=$source/launch/recipes/fashion-mlp.yaml
layers=$build/tests/layers.so
[[ -f $layers ]] || give_up "no $layers; build first"
arguments=("$recipe" --set "data.file=$data" --set train.shards=2 --set train.eval_every=never --set train.steps=400)
run 1 train "${arguments[@]}" --run whole
digest=$(last_value digest)

# The first job of each waits in the middle of a step until it is warned, however fast the machine is: at a gate that the second finds gone.
export DTRAIN_GATE_LAYER="0 200 $work/gate" LD_PRELOAD=$layers
mkdir bin
cat >bin/qsub <<'END'
#!/usr/bin/env bash
# As PBS: a script with directives, the submitter's environment with -V, output where the script sends it. The first job is told that
# it has a second, whatever was asked for.
script=${!#}
grep -qx '#PBS -V' "$script" && grep -q '^#PBS -l walltime=' "$script" || exit 9
echo >>submitted
[ "$(wc -l <submitted)" -lt 2 ] || rm -f gate
PBS_JOBID=$(wc -l <submitted).here PBS_O_WORKDIR=$PWD PBS_NODEFILE=$PWD/nodes bash "$script" </dev/null >>spool 2>&1 &
END
cat >bin/qstat <<'END'
#!/bin/sh
[ "$(wc -l <submitted)" -lt 2 ] && echo "    Resource_List.walltime = 00:00:01" || echo "    Resource_List.walltime = 01:00:00"
END
cat >bin/bsub <<'END'
#!/usr/bin/env bash
# As LSF: options, then the command; -wa's signal comes before the end, and exit code -Q brings the job back.
while [[ $1 == -* ]]; do
    case $1 in -wa) signal=$2 ;; -Q) back=$2 ;; -r) shift && continue ;; esac
    shift 2
done
for attempt in 1 2 3; do
    echo >>attempts
    LSB_JOBID=7 LS_SUBCWD=$PWD LSB_DJOB_NUMPROC=$((3 - (attempt > 1))) LSB_MCPU_HOSTS="$(hostname) 2" "$@" >>lsf.out 2>&1 &
    job=$!
    if ((attempt == 1)); then
        until [ -e gate.reached ]; do kill -0 "$job" && sleep 0.05 || break; done
        kill "-$signal" "$job"
        rm gate
    fi
    while kill -0 "$job" 2>/dev/null; do wait "$job"; done
    wait "$job"
    code=$?
    [[ $code == "$back" ]] || exit "$code"
done
END
chmod +x bin/*
PATH=$work/bin:$PATH
export PATH

printf '%s\n' "$(hostname)" "$(hostname)" >nodes
touch gate
"$source/launch/pbs.sh" "${arguments[@]}" --set train.log_every="20 steps" --run 'pbs run'
until_true 120 grep -qs '^done run=' dtrain.out || fail "PBS: no end"
expect_in dtrain.out "^done run=pbs run step=400 .* ranks=2 .* digest=$digest" "PBS: the digest of the run nobody stopped"
expect_in dtrain.out 'submitted again' "PBS: submitted again when its walltime was over"
[[ $(wc -l <submitted) == [23] ]] || fail "PBS: $(wc -l <submitted) jobs"
[[ ! -s spool ]] || { fail "PBS: what the job says is not in dtrain.out" && show spool; }

rm -f gate.reached
touch gate
DTRAIN_BSUB="-q night -W 4:00" "$source/launch/lsf.sh" "${arguments[@]}" --set train.log_every="20 steps" --set train.shards=3 --run lsf >"$out" 2>"$err"
code=$?
expect_code 0 "LSF: to the end"
expect_in lsf.out '^stopped run=lsf .*ended=signal .* ranks=3 ' "LSF: warned, it saves"
expect_in lsf.out '^done run=lsf step=400 .* ranks=2 ' "LSF: and comes back on other ranks"

# Grid Engine runs a copy, gives it its arguments, and takes 99 for a job that is to run again.
sge() { # SLOTS
    env --default-signal=INT JOB_ID=5 SGE_O_WORKDIR="$work" DTRAIN_LAUNCH="$source/launch" NSLOTS="$1" SGE_TASK_ID=undefined PE_HOSTFILE="$work/pe" \
        bash copy "${arguments[@]}" --set train.log_every="20 steps" --run sge >>sge.out 2>&1 </dev/null &
    job=$!
}
cp "$source/launch/sge.sh" copy
echo "$(hostname) 2 all.q@here UNDEFINED" >pe
rm -f gate.reached
touch gate
sge 2
until_true 120 test -e gate.reached || fail "Grid Engine: no step"
kill -USR1 "$job"
rm gate
await
if [[ $code == 99 ]]; then pass "Grid Engine: warned, it asks to run again"; else fail "Grid Engine: exit code $code, not 99" && show sge.out; fi
sge 1
await
expect_code 0 "Grid Engine: to the end"
expect_in sge.out "^done run=sge step=400 .* ranks=1 .* digest=$digest" "Grid Engine: the digest of the run nobody stopped"
# A time that is over before the run begins: two jobs ask for another, the third gives up; one that begins wipes it out.
export DTRAIN_END_TIME=1
for turn in 1 2; do
    sge 2
    await
    [[ $code == 99 ]] || fail "Grid Engine: job $turn without time ends with $code, not 99"
done
[[ $(cat .dtrain-unbegun-*) == 2 ]] || fail "two jobs that began nothing are not counted"
sge 2
await
expect_code 1 "Grid Engine: the third job in a row that makes no step"
expect_in sge.out 'the third job in a row that was over before the run.s first step; giving up' "says why it is the last"
sge 2
await
[[ $code == 99 ]] || fail "who starts it again gets three more: $code"
unset DTRAIN_END_TIME
sge 2
await
expect_code 0 "Grid Engine: with time, to the end"
compgen -G '.dtrain-unbegun-*' >/dev/null && fail "a count is left behind"
finish
