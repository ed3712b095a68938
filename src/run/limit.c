/* The time limit of a job, from the recipe or from the scheduler. A run is to stop by itself, early enough for a
 * checkpoint, from what steps, evaluations and checkpoints were seen to take: a scheduler's warning comes at a moment
 * somebody guessed, and where there is none the job is killed.
 *
 * Rank 0 decides at each step, and the wish crosses with the gradient like that of a signal. What is no step (reading
 * data, a long evaluation) is ended by a timer that every rank has, which does what a signal does. */
#include "limit.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"

#define SAFETY 1.5      /* times what was measured */
#define END_SECONDS 5.0 /* for the end of processes and launchers, or END_SHARE of a short limit */
#define END_SHARE 0.05
#define SLOW_DISK 100e6 /* bytes a second a first checkpoint is taken to be written and read back at */

static void on_alarm(int number) {
    (void)number;
    if (!dt_stop_requested) dt_stop_requested = DT_STOP_LIMIT;
}

static double end_seconds(const dt_limit *limit) {
    return fmin(END_SECONDS, END_SHARE * fmax(0, limit->length));
}

static double publish_seconds(const dt_limit *limit, const dt_run_clock *clock) {
    double measured = dt_budget_duration(&clock->budget);
    return measured > 0 ? measured : limit->publish;
}

/* ---- whose limit ---- */

static dt_status fail_variable(const char *name, const char *text) {
    return dt_fail(DT_ERR_USAGE, "%s is \"%s\"; it must be seconds since 1970, as `date +%%s` has them, or never", name,
                   text);
}

/* A limit in the environment, in seconds since 1970. *found: the variable is there and says one. */
static dt_status read_variable(const char *name, double *out, bool *set) {
    const char *text = getenv(name); // NOLINT(concurrency-mt-unsafe)
    *set = text && text[0];
    *out = INFINITY;
    if (!*set || strcasecmp(text, "never") == 0) return dt_ok();
    char *end;
    errno = 0;
    double seconds = strtod(text, &end);
    if (*end || end == text || errno != 0 || !(seconds >= 0 && seconds < 1e15)) return fail_variable(name, text);
    *out = seconds;
    return dt_ok();
}

static void keep_earlier(dt_limit *limit, double end, const char *whose) {
    if (end >= limit->end) return;
    limit->end = end;
    limit->whose = whose;
}

/* Rank 0. DTRAIN_END_TIME, which scripts set, is believed instead of the scheduler's own. */
static dt_status find(dt_limit *limit, const dt_session *session, double started) {
    static const char *const variables[] = {"DTRAIN_END_TIME", "SLURM_JOB_END_TIME"};
    dt_span span = session->recipe->train.time_limit;
    if (span.unit == DT_SPAN_SECONDS) keep_earlier(limit, started + span.value, "train.time_limit");
    bool set = false;
    for (size_t i = 0; i < sizeof variables / sizeof *variables && !set; i++) {
        double end;
        DT_TRY(read_variable(variables[i], &end, &set));
        if (isfinite(end)) keep_earlier(limit, dt_clock_now() + end - dt_clock_epoch(), variables[i]);
    }
    return dt_ok();
}

/* ---- the timer ---- */

static void set_timer(double seconds) {
    double whole = floor(seconds);
    struct itimerval value = {.it_value = {(time_t)whole, (suseconds_t)(1e6 * (seconds - whole))}};
    setitimer(ITIMER_REAL, &value, NULL);
}

/* Seconds until nothing but a checkpoint fits, and the end of one that is in flight. */
static double seconds_left(const dt_limit *limit, const dt_run_clock *clock) {
    return limit->end - dt_clock_now() - SAFETY * 2 * publish_seconds(limit, clock) - end_seconds(limit);
}

void dt_limit_arm(const dt_limit *limit, const dt_run_clock *clock) {
    if (!isfinite(limit->end)) return;
    set_timer(fmin(fmax(seconds_left(limit, clock), 1e-3), 1e8)); /* zero would disarm it */
}

bool dt_limit_is_due(const dt_limit *limit, const dt_run_clock *clock) {
    return seconds_left(limit, clock) < 1;
}

dt_status dt_limit_open(dt_limit *limit, const dt_session *session, const dt_run_clock *clock) {
    *limit = (dt_limit){.end = INFINITY};
    DT_TRY(dt_session_agree(session, session->first ? find(limit, session, clock->started) : dt_ok()));
    double left = limit->end - dt_clock_now();
    DT_TRY(dt_comm_broadcast(session->comm, &left, sizeof left, 0));
    limit->end = dt_clock_now() + left;
    limit->length = limit->end - clock->started;
    if (!isfinite(limit->end)) return dt_ok();
    struct sigaction action;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_handler = on_alarm;
    action.sa_flags = SA_RESTART | SA_ONSTACK;
    sigaction(SIGALRM, &action, NULL);
    dt_limit_arm(limit, clock);
    return dt_ok();
}

void dt_limit_close(dt_limit *limit) {
    if (isfinite(limit->end)) set_timer(0);
    limit->end = INFINITY;
}

void dt_limit_expect(dt_limit *limit, double bytes, const dt_run_clock *clock) {
    limit->publish = bytes / SLOW_DISK;
    dt_limit_arm(limit, clock);
}

/* ---- what still fits ---- */

double dt_limit_needs(const dt_limit *limit, const dt_run_clock *clock, const dt_limit_work *work) {
    double step = clock->longest_step, publish = publish_seconds(limit, clock);
    double evaluation = clock->longest[DT_PHASE_EVALUATE];
    if (evaluation <= 0) evaluation = step * (double)work->samples / (double)work->batch;
    double needed = 2 * step + publish; /* the rest of this step and the next one, and its checkpoint */
    if (work->evaluates) needed += evaluation;
    if (work->publishes) needed += publish;
    return SAFETY * needed + end_seconds(limit);
}

bool dt_limit_is_near(dt_limit *limit, const dt_run_clock *clock, const dt_limit_work *work) {
    double left = limit->end - dt_clock_now();
    if (left > dt_limit_needs(limit, clock, work)) return false;
    if (!limit->told)
        dt_log_info("the time limit (%s) is %.3g s away: a checkpoint, and an early end", limit->whose, fmax(0, left));
    limit->told = true;
    return true;
}
