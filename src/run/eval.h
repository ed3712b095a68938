/* Evaluation of a checkpoint. */
#ifndef DTRAIN_EVAL_H
#define DTRAIN_EVAL_H

#include "comm/comm.h"
#include "config/recipe.h"
#include "named.h"

typedef struct dt_eval_options {
    const char *target;        /* a checkpoint or a run directory */
    const dt_data_named *data; /* [data_count]: other data, all of it together; none: the recipe's */
    int data_count;
    dt_split split;   /* which of the recipe's data */
    bool all;         /* rather all of the training datasets, whatever the recipe cuts from them */
    bool unsaid;      /* nobody said which: of other data it is all, where the recipe cuts test data from it */
    const char *json; /* a file for all figures; NULL: none */
} dt_eval_options;

/* Collective. Evaluates a checkpoint and prints the last line. */
dt_status dt_eval_run(dt_comm *comm, const dt_eval_options *options);

#endif
