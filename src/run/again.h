/* Steps of a run computed again (again.c): a step is a function of state, recipe and data, so whoever has these comes
 * to the same bits, on any machine and number of ranks. */
#ifndef DTRAIN_AGAIN_H
#define DTRAIN_AGAIN_H

#include "run.h"

/* The digests of a step: that which a link of the chain has, and a checkpoint made before the step was evaluated; and
 * that of a checkpoint made after it, which is another only where an evaluation counts (checkpoint.best). */
typedef struct dt_again_digests {
    uint64_t linked, judged;
} dt_again_digests;

/* Collective. The state becomes that of a checkpoint, which is checked as for a resume. */
dt_status dt_again_begin(dt_run *run, const char *path);
/* Collective. One step, and what of that which follows it belongs to the state; `evaluates`: the run evaluated there.
 * *digests, where they are wanted. DT_ERR_STOPPED: somebody was told to stop; DT_ERR_DIVERGED with digests: the
 * machines at work here come to different results, of which the message names one. */
dt_status dt_again_step(dt_run *run, bool evaluates, dt_again_digests *digests);
/* Collective. The digest of the present state. */
dt_status dt_again_digest(dt_run *run, uint64_t *digest);

#endif
