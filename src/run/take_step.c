/* A step as a whole. Every rank computes the gradients of its shards of the global batch, the gradients are summed over
 * all ranks, and every rank makes its part of the same update. */
#include <stdio.h>

#include "step.h"
#include "use/computed.h"

/* A rank's products failed: the step is nobody's, and no weight has changed. */
static dt_status not_computed(const dt_step *step) {
    dt_status found = dt_computed_everywhere(&step->session->ranks);
    char newest[64] = "there is no checkpoint yet";
    if (step->snapshot->step >= 0)
        snprintf(newest, sizeof newest, "the newest checkpoint is of step %lld", (long long)step->snapshot->step);
    return dt_fail(found.code, "step %lld: %s; %s", (long long)step->at.step, found.message, newest);
}

/* The gradient of the global batch: the sum over the shards of all ranks. */
static dt_status compute_gradient(dt_step *step, dt_trainee *trainee) {
    for (bool redo = true; redo;) {
        dt_step_clear(step, trainee);
        for (int64_t shard = step->first_shard; shard < step->end_shard; shard++) dt_step_shard(step, trainee, shard);
        DT_TRY(dt_step_reduce(step, trainee, &redo));
        if (dt_reduce_raised(trainee->reducer, DT_FLAG_FAILED) > 0) return not_computed(step);
    }
    return dt_ok();
}

dt_status dt_step_take(dt_step *step, dt_trainee *trainee, bool *again) {
    bool skip = dt_ledger_skips(step->ledger, step->at.step);
    if (trainee->privacy)
        DT_TRY(dt_privacy_begin(trainee->privacy, step->course->samples, step->at.step, trainee->weights,
                                trainee->table->total));
    if (skip)
        dt_step_clear(step, trainee);
    else
        DT_TRY(compute_gradient(step, trainee));
    if (!skip && dt_reduce_raised(trainee->reducer, DT_FLAG_NOT_FINITE) > 0) {
        DT_TRY(dt_step_not_finite(step, trainee, again));
        if (*again) return dt_ok();
        skip = true;
    }
    if (!skip) DT_TRY(dt_step_recheck(step, trainee));
    if (skip)
        dt_step_pass_over(step, trainee);
    else
        dt_step_update(step, trainee);
    if (trainee->privacy) DT_TRY(dt_privacy_end(trainee->privacy));
    dt_step_end(step, trainee, skip);
    return dt_ok();
}
