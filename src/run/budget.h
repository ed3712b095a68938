/* What checkpoints cost a run, and how often they may be made for it (checkpoint.budget). */
#ifndef DTRAIN_BUDGET_H
#define DTRAIN_BUDGET_H

#include <stdbool.h>

/* What one took, in seconds. */
typedef struct dt_price {
    double stood;  /* in which training stood still for it */
    double slowed; /* by which steps beside it were longer; may be below 0 where other things made them shorter */
    double work;   /* processor time of helpers */
} dt_price;

typedef struct dt_budget {
    double step;   /* seconds of a step beside which nothing is published, on average; 0: none yet */
    double stood;  /* since the last checkpoint came to its end: seconds in which training stood still for one */
    double slowed; /* and by which steps beside it were longer */
    double begun;  /* clock; when it was copied */
    double cost;   /* seconds of training that one takes, on average; 0: none was made */
    dt_price last;
    double duration; /* seconds from the copy to the end of the last one */
} dt_budget;

/* A step took so many seconds; `beside`: a checkpoint was in flight. */
void dt_budget_step(dt_budget *budget, double seconds, bool beside);
/* A checkpoint begins. */
void dt_budget_begin(dt_budget *budget, double now);
/* Training stood still for it. */
void dt_budget_stood(dt_budget *budget, double seconds);
/* It has come to its end; helpers took `work` seconds of processor time for it. */
void dt_budget_end(dt_budget *budget, double now, double work);
/* Seconds between two checkpoints that cost `percent` of the time. */
double dt_budget_interval(const dt_budget *budget, double percent);
/* Whether they cost more, because nobody wants to lose more work than that. */
bool dt_budget_exceeded(const dt_budget *budget, double percent);

/* Seconds that publishing a checkpoint is likely to take, all waiting for it: for whoever has to be done in time. 0:
 * none was made yet. */
double dt_budget_duration(const dt_budget *budget);

#endif
