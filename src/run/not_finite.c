/* What to do about a loss or gradient that is no number (train.not_finite): stop, pass the step over, or go back to the
 * last checkpoint and pass it over then. All ranks learn of it with the gradient and decide alike; what was passed over
 * is part of the trained state. Whatever the policy, the cause is named (cause.c). In an evaluation there is no step to
 * pass over: the run stops, or the figures are those of the other samples. */
#include <math.h>
#include <stdio.h>

#include "base/log.h"
#include "run_internal.h"

/* What is wrong with the sample at `position` of the global batch; false when nothing is before the loss. */
static bool find_cause(dt_run *run, const dt_sampler *sampler, int64_t position, char *out, size_t size) {
    int64_t row = dt_sampler_index(sampler, run->position.sample + position);
    run->batch.first = (uint64_t)position;
    dt_augment augment = dt_augment_at(&run->recipe->data, run->recipe->seed, run->position.epoch);
    dt_source_fetch(&run->train, run->kernels, &run->scaling, &augment, &row, 1, &run->batch);
    dt_suspect suspect = {.source = &run->train,
                          .model = run->model,
                          .kernels = run->kernels,
                          .batch = &run->batch,
                          .place = dt_source_place(&run->train, &augment, row)};
    dt_pass pass = {.training = true,
                    .seed = (uint64_t)run->recipe->seed,
                    .step = (uint64_t)run->position.step,
                    .weights = run->weights,
                    .weights16 = run->weights16};
    dt_recurrent_state_pass(run, &pass, (int64_t)run->batch.first, run->batch.fresh);
    return dt_find_cause(&suspect, &pass, out, size);
}

/* The cause among this rank's samples, and the range of them it was found in. */
static void look_for_cause(dt_run *run, const dt_sampler *sampler, int64_t rows, int64_t *from, int64_t *to, char *out,
                           size_t size) {
    int64_t first, own, offset, count;
    dt_rank_shards(run->shards, dt_comm_size(run->comm), dt_comm_rank(run->comm), &first, &own);
    for (int64_t shard = first; shard < first + own; shard++) {
        dt_shard_range(rows, run->shards, shard, &offset, &count);
        *from = offset;
        *to = offset + count - 1;
        for (int64_t i = offset; i < offset + count; i++)
            if (find_cause(run, sampler, i, out, size)) return;
    }
    dt_shard_range(rows, run->shards, first, from, &count);
    snprintf(out, size, "no value before it overflows: lower optimizer.lr or set optimizer.clip_norm");
}

/* Collective. What was not finite, told by the lowest rank that saw it. */
static dt_status describe(dt_run *run, const dt_sampler *sampler, int64_t rows) {
    bool loss = run->local_tally.not_finite > 0;
    const char *tensor = dt_reduce_not_finite(run->reducer);
    dt_status status = dt_ok();
    if (loss || tensor) {
        char cause[300];
        int64_t from = 0, to = 0;
        look_for_cause(run, sampler, rows, &from, &to, cause, sizeof cause);
        status = dt_fail(DT_ERR_DIVERGED,
                         "step %lld: the %s%s is no longer a number, in samples %lld to %lld of epoch %lld; %s",
                         (long long)run->position.step, loss ? "loss" : "gradient of ", loss ? "" : tensor,
                         (long long)(run->position.sample + from), (long long)(run->position.sample + to),
                         (long long)run->position.epoch, cause);
        if (dt_comm_rank(run->comm) == 0 && dt_comm_size(run->comm) > 1) status = dt_status_within(status, "rank 0");
    }
    return dt_comm_agree(run->comm, status);
}

bool dt_run_skips(const dt_run *run, int64_t step) {
    for (int i = 0; i < DT_MAX_SKIPS; i++)
        if (run->skips.steps[i] == step + 1) return true;
    return false;
}

static dt_status skip(dt_run *run, dt_status found, bool sound) {
    if (!sound)
        return dt_fail(found.code, "%s; the update before left weights that are no numbers, so skipping cannot help",
                       found.message);
    if (run->skips.in_a_row >= DT_MAX_SKIPS) return dt_status_within(found, "after %d skipped steps", DT_MAX_SKIPS);
    if (dt_comm_rank(run->comm) == 0) dt_log_warn("%s; skipped (train.not_finite)", found.message);
    return dt_ok();
}

/* A step that found weights that are no numbers is not to blame, but the update before it. */
static dt_status roll_back(dt_run *run, dt_status found, bool sound) {
    int64_t bad = run->position.step - !sound;
    while (bad > 0 && dt_run_skips(run, bad)) bad--;
    for (int i = 0; i < DT_MAX_SKIPS; i++) {
        if (run->skips.steps[i] != 0) continue;
        run->skips.steps[i] = bad + 1;
        if (dt_comm_rank(run->comm) == 0)
            dt_log_warn("%s; rolling back, to skip step %lld (train.not_finite)", found.message, (long long)bad);
        dt_reduce_done(run->reducer);
        return dt_run_roll_back(run);
    }
    return dt_status_within(found, "after %d rollbacks", DT_MAX_SKIPS);
}

dt_status dt_run_not_finite(dt_run *run, const dt_sampler *sampler, int64_t rows, bool *redo) {
    /* Of all replicas, for every rank is to decide alike; and looked at before what follows, where rank 0 loads
     * weights. */
    bool finite = isfinite(dt_grad_squares(run->kernels, run->table, run->weights, 0, run->table->total));
    bool sound = !dt_comm_any(run->comm, !finite);
    dt_watchdog_note(run->watchdog, DT_ACTIVITY_EVALUATE, run->position.step); /* sample by sample */
    dt_status found = describe(run, sampler, rows);
    dt_watchdog_note(run->watchdog, DT_ACTIVITY_COMPUTE, run->position.step);
    *redo = run->recipe->train.not_finite == DT_NOT_FINITE_ROLLBACK;
    switch ((dt_not_finite)run->recipe->train.not_finite) {
    case DT_NOT_FINITE_SKIP: return skip(run, found, sound);
    case DT_NOT_FINITE_ROLLBACK: return roll_back(run, found, sound);
    default: return found;
    }
}

dt_status dt_test_not_finite(const dt_comm *comm, dt_not_finite policy, const dt_odd *odd, bool told, dt_tally *tally) {
    if (tally->not_finite == 0) return dt_ok();
    dt_status found = dt_fail(DT_ERR_DIVERGED, "the loss of %lld of %lld samples of %s is not a number; %s",
                              (long long)tally->not_finite, (long long)tally->samples, odd->samples, odd->cause);
    if (policy == DT_NOT_FINITE_STOP) return found;
    if (!told && dt_comm_rank(comm) == 0) dt_log_warn("%s; left out of the figures (train.not_finite)", found.message);
    tally->samples -= tally->not_finite;
    tally->not_finite = 0;
    return dt_ok();
}
