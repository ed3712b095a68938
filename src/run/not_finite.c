/* What to do about a loss or gradient that is no number (train.not_finite): stop, pass the step over, or go back to the
 * last checkpoint and pass it over then. All ranks learn of it with the gradient and decide alike; what was passed over
 * is part of the trained state. Whatever the policy, the cause is named (use/cause.c). */
#include <math.h>
#include <stdio.h>

#include "base/log.h"
#include "step.h"
#include "use/cause.h"

/* What is wrong with the sample at `position` of the global batch; false when nothing is before the loss. */
static bool find_cause(const dt_step *step, dt_trainee *trainee, int64_t position, char *out, size_t size) {
    const dt_source *train = &step->data->train;
    int64_t row = dt_sampler_index(&step->order, step->at.sample + position);
    trainee->batch.first = (uint64_t)position;
    dt_source_fetch(train, trainee->kernels, &step->data->scales, &step->augment, &row, 1, &trainee->batch);
    dt_suspect suspect = {.source = train,
                          .model = trainee->model,
                          .kernels = trainee->kernels,
                          .batch = &trainee->batch,
                          .place = dt_source_place(train, &step->augment, row)};
    dt_pass pass = {.training = true,
                    .seed = (uint64_t)step->session->recipe->seed,
                    .step = (uint64_t)step->at.step,
                    .weights = trainee->weights,
                    .weights16 = trainee->weights16};
    dt_recurrent_state_pass(&trainee->recurrent_state, &pass, position, trainee->batch.fresh);
    return dt_find_cause(&suspect, &pass, out, size);
}

/* The cause among this rank's samples, and the range of them it was found in. */
static void look_for_cause(const dt_step *step, dt_trainee *trainee, int64_t *from, int64_t *to, char *out,
                           size_t size) {
    int64_t offset, count, shards = step->course->shards;
    for (int64_t shard = step->first_shard; shard < step->end_shard; shard++) {
        dt_shard_range(step->rows, shards, shard, &offset, &count);
        *from = offset;
        *to = offset + count - 1;
        for (int64_t i = offset; i < offset + count; i++)
            if (find_cause(step, trainee, i, out, size)) return;
    }
    dt_shard_range(step->rows, shards, step->first_shard, from, &count);
    snprintf(out, size, "no value before it overflows: lower optimizer.lr or set optimizer.clip_norm");
}

/* Collective. What was not finite, told by the lowest rank that saw it. */
static dt_status describe(const dt_step *step, dt_trainee *trainee) {
    const dt_session *session = step->session;
    bool loss = step->ledger->local.not_finite > 0;
    const char *tensor = dt_reduce_not_finite(trainee->reducer);
    dt_status status = dt_ok();
    if (trainee->privacy && (loss || tensor))
        status = dt_fail(DT_ERR_DIVERGED,
                         "step %lld: the gradient is no longer a number; in which samples is not told of private ones. "
                         "Lower optimizer.lr",
                         (long long)step->at.step);
    else if (loss || tensor) {
        char cause[300];
        int64_t from = 0, to = 0;
        look_for_cause(step, trainee, &from, &to, cause, sizeof cause);
        status = dt_fail(
            DT_ERR_DIVERGED, "step %lld: the %s%s is no longer a number, in samples %lld to %lld of epoch %lld; %s",
            (long long)step->at.step, loss ? "loss" : "gradient of ", loss ? "" : tensor,
            (long long)(step->at.sample + from), (long long)(step->at.sample + to), (long long)step->at.epoch, cause);
        if (session->first && session->ranks.size > 1) status = dt_status_within(status, "rank 0");
    }
    return dt_session_agree(session, status);
}

static dt_status skip(const dt_step *step, dt_status found, bool sound) {
    if (!sound)
        return dt_fail(found.code, "%s; the update before left weights that are no numbers, so skipping cannot help",
                       found.message);
    if (step->ledger->skips.in_a_row >= DT_MAX_SKIPS)
        return dt_status_within(found, "after %d skipped steps", DT_MAX_SKIPS);
    if (step->session->first) dt_log_warn("%s; skipped (train.not_finite)", found.message);
    return dt_ok();
}

/* A step that found weights that are no numbers is not to blame, but the update before it. */
static dt_status roll_back(const dt_step *step, dt_status found, bool sound) {
    int64_t bad = step->at.step - !sound;
    while (bad > 0 && dt_ledger_skips(step->ledger, bad)) bad--;
    if (!dt_ledger_skip(step->ledger, bad)) return dt_status_within(found, "after %d rollbacks", DT_MAX_SKIPS);
    if (step->session->first)
        dt_log_warn("%s; rolling back, to skip step %lld (train.not_finite)", found.message, (long long)bad);
    return dt_ok();
}

dt_status dt_step_not_finite(dt_step *step, dt_trainee *trainee, bool *roll_back_now) {
    const dt_session *session = step->session;
    /* Of all replicas, for every rank is to decide alike; and looked at before what follows, where rank 0 loads
     * weights. */
    bool finite =
        isfinite(dt_grad_squares(trainee->kernels, trainee->table, trainee->weights, 0, trainee->table->total));
    bool sound = !dt_comm_any(session->comm, !finite);
    dt_session_note(session, DT_ACTIVITY_EVALUATE, step->at.step); /* sample by sample */
    dt_status found = describe(step, trainee);
    dt_session_note(session, DT_ACTIVITY_COMPUTE, step->at.step);
    dt_not_finite policy = (dt_not_finite)session->recipe->train.not_finite;
    *roll_back_now = policy == DT_NOT_FINITE_ROLLBACK;
    switch (policy) {
    case DT_NOT_FINITE_SKIP: return skip(step, found, sound);
    case DT_NOT_FINITE_ROLLBACK: return roll_back(step, found, sound);
    default: return found;
    }
}
