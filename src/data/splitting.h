/* How units, which are rows or groups of rows, are dealt out to training, validation and test (data.split). */
#ifndef DTRAIN_SPLITTING_H
#define DTRAIN_SPLITTING_H

#include "config/recipe.h"
#include "data/sampler.h"

typedef struct dt_splitting {
    int64_t count[DT_SPLIT_COUNT]; /* units of each */
    dt_permutation order;
    bool at_random;
} dt_splitting;

/* Of `units` units test and validation get their fractions, to the nearest whole number, and training the rest; any may
 * be 0. A function of its arguments alone. */
void dt_splitting_count(int64_t count[DT_SPLIT_COUNT], const dt_recipe_data *data, int64_t units);
/* What is at `position` of an order that is cut so: training comes first, test is last. */
dt_split dt_splitting_at(const int64_t count[DT_SPLIT_COUNT], int64_t position);

dt_splitting dt_splitting_of(const dt_recipe_data *data, int64_t units);
/* Between places of the order and units. */
int64_t dt_splitting_move(const dt_splitting *splitting, int64_t i);
/* The split of unit `unit`. As a permutation is one whichever way it is read, no unit has to be looked for. */
dt_split dt_splitting_for(const dt_splitting *splitting, int64_t unit);

#endif
