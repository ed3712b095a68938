/* Losses: the formulas are in model.h. */
#ifndef DTRAIN_LOSS_H
#define DTRAIN_LOSS_H

#include "layer.h"

/* Checks that the loss, the last layer and the data's targets fit (see dt_model_create). `out` is the model's output;
 * `last` the layer that computes it, for messages. */
dt_status dt_loss_check(const dt_recipe_loss *loss, const dt_layer *last, const dt_shape *out,
                        const dt_model_spec *spec);
void dt_loss_run(const dt_recipe_loss *loss, const dt_kernels *kernels, dt_real *output, const dt_batch *batch,
                 int64_t outputs, bool gradient, dt_tally *tally);

#endif
