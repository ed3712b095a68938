/* Training: a run from its start, or where it stopped, to its last line. */
#ifndef DTRAIN_TRAIN_H
#define DTRAIN_TRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "comm/comm.h"
#include "config/recipe.h"

typedef struct dt_train_options {
    const char *run;            /* run directory; NULL: the recipe's */
    const char *resume;         /* "auto", "never", or a checkpoint file */
    const char *const *allowed; /* recipe keys that may differ from the checkpoint's; NULL-terminated */
    const char *privacy_key;    /* file with the secret of a private run's noise; NULL: the run's own */
    const char *trace;          /* file for a trace of all ranks' spans (Trace Event Format); NULL: none */
    /* Writes what shows the run in `directory` to its user, on rank 0, as often as report.every says; NULL: nothing
     * does. */
    dt_status (*show)(void *context, const char *directory, bool ended);
    void *show_context;
    const char *site;  /* of sites.members this one; NULL: the run has all its sites, or none */
    const char *key;   /* file of its secret; NULL: where such files are (site/key.h) */
    const char *again; /* directory of the run whose steps are computed again (rank 0); NULL: they are made */
    bool profile;      /* print a table of where the time went */
    bool live;         /* standard output is a terminal: one live line */
} dt_train_options;

typedef enum dt_outcome { DT_OUTCOME_DONE, DT_OUTCOME_STOPPED } dt_outcome;

/* Collective. Trains or goes on with a run until its recipe is fulfilled or it is asked to stop; prints progress and
 * the last line. The recipe is equal on all ranks. */
dt_status dt_train_run(dt_comm *comm, dt_recipe *recipe, const dt_train_options *options, dt_outcome *outcome);

#endif
