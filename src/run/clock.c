/* Seconds by what they are spent on. They are counted where one kind of work ends and the next begins, so none is
 * counted twice or lost; a trace gets the same spans. */
#include "clock.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/trace.h"

static const char *const phases[DT_PHASE_COUNT] = {"input", "compute", "reduce", "update", "evaluate", "checkpoint"};

void dt_run_clock_begin(dt_run_clock *clock) {
    memset(clock, 0, sizeof *clock);
    clock->started = dt_clock_now();
}

void dt_run_clock_trace(dt_run_clock *clock) {
    for (int i = 0; i < DT_PHASE_COUNT; i++) clock->spans[i] = dt_trace_kind("phase", phases[i]);
}

void dt_run_clock_mark(dt_run_clock *clock) {
    clock->mark = dt_clock_now();
}

/* The most of late: one slow step counts for a while, and not for ever. */
static void keep_longest(double *longest, double seconds) {
    *longest = fmax(0.98 * *longest, seconds);
}

void dt_run_clock_spend(dt_run_clock *clock, dt_phase phase) {
    double now = dt_clock_now();
    clock->phases[phase] += now - clock->mark;
    keep_longest(&clock->longest[phase], now - clock->mark);
    dt_trace_span(clock->spans[phase], clock->mark, now, 0);
    clock->mark = now;
}

void dt_run_clock_stand(dt_run_clock *clock) {
    double before = clock->mark;
    dt_run_clock_spend(clock, DT_PHASE_CHECKPOINT);
    dt_budget_stood(&clock->budget, clock->mark - before);
}

void dt_run_clock_step(dt_run_clock *clock, double began, bool publishes) {
    double seconds = dt_clock_now() - began;
    clock->loop_seconds += seconds;
    keep_longest(&clock->longest_step, seconds);
    dt_budget_step(&clock->budget, seconds, publishes);
}

bool dt_run_clock_publishes(const dt_run_clock *clock, const dt_recipe_checkpoint *rule, bool flies) {
    if (rule->every.unit != DT_SPAN_BUDGET) return dt_run_clock_due(rule->every, clock->checkpointed);
    return !flies && dt_clock_now() - clock->checkpointed >= dt_budget_interval(&clock->budget, rule->budget);
}

bool dt_run_clock_due(dt_span span, double since) {
    return span.unit == DT_SPAN_SECONDS && dt_clock_now() - since >= span.value;
}

double dt_run_clock_rate(const dt_run_clock *clock) {
    return clock->loop_seconds > 0 ? (double)clock->loop_samples / clock->loop_seconds : 0;
}
