/* A run's time limit: when this job has to have ended, and whether what comes next still fits before that (limit.c). */
#ifndef DTRAIN_RUN_LIMIT_H
#define DTRAIN_RUN_LIMIT_H

#include "clock.h"
#include "course.h"
#include "session.h"

typedef struct dt_limit {
    double end;        /* by dt_clock_now; INFINITY: there is none */
    double length;     /* seconds from the start of the process to it */
    const char *whose; /* the field or variable that says so; rank 0 */
    double publish;    /* seconds a checkpoint is taken for before one was made */
    bool told;         /* a line about it has been said */
} dt_limit;

/* Collective. Finds the limit of this job and arms a timer of this process, which asks for a stop when only a
 * checkpoint still fits. To be closed, also after a failure. */
dt_status dt_limit_open(dt_limit *limit, const dt_session *session, const dt_run_clock *clock);
void dt_limit_close(dt_limit *limit);
/* A checkpoint has so many bytes, or one was made: the timer moves. */
void dt_limit_expect(dt_limit *limit, double bytes, const dt_run_clock *clock);
void dt_limit_arm(const dt_limit *limit, const dt_run_clock *clock);

/* Seconds from the end of a step to the last moment at which the next one could still end with a checkpoint in time:
 * half as much again as was measured of what follows the step, of the next step and of a checkpoint, and what the end
 * of a process takes. `evaluates`, `publishes`: what follows this step, or is in flight; `samples` of an evaluation and
 * `batch` of a step stand for the cost of an evaluation before there was one. */
typedef struct dt_limit_work {
    bool evaluates, publishes;
    int64_t samples, batch;
} dt_limit_work;
double dt_limit_needs(const dt_limit *limit, const dt_run_clock *clock, const dt_limit_work *work);
/* Rank 0. Whether the present step is to be the last one; says so, once. */
bool dt_limit_is_near(dt_limit *limit, const dt_run_clock *clock, const dt_limit_work *work);
/* Whether the timers of this job are about to go off, or have. */
bool dt_limit_is_due(const dt_limit *limit, const dt_run_clock *clock);

#endif
