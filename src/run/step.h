/* One step: the gradients of the shards of a global batch, their sum over all ranks, and the update. loop.c has it as a
 * whole; here are its parts. */
#ifndef DTRAIN_STEP_H
#define DTRAIN_STEP_H

#include "clock.h"
#include "data/sampler.h"
#include "ledger.h"
#include "limit.h"
#include "snapshot.h"
#include "trainee.h"

/* The step at a position, and who takes it. */
typedef struct dt_step {
    const dt_session *session;
    const dt_run_data *data;
    const dt_course *course;
    dt_ledger *ledger;
    dt_run_clock *clock;
    const dt_snapshot *snapshot;
    dt_limit *limit;
    dt_position at, next;           /* before it and behind it */
    dt_sampler order;               /* of the epoch's samples */
    dt_augment augment;             /* what is done to them */
    int64_t rows;                   /* samples of this batch */
    int64_t first_shard, end_shard; /* this rank's */
    bool measures;                  /* the gradient's norm is wanted, if only for the record */
    dt_tally before;                /* ledger->local */
    double began, ran;              /* of the clock, and of the watchdog's */
    bool told;                      /* by ranks of another group (rounds.h): no more steps are wanted */
} dt_step;

dt_step dt_step_begin(const dt_session *session, const dt_run_data *data, const dt_course *course, dt_ledger *ledger,
                      dt_run_clock *clock, const dt_snapshot *snapshot, dt_limit *limit);

/* gradient.c. Nothing is added up yet. */
void dt_step_clear(dt_step *step, dt_trainee *trainee);
/* Input, forward and backward of one shard, in pieces that fit the model; its gradient is on its way. */
void dt_step_shard(dt_step *step, dt_trainee *trainee, int64_t shard);
/* Collective. The sum over the shards of all ranks is there, or *redo: it did not fit the wire, and the step is to be
 * computed again from dt_step_clear. Wishes of any rank (dt_flag) are known to all. */
dt_status dt_step_reduce(dt_step *step, dt_trainee *trainee, bool *redo);

/* recheck.c. Collective; the sums are there, and none was taken. Where train.audit says so in this step, another rank's
 * gradient is computed again; DT_ERR_DIVERGED names a rank whose is wrong. */
dt_status dt_step_recheck(dt_step *step, dt_trainee *trainee);

/* update.c. Every rank of a node updates its slice. */
void dt_step_update(dt_step *step, dt_trainee *trainee);

/* The step is passed over: weights stay as they are. */
void dt_step_pass_over(dt_step *step, dt_trainee *trainee);
/* All ranks of the node are done with it; it is in the ledger. */
void dt_step_end(dt_step *step, dt_trainee *trainee, bool passed_over);
/* Its seconds are counted, also where it was given up; the watchdog has seen how long one takes. */
void dt_step_account(const dt_step *step);

/* take_step.c. Collective. All of that: the step is taken, or passed over. *again: the run is to go back to its newest
 * checkpoint instead. */
dt_status dt_step_take(dt_step *step, dt_trainee *trainee, bool *again);

/* not_finite.c. Collective. What train.not_finite says is to be done about a step whose loss or gradient is no number:
 * a failure, or to pass it over; *roll_back: to go back to the newest checkpoint, and pass it over then. */
dt_status dt_step_not_finite(dt_step *step, dt_trainee *trainee, bool *roll_back);

#endif
