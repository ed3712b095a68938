/* The summed gradient of a global batch: every rank computes its shards, layer by layer back from the loss, and what is
 * final of a gradient is on its way while the rest is computed.
 *
 * Decisions that depend on a clock or a signal (stop, checkpoint, evaluate) are raised with the gradient, so all ranks
 * learn of them in the same step and none has to ask. */
#include <string.h>

#include "base/stop.h"
#include "step.h"

#define STORAGE_FACTOR 10 /* times train.timeout, as the watchdog allows storage */

static void gradient_ready(void *reducer, size_t begin, double most) {
    dt_reduce_ready(reducer, begin, most, false);
}

static void last_gradient_ready(void *reducer, size_t begin, double most) {
    dt_reduce_ready(reducer, begin, most, true);
}

void dt_step_clear(dt_step *step, dt_trainee *trainee) {
    step->ledger->local = step->before;
    dt_reduce_begin(trainee->reducer);
}

/* Samples of this step, which is the position's batch or, of private ones, what was drawn. */
static int64_t rows_of(const dt_step *step, const dt_trainee *trainee) {
    return trainee->privacy ? trainee->privacy->rows : step->rows;
}

/* Whether no other shard of this rank that has samples follows: the first ones have more. */
static bool is_last(const dt_step *step, const dt_trainee *trainee, int64_t shard) {
    int64_t offset, count = 0;
    if (shard + 1 < step->end_shard)
        dt_shard_range(rows_of(step, trainee), step->course->shards, shard + 1, &offset, &count);
    return count == 0;
}

/* Samples [offset, offset + rows) of the batch, as input. */
static void gather_rows(const dt_step *step, dt_trainee *trainee, int64_t offset, int64_t rows) {
    if (trainee->privacy)
        memcpy(trainee->index, trainee->privacy->chosen + offset, (size_t)rows * sizeof *trainee->index);
    else
        dt_sampler_indices(&step->order, step->at.sample + offset, rows, trainee->index);
    trainee->batch.first = (uint64_t)offset;
    dt_source_fetch(&step->data->train, trainee->kernels, &step->data->scales, &step->augment, trainee->index, rows,
                    &trainee->batch);
    dt_run_clock_spend(step->clock, DT_PHASE_INPUT);
}

/* Of a shard of `count` samples, how many are computed at once: where they are drawn it may be larger than planned for.
 */
static int64_t at_once_of(const dt_step *step, const dt_trainee *trainee, int64_t count) {
    int64_t micro_batch = step->session->recipe->train.micro_batch;
    return trainee->privacy ? trainee->rows_at_once : micro_batch > 0 ? micro_batch : count;
}

void dt_step_shard(dt_step *step, dt_trainee *trainee, int64_t shard) {
    const dt_recipe *recipe = step->session->recipe;
    int64_t offset, count;
    dt_tally unseen = {0}; /* losses of private samples are nobody's, nor whether they are numbers */
    dt_shard_range(rows_of(step, trainee), step->course->shards, shard, &offset, &count);
    if (count == 0) return;
    dt_pass pass = {.kernels = trainee->kernels,
                    .training = true,
                    .seed = (uint64_t)recipe->seed,
                    .step = (uint64_t)step->at.step,
                    .weights = trainee->weights,
                    .weights16 = trainee->weights16,
                    .grads = dt_reduce_next(trainee->reducer),
                    .ready_context = trainee->reducer,
                    .bounded = dt_reduce_wants_bounds(trainee->reducer)};
    pass.grads_in_parts = dt_reduce_in_parts(trainee->reducer, &pass.grads_kept);
    if (trainee->privacy) pass.clip = trainee->privacy->clip;
    int64_t at_once = at_once_of(step, trainee, count);
    for (int64_t done = 0; done < count; done += at_once) {
        int64_t rows = count - done < at_once ? count - done : at_once;
        gather_rows(step, trainee, offset + done, rows);
        pass.accumulate = done > 0;
        dt_recurrent_state_pass(&trainee->recurrent_state, &pass, offset + done, trainee->batch.fresh);
        if (done + rows == count) pass.ready = is_last(step, trainee, shard) ? last_gradient_ready : gradient_ready;
        dt_model_train(trainee->model, pass, &trainee->batch, trainee->privacy ? &unseen : &step->ledger->local);
        dt_run_clock_spend(step->clock, DT_PHASE_COMPUTE);
    }
    dt_reduce_add(trainee->reducer);
}

/* Rank 0. Whether nothing but a checkpoint still fits into the time of this job after this step. */
static bool time_is_up(const dt_step *step) {
    const dt_recipe *recipe = step->session->recipe;
    const dt_run_clock *clock = step->clock;
    dt_span evaluates = recipe->train.eval_every;
    bool flies = dt_snapshot_flies(step->snapshot) >= 0;
    dt_limit_work work = {.evaluates = dt_course_due(step->course, evaluates, &step->next) ||
                                       dt_run_clock_due(evaluates, clock->evaluated),
                          .publishes = flies || dt_course_due(step->course, recipe->checkpoint.every, &step->next) ||
                                       dt_run_clock_publishes(clock, &recipe->checkpoint, flies),
                          .samples = step->data->has_test ? step->data->test.samples : 0,
                          .batch = step->course->batch};
    return dt_limit_is_near(step->limit, clock, &work);
}

/* What this rank has to say besides its gradient. */
static void raise_flags(const dt_step *step, dt_reducer *reducer) {
    const dt_recipe *recipe = step->session->recipe;
    dt_run_clock *clock = step->clock;
    if (step->session->first && !dt_stop_requested && time_is_up(step)) dt_stop_requested = DT_STOP_LIMIT;
    if (dt_stop_requested || step->told) dt_reduce_raise(reducer, DT_FLAG_STOP);
    if (dt_compute_failed()) dt_reduce_raise(reducer, DT_FLAG_FAILED);
    if (step->ledger->local.not_finite > 0) dt_reduce_raise(reducer, DT_FLAG_NOT_FINITE);
    if (dt_snapshot_is_ready(step->snapshot)) dt_reduce_raise(reducer, DT_FLAG_READY);
    if (dt_snapshot_stands(step->snapshot, STORAGE_FACTOR * recipe->train.timeout))
        dt_reduce_raise(reducer, DT_FLAG_STANDS);
    if (!step->session->first) return;
    if (dt_rundir_is_lost(step->session->lock)) dt_reduce_raise(reducer, DT_FLAG_LOST);
    clock->stops = dt_run_clock_due(recipe->train.stop_after, clock->started);
    if (clock->stops) dt_reduce_raise(reducer, DT_FLAG_STOP);
    bool flies = dt_snapshot_flies(step->snapshot) >= 0;
    if (dt_run_clock_publishes(clock, &recipe->checkpoint, flies)) dt_reduce_raise(reducer, DT_FLAG_CHECKPOINT);
    if (dt_run_clock_due(recipe->train.eval_every, clock->evaluated)) dt_reduce_raise(reducer, DT_FLAG_EVALUATE);
}

dt_status dt_step_reduce(dt_step *step, dt_trainee *trainee, bool *redo) {
    dt_reducer *reducer = trainee->reducer;
    raise_flags(step, reducer);
    dt_session_note(step->session, DT_ACTIVITY_MEET, step->at.step);
    DT_TRY(dt_reduce_finish(reducer, redo));
    if (dt_reduce_raised(reducer, DT_FLAG_FAILED) > 0) return dt_ok(); /* the step is nobody's */
    dt_session_note(step->session, DT_ACTIVITY_COMPUTE, step->at.step);
    dt_run_clock_spend(step->clock, DT_PHASE_REDUCE);
    step->clock->redone += *redo;
    return dt_ok();
}
