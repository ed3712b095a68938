/* Weights from elsewhere as a run's first checkpoint (import_weights.c). */
#ifndef DTRAIN_IMPORT_WEIGHTS_H
#define DTRAIN_IMPORT_WEIGHTS_H

#include "comm/comm.h"
#include "config/recipe.h"
#include "use/weights_match.h"

typedef struct dt_import_weights_options {
    const char *file; /* of weights, or a run directory, whose newest checkpoint it then is */
    const char *run;  /* run directory; NULL: the recipe's */
    dt_match_options match;
} dt_import_weights_options;

/* Collective. Begins a run of the recipe, as train would, and publishes a checkpoint of step 0 in which those weights
 * are that the file has; train goes on from it, on at most as many ranks as the run has shards. Fails where nothing
 * matches, or the run was begun before. */
dt_status dt_import_weights_run(dt_comm *comm, dt_recipe *recipe, const dt_import_weights_options *options);

#endif
