/* A run's clock: what its seconds are spent on, and when things last happened. */
#ifndef DTRAIN_RUN_CLOCK_H
#define DTRAIN_RUN_CLOCK_H

#include "budget.h"
#include "config/recipe.h"

/* What the seconds of a run are spent on; the first four are the training loop. */
typedef enum dt_phase {
    DT_PHASE_INPUT,
    DT_PHASE_COMPUTE,
    DT_PHASE_REDUCE,
    DT_PHASE_UPDATE,
    DT_PHASE_EVALUATE,
    DT_PHASE_CHECKPOINT,
    DT_PHASE_COUNT
} dt_phase;

typedef struct dt_run_clock {
    double started; /* at start-up */
    double mark;    /* seconds before it are accounted for */
    double phases[DT_PHASE_COUNT];
    int spans[DT_PHASE_COUNT];      /* kinds of span in a trace */
    double longest[DT_PHASE_COUNT]; /* one piece of work of a phase took, of late */
    double longest_step;            /* a step of the loop took, of late */
    double loop_seconds;            /* in the training loop alone, this process */
    int64_t loop_samples;           /* trained in those seconds, all ranks */
    int64_t redone;                 /* steps computed again because a gradient did not fit the wire */
    int64_t audits;                 /* steps in which ranks computed one another's gradients again (train.audit) */
    double audit_seconds;           /* which took this rank so long */
    double checkpointed, evaluated; /* when the last one was, or began; rank 0's count */
    dt_budget budget;               /* what checkpoints cost; rank 0's count */
    bool stops;                     /* rank 0: it is train.stop_after's time */
} dt_run_clock;

void dt_run_clock_begin(dt_run_clock *clock);
/* The phases of a profile have spans from here on. */
void dt_run_clock_trace(dt_run_clock *clock);
/* Seconds up to now are nobody's, or no phase's. */
void dt_run_clock_mark(dt_run_clock *clock);
/* Adds the seconds since the mark to a phase, and moves the mark. */
void dt_run_clock_spend(dt_run_clock *clock, dt_phase phase);
/* The same of seconds in which training stood still for a checkpoint. */
void dt_run_clock_stand(dt_run_clock *clock);
/* A step of the loop that began at `began` is over; `publishes`: a checkpoint is in flight. */
void dt_run_clock_step(dt_run_clock *clock, double began, bool publishes);
/* Whether a span that counts seconds has passed since then. */
bool dt_run_clock_due(dt_span span, double since);
/* Whether it is time for the next checkpoint, by seconds or by what they cost; none is in flight where that counts. */
bool dt_run_clock_publishes(const dt_run_clock *clock, const dt_recipe_checkpoint *rule, bool flies);
/* Samples a second in the training loop; 0 before there is any. */
double dt_run_clock_rate(const dt_run_clock *clock);

#endif
