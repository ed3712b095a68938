/* What training samples count for in the loss: a weight for each class (train.class_weights), for each row
 * (data.train_weights), or their product. */
#ifndef DTRAIN_SAMPLE_WEIGHTS_H
#define DTRAIN_SAMPLE_WEIGHTS_H

#include "compute/real.h"
#include "config/recipe.h"
#include "data/array.h"
#include "data/targets.h"

typedef struct dt_sample_weights {
    dt_array *rows;  /* one number for each row; NULL: all count alike */
    double *classes; /* [targets.classes]; NULL: likewise */
    int64_t class_count;
} dt_sample_weights;

/* Collective. Those of the rows, looked at wherever a row is a sample: none may be negative or no number. */
dt_status dt_sample_weights_open(dt_sample_weights *out, const dt_ranks *ranks, const dt_targets *targets,
                                 const dt_recipe_data *data);
/* Those of the classes, of settled targets. The same on every rank, but memory may fail on one. */
dt_status dt_sample_weights_settle(dt_sample_weights *weights, const dt_targets *targets, const dt_reals *wanted);
void dt_sample_weights_close(dt_sample_weights *weights);
/* Whether some samples count for more than others. */
bool dt_sample_weights_any(const dt_sample_weights *weights);
/* Of the sample in a row, with this label (of targets that are labels). */
dt_real dt_sample_weight(const dt_sample_weights *weights, int64_t row, int32_t label);

#endif
