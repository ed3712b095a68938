/* A run's ledger: what it has done so far. Checkpoints carry it besides the arrays of the model. */
#ifndef DTRAIN_LEDGER_H
#define DTRAIN_LEDGER_H

#include "base/ranks.h"
#include "compute/compute.h"
#include "config/recipe.h"
#include "store/checkpoint.h"
#include "store/links.h"

#define DT_MAX_SKIPS 16

typedef struct dt_best_so_far {
    double value; /* larger is better; for the digest: of a loss the mean of its rounded sum */
    double step;  /* of that evaluation; 0: none yet */
    double since; /* evaluations since; below 0: -1 - their number, and that of this step is still to be made */
} dt_best_so_far;

typedef struct dt_skips {
    int64_t steps[DT_MAX_SKIPS]; /* steps + 1 that are passed over, after rollbacks; 0: free */
    int64_t count, in_a_row;     /* steps passed over so far, for whatever reason; up to now without a break */
} dt_skips;

typedef struct dt_ledger {
    dt_position position;
    dt_tally epoch; /* of the epoch in progress, all ranks, up to the last gathering */
    dt_tally last;  /* of the last finished epoch */
    dt_best_so_far best;
    double best_value; /* best.value, unrounded */
    dt_skips skips;
    dt_link chain; /* the newest link of the chain of digests (chain.h) */
    /* not in checkpoints: */
    dt_tally local;      /* this rank's samples since the last gathering */
    dt_tally test;       /* of the last evaluation */
    int64_t odd_samples; /* of it, told of */
} dt_ledger;

/* Collective. Every rank's samples since the last gathering join those of the epoch; they are *interval, which may be
 * NULL. */
dt_status dt_ledger_gather(dt_ledger *ledger, const dt_ranks *ranks, dt_tally *interval);
/* The epoch is over: the next begins. */
void dt_ledger_end_epoch(dt_ledger *ledger);
/* Other data: its first epoch begins, at the present step. */
void dt_ledger_begin_anew(dt_ledger *ledger);

/* Whether `step` is to be passed over, after a rollback. */
bool dt_ledger_skips(const dt_ledger *ledger, int64_t step);
/* It is from now on; false: too many are already. */
bool dt_ledger_skip(dt_ledger *ledger, int64_t step);
/* The ledger is that of an earlier step again; which steps to pass over is known since. */
void dt_ledger_rolled_back(dt_ledger *ledger, const dt_skips *skips);
/* A step of `rows` samples is over; `skipped`: it was passed over. */
void dt_ledger_step(dt_ledger *ledger, int64_t rows, bool skipped);

/* An evaluation of the present step counts: whether it is the best so far, by the recipe's `by`. */
bool dt_ledger_judge(dt_ledger *ledger, dt_best by);
/* Checkpoints come before the evaluation of their step, which may take long, or die. What it changes of the state is
 * the best so far: where that counts, such a checkpoint says that its evaluation is still to be made. */
void dt_ledger_owe_evaluation(dt_ledger *ledger, dt_best by, bool owes);
bool dt_ledger_owes_evaluation(const dt_ledger *ledger);

/* Where it is in a checkpoint: rows that are part of the digest, into out[DT_LEDGER_EXTRAS], and those that are beside
 * it, into beside[DT_LEDGER_BESIDE]. They point into the ledger. */
enum { DT_LEDGER_EXTRAS = 4, DT_LEDGER_BESIDE = 4 };
void dt_ledger_put(dt_ledger *ledger, dt_extra *out, dt_beside *beside);
/* After such rows were loaded from `path`: what an older file lacks is filled in, what makes no sense refused. */
dt_status dt_ledger_take(dt_ledger *ledger, const dt_beside *beside, const char *path);

#endif
