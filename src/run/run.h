/* A run: what it is made of. Only what begins, ends or moves the whole of it takes this; everything else takes the
 * parts it needs. */
#ifndef DTRAIN_RUN_H
#define DTRAIN_RUN_H

#include "chain.h"
#include "limit.h"
#include "privacy.h"
#include "profile.h"
#include "progress.h"
#include "replicas.h"
#include "snapshot.h"
#include "tables.h"
#include "trainee.h"

typedef struct dt_notes {
    struct dt_journal *journal; /* rank 0's; NULL: none is kept */
    int warnings;
} dt_notes;

typedef struct dt_show {
    double last, cost; /* when its page was last written, and what that took */
    bool failed;
} dt_show;

typedef struct dt_rounds dt_rounds;

typedef struct dt_run {
    dt_session session;        /* ranks, directory, options */
    dt_run_data data;          /* what is learned from */
    dt_trainee trainee;        /* what learns */
    dt_privacy privacy;        /* what is told of it, if that is bounded */
    dt_course course;          /* how far */
    dt_ledger ledger;          /* what was done so far */
    dt_run_clock clock;        /* and what it took */
    dt_limit limit;            /* when it has to have ended */
    dt_snapshot snapshot;      /* all of that as the store sees it */
    dt_replicas replicas;      /* and whether all nodes have the same */
    dt_chain chain;            /* and what it was, step by step */
    dt_progress progress;      /* what is said of it */
    dt_profile profile;        /* on request */
    dt_notes notes;            /* what goes into the journal */
    dt_show show;              /* its page */
    dt_tables tables;          /* and what that has of the last evaluation */
    int64_t evaluated;         /* step of the newest evaluation */
    dt_rounds *rounds;         /* of sites; NULL: all ranks train as one */
    const char *ended;         /* why the loop was left; rank 0 */
    int raised[DT_FLAG_COUNT]; /* after a step, or a round: how many ranks raised a flag */
} dt_run;

/* start.c. Collective: everything before the first step. To be closed, also after a failure. */
dt_status dt_run_open(dt_run *run, dt_comm *comm, dt_recipe *recipe, const dt_train_options *options);
/* Collective. The same to compute steps of a run again (again.h): there is no directory, nothing is written, and no
 * step is passed over by going back. The state is that of the recipe's beginning. */
dt_status dt_run_open_again(dt_run *run, dt_comm *comm, dt_recipe *recipe, const dt_train_options *options);
void dt_run_close(dt_run *run);

/* resume.c. Collective, once everything is planned. The state becomes that of the checkpoint, which must be this run's.
 */
dt_status dt_run_load(dt_run *run, const char *path);
/* Collective. Rank 0 has another state, at ledger.position: all have it. */
dt_status dt_run_share(dt_run *run);
/* Collective. Back to the newest checkpoint that is whole. */
dt_status dt_run_roll_back(dt_run *run);

/* loop.c. Collective. Trains until the recipe is fulfilled or somebody stops it. `owes`: the evaluation of the step to
 * go on from is still to be made. */
dt_status dt_run_loop(dt_run *run, bool owes, dt_outcome *outcome);
/* Collective. One step, and nothing of what follows it; not for a run that may go back to a checkpoint. */
dt_status dt_run_take_step(dt_run *run);

/* after_step.c. Collective. Records, checks, checkpoint and evaluation, as they are due; *stop: the run is to end here
 * and to go on later. */
dt_status dt_run_after_step(dt_run *run, bool *stop);
/* Collective. A round was left for a stop: the run ends as it stood before it. */
dt_status dt_run_leave(dt_run *run, bool *stop);
/* Collective. The evaluation that was due when the checkpoint was made. */
dt_status dt_run_catch_up(dt_run *run);
/* Collective, after a checkpoint was loaded: whether its step was never evaluated. */
bool dt_run_owes_evaluation(const dt_run *run);
/* Collective. A checkpoint of the present state, unless the newest one is that. */
dt_status dt_run_publish(dt_run *run);
/* Collective. What is in flight of a checkpoint counts on return. */
dt_status dt_run_finish_checkpoint(dt_run *run);
/* Whether nothing is left to be done. */
bool dt_run_is_finished(const dt_run *run);
bool dt_run_is_out_of_patience(const dt_run *run);
/* Why the loop is left: `told` to stop, or by the number of steps train.stop_after allows. */
const char *dt_run_reason(const dt_run *run, bool stops, bool told);

#endif
