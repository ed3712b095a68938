/* How far a run goes, and where on its way it is. A position is counted in two ways: in updates, which go on for ever,
 * and in epochs and samples of the data there is. What is left follows from the second, so a batch of another size at a
 * resume changes how many steps remain and not how often a sample is used. Where other data is taken (data.changed),
 * epochs, train.steps and the schedule begin to count anew at position.origin. */
#include "run_internal.h"

/* a*b + c, none of them negative, and not beyond what a run may have. */
static int64_t steps_of(int64_t a, int64_t b, int64_t c) {
    const int64_t most = INT64_MAX / 4;
    int64_t product, sum;
    if (__builtin_mul_overflow(a, b, &product) || __builtin_add_overflow(product, c, &sum) || sum > most) return most;
    return sum;
}

static int64_t batches(const dt_run *run, int64_t samples) {
    return (samples + run->recipe->train.batch - 1) / run->recipe->train.batch;
}

int64_t dt_course_step(const dt_run *run, const dt_position *position) {
    return steps_of(position->epoch, run->steps_per_epoch, batches(run, position->sample));
}

/* Steps from the present position to the end of the last epoch. */
static int64_t steps_left(const dt_run *run) {
    int64_t epochs = run->recipe->train.epochs - run->position.epoch;
    if (epochs <= 0) return 0;
    return steps_of(epochs - 1, run->steps_per_epoch, batches(run, run->train.samples - run->position.sample));
}

void dt_course_plan(dt_run *run) {
    run->steps_per_epoch = batches(run, run->train.samples);
    int64_t steps = run->recipe->train.steps;
    run->total_steps = steps > 0 ? run->position.origin + steps : run->position.step + steps_left(run);
}

dt_status dt_course_check(const dt_run *run, const dt_position *position) {
    int64_t samples = run->train.samples, streams = run->train.about.streams;
    if (position->sample >= samples)
        return dt_fail(DT_ERR_INPUT, "it stands at sample %lld of an epoch, but %s has only %lld",
                       (long long)position->sample, run->recipe->data.file, (long long)samples);
    if (streams > 0 && position->sample % streams != 0)
        return dt_fail(DT_ERR_INPUT,
                       "it stands at sample %lld of an epoch, amid the windows of %lld streams (train.batch)",
                       (long long)position->sample, (long long)streams);
    if (position->origin > position->step)
        return dt_fail(DT_ERR_CORRUPT, "it stands at step %lld, before its data began at step %lld",
                       (long long)position->step, (long long)position->origin);
    return dt_ok();
}

void dt_course_begin_anew(dt_run *run) {
    run->position.origin = run->position.step;
    run->position.epoch = run->position.sample = 0;
    run->epoch_tally = run->last_tally = (dt_tally){0};
    run->best = (struct dt_best_so_far){0};
    run->best_value = 0;
    run->skips.in_a_row = 0;
}
