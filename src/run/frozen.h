/* Checkpoints of a run in which other tensors were trained. */
#ifndef DTRAIN_FROZEN_H
#define DTRAIN_FROZEN_H

#include "trainee.h"

/* What a checkpoint had of tensors that are trained now, or of others. */
typedef struct dt_frozen {
    int begun, dropped; /* tensors whose moments it lacks, and whose moments are not wanted any more */
    char first[2][96];  /* of either */
} dt_frozen;

/* Loads a checkpoint whose recipe is `recipe` into `state`, which is the trainee's. Moments and exponents it lacks
 * begin as in a new run: they are of tensors that were frozen; those of tensors that are frozen now are left out. Rank
 * 0. */
dt_status dt_frozen_load(dt_trainee *trainee, dt_state *state, const char *recipe, const char *path, dt_frozen *found);
/* Says what was found, where it is worth a line. */
void dt_frozen_tell(const dt_frozen *found, const char *path);

#endif
