/* How far a run goes, and where on its way it is. A position is counted in two ways: in updates, which go on for ever,
 * and in epochs and samples of the data there is. What is left follows from the second, so a batch of another size at a
 * resume changes how many steps remain and not how often a sample is used. Where other data is taken (data.changed),
 * epochs, train.steps and the schedule begin to count anew at position.origin. */
#include "course.h"

#include <math.h>

/* a*b + c, none of them negative, and not beyond what a run may have. */
static int64_t steps_of(int64_t a, int64_t b, int64_t c) {
    const int64_t most = INT64_MAX / 4;
    int64_t product, sum;
    if (__builtin_mul_overflow(a, b, &product) || __builtin_add_overflow(product, c, &sum) || sum > most) return most;
    return sum;
}

static int64_t batches(const dt_course *course, int64_t samples) {
    return (samples + course->batch - 1) / course->batch;
}

/* The steps of the present batch that a position is from the beginning of this data. */
static int64_t step_at(const dt_course *course, const dt_position *position) {
    return steps_of(position->epoch, course->steps_per_epoch, batches(course, position->sample));
}

/* Steps from a position to the end of the last of so many epochs. */
static int64_t steps_left(const dt_course *course, int64_t epochs, const dt_position *position) {
    epochs -= position->epoch;
    if (epochs <= 0) return 0;
    return steps_of(epochs - 1, course->steps_per_epoch, batches(course, course->samples - position->sample));
}

void dt_course_plan(dt_course *course, const dt_recipe *recipe, const dt_source *source, const dt_position *position) {
    const dt_recipe_train *train = &recipe->train;
    course->batch = train->batch;
    course->samples = source->samples;
    course->streams = source->about.streams;
    course->steps_per_epoch = batches(course, course->samples);
    course->total_steps = train->steps > 0 ? position->origin + train->steps
                                           : position->step + steps_left(course, train->epochs, position);
    if (dt_recipe_sites_of(recipe) == 0) return;
    course->samples = course->steps_per_epoch = 1;
    course->total_steps = recipe->sites.rounds;
}

int64_t dt_course_rows(const dt_course *course, const dt_position *position) {
    int64_t left = course->samples - position->sample;
    return left < course->batch ? left : course->batch;
}

int64_t dt_course_span(const dt_course *course, dt_span span) {
    double steps = span.unit == DT_SPAN_STEPS    ? span.value
                   : span.unit == DT_SPAN_EPOCHS ? span.value * (double)course->steps_per_epoch
                                                 : 0;
    return steps > 0 ? (int64_t)fmax(1, round(steps)) : 0;
}

bool dt_course_due(const dt_course *course, dt_span span, const dt_position *position) {
    int64_t every = dt_course_span(course, span);
    int64_t at = span.unit == DT_SPAN_EPOCHS ? step_at(course, position) : position->step;
    return every > 0 && at > 0 && at % every == 0;
}

dt_status dt_course_check(const dt_source *source, const char *file, const dt_position *position) {
    int64_t samples = source->samples, streams = source->about.streams;
    if (position->sample >= samples)
        return dt_fail(DT_ERR_INPUT, "it stands at sample %lld of an epoch, but %s has only %lld",
                       (long long)position->sample, file, (long long)samples);
    if (streams > 0 && position->sample % streams != 0)
        return dt_fail(DT_ERR_INPUT,
                       "it stands at sample %lld of an epoch, amid the windows of %lld streams (train.batch)",
                       (long long)position->sample, (long long)streams);
    if (position->origin > position->step)
        return dt_fail(DT_ERR_CORRUPT, "it stands at step %lld, before its data began at step %lld",
                       (long long)position->step, (long long)position->origin);
    return dt_ok();
}
