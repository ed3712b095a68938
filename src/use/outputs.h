/* What users get of a model's last layer (outputs.c). */
#ifndef DTRAIN_OUTPUTS_H
#define DTRAIN_OUTPUTS_H

#include "data/scaling.h"
#include "data/targets.h"
#include "model/model.h"

/* A sample's outputs are [positions, width]. */
typedef struct dt_outputs {
    dt_loss loss;
    int64_t positions; /* 1, but of a text whose every token has an output */
    int64_t width;
    const dt_scaling *scaling; /* of values: borrowed, the targets'; NULL: they are as they are */
    int64_t classes; /* of which one is chosen at each position: as many as outputs, or 2 of a single one; 0: outputs
                      * are values, or probabilities of what does not exclude each other */
} dt_outputs;

/* Of a model whose targets these are, as far as they are known; `scaling` is for the caller to set. */
dt_outputs dt_outputs_of(const dt_targets *targets, dt_loss loss, const dt_model *model);
/* The class at each position, from what the last layer gave for `rows` samples: that of the largest output, the first
 * among equals, or, of a single one, whether it is above one half. The same choice the accuracy counts. Not to be asked
 * where there are no classes. classes[rows, positions] */
void dt_outputs_choose(const dt_outputs *outputs, const dt_real *raw, int64_t rows, int32_t *classes);
/* What the last layer gave for `rows` samples becomes what users are told, in place: probabilities by the loss's
 * softmax or logistic function, or values in the units of the targets. values[rows, positions, width] */
void dt_outputs_finish(const dt_outputs *outputs, const dt_kernels *kernels, dt_real *values, int64_t rows);

#endif
