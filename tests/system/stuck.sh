#!/usr/bin/env bash
# A rank that no longer moves ends the job within train.timeout, and is named; the run goes on afterwards.
. "$(dirname "$0")/../support/lib.sh"
need_data

for victim in 0 2; do
    start 3 train --set "data.file=$data" --set train.epochs=500 --set train.timeout=2 --set checkpoint.every="100 steps" \
        --set train.log_every="20 steps" --run "stuck$victim"
    until_true 30 has_steps "stuck$victim" 200 || fail "it does not get going"
    until_true 30 has_checkpoint "stuck$victim" || fail "it has no checkpoint"
    stopped=$(rank_pid "$victim")
    kill -STOP "$stopped"
    await
    expect_code 1 "rank $victim stopped"
    expect_in "$err" "no progress for .* held up by rank $victim \(stopped while " "the stopped rank is named"
    kill -KILL "$stopped" 2>/dev/null
done
# From the very start, in whatever state a rank is, and for a command that has no steps.
export DTRAIN_LAUNCH_TIMEOUT=3
for command in train eval; do
    options=(train --set "data.file=$data" --set train.timeout=3 --set train.epochs=500 --run early)
    [[ $command == train ]] || options=(eval stuck2 --data "$data" --split train)
    start 3 "${options[@]}"
    until_true 30 rank_pid 1
    stopped=$(rank_pid 1)
    kill -STOP "$stopped"
    await
    # mpirun 4.1.4 may itself crash when a rank ends inside MPI_Init: any code but success and ours for a hang
    ((code == 139)) && code=1
    expect_code 1 "$command: a rank stopped at its start"
    expect_in "$err" "ranks did not all start|held up by rank 1 \(stopped while " "$command says so"
    kill -KILL "$stopped" 2>/dev/null
done
unset DTRAIN_LAUNCH_TIMEOUT

run 2 train --set "data.file=$data" --set train.epochs=500 --set train.stop_after=10 --set train.timeout=3 --run stuck2
expect_code 75 "and the run goes on"
expect_in "$out" 'going on from stuck2/checkpoints/' "from its checkpoint"
finish
