/* The training loop: step after step, or with sites round after round, and what follows each. */
#include "base/log.h"
#include "base/stop.h"
#include "rounds.h"
#include "step.h"

/* All ranks know that training has failed; the checkpoint in flight is of a step before. */
static void keep_last(dt_run *run) {
    dt_status status = dt_run_finish_checkpoint(run);
    if (status.code != DT_OK && run->session.first) dt_log_warn("%s", status.message);
}

/* *again: the run went back to its newest checkpoint instead, and stands there. */
static dt_status train_step(dt_run *run, bool *again) {
    dt_step step =
        dt_step_begin(&run->session, &run->data, &run->course, &run->ledger, &run->clock, &run->snapshot, &run->limit);
    dt_status status = dt_step_take(&step, &run->trainee, again);
    if (*again && status.code == DT_OK) status = dt_run_roll_back(run);
    for (int i = 0; i < DT_FLAG_COUNT; i++) run->raised[i] = dt_reduce_raised(run->trainee.reducer, (dt_flag)i);
    dt_step_account(&step);
    return status;
}

/* A step, or with sites a round, which may be `left`. */
static dt_status advance(dt_run *run, bool *again, bool *left) {
    return run->rounds ? dt_round_take(run, left) : train_step(run, again);
}

dt_status dt_run_take_step(dt_run *run) {
    bool again = false, left = false;
    DT_TRY(advance(run, &again, &left));
    return left ? dt_stop_status() : dt_ok();
}

dt_status dt_run_loop(dt_run *run, bool owes, dt_outcome *outcome) {
    bool stop = false;
    dt_status status = owes ? dt_run_catch_up(run) : dt_ok();
    while (status.code == DT_OK && !dt_run_is_finished(run) && !stop) {
        bool again = false, left = false;
        status = advance(run, &again, &left);
        if (again && status.code == DT_OK && dt_run_owes_evaluation(run)) status = dt_run_catch_up(run);
        if (again || status.code != DT_OK) continue;
        dt_progress_live(&run->progress);
        status = left ? dt_run_leave(run, &stop) : dt_run_after_step(run, &stop);
    }
    if (status.code == DT_ERR_DIVERGED) keep_last(run);
    dt_session_note(&run->session, DT_ACTIVITY_END, run->ledger.position.step);
    dt_log_live(NULL);
    *outcome = stop ? DT_OUTCOME_STOPPED : DT_OUTCOME_DONE;
    return status;
}
