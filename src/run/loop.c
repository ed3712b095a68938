/* The training loop. Every rank computes the gradients of its shards of the global batch, the gradients are summed over
 * all ranks, and every rank makes its part of the same update. */
#include <stdio.h>

#include "base/log.h"
#include "run.h"
#include "step.h"
#include "use/computed.h"

/* A rank's products failed: the step is nobody's, and no weight has changed. */
static dt_status not_computed(const dt_run *run) {
    dt_status found = dt_computed_everywhere(&run->session.ranks);
    char newest[64] = "there is no checkpoint yet";
    if (run->snapshot.step >= 0)
        snprintf(newest, sizeof newest, "the newest checkpoint is of step %lld", (long long)run->snapshot.step);
    return dt_fail(found.code, "step %lld: %s; %s", (long long)run->ledger.position.step, found.message, newest);
}

/* The gradient of the global batch: the sum over the shards of all ranks. */
static dt_status compute_gradient(dt_run *run, dt_step *step) {
    dt_trainee *trainee = &run->trainee;
    for (bool redo = true; redo;) {
        dt_step_clear(step, trainee);
        for (int64_t shard = step->first_shard; shard < step->end_shard; shard++) dt_step_shard(step, trainee, shard);
        DT_TRY(dt_step_reduce(step, trainee, &redo));
        if (dt_reduce_raised(trainee->reducer, DT_FLAG_FAILED) > 0) return not_computed(run);
    }
    return dt_ok();
}

/* One step. *again: the run went back to its newest checkpoint instead, and stands there. */
static dt_status train_step(dt_run *run, dt_step *step, bool *again) {
    dt_trainee *trainee = &run->trainee;
    bool skip = dt_ledger_skips(&run->ledger, step->at.step);
    if (skip)
        dt_step_clear(step, trainee);
    else
        DT_TRY(compute_gradient(run, step));
    if (!skip && dt_reduce_raised(trainee->reducer, DT_FLAG_NOT_FINITE) > 0) {
        DT_TRY(dt_step_not_finite(step, trainee, again));
        if (*again) return dt_run_roll_back(run);
        skip = true;
    }
    if (skip)
        dt_step_pass_over(step, trainee);
    else
        dt_step_update(step, trainee);
    dt_step_end(step, trainee, skip);
    return dt_ok();
}

/* All ranks know that training has failed; the checkpoint in flight is of a step before. */
static void keep_last(dt_run *run) {
    dt_status status = dt_run_finish_checkpoint(run);
    if (status.code != DT_OK && run->session.first) dt_log_warn("%s", status.message);
}

static dt_step begin_step(dt_run *run) {
    return dt_step_begin(&run->session, &run->data, &run->course, &run->ledger, &run->clock, &run->snapshot,
                         &run->limit);
}

dt_status dt_run_take_step(dt_run *run) {
    dt_step step = begin_step(run);
    bool again = false;
    dt_status status = train_step(run, &step, &again);
    dt_step_account(&step);
    return status;
}

dt_status dt_run_loop(dt_run *run, bool owes, dt_outcome *outcome) {
    bool stop = false;
    dt_status status = owes ? dt_run_catch_up(run) : dt_ok();
    while (status.code == DT_OK && !dt_run_is_finished(run) && !stop) {
        dt_step step = begin_step(run);
        bool again = false;
        status = train_step(run, &step, &again);
        if (again && status.code == DT_OK && dt_run_owes_evaluation(run)) status = dt_run_catch_up(run);
        dt_step_account(&step);
        if (again || status.code != DT_OK) continue;
        dt_progress_live(&run->progress);
        status = dt_run_after_step(run, &stop);
    }
    if (status.code == DT_ERR_DIVERGED) keep_last(run);
    dt_session_note(&run->session, DT_ACTIVITY_END, run->ledger.position.step);
    dt_log_live(NULL);
    *outcome = stop ? DT_OUTCOME_STOPPED : DT_OUTCOME_DONE;
    return status;
}
