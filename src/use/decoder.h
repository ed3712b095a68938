/* A text model read token by token (decoder.c). */
#ifndef DTRAIN_DECODER_H
#define DTRAIN_DECODER_H

#include "base/table.h"
#include "compute/compute.h"
#include "config/recipe.h"

typedef struct dt_decoder dt_decoder;

/* `rows` texts at once, of tokens below `vocabulary`, by a model trained on windows of `context` tokens; with `bf16`
 * products are of rounded numbers, as in training and evaluation. */
dt_status dt_decoder_create(dt_decoder **out, const dt_yaml *layers, const dt_recipe_loss *loss, int64_t vocabulary,
                            int64_t context, int64_t rows, bool bf16, const dt_kernels *kernels);
void dt_decoder_destroy(dt_decoder *decoder); /* accepts NULL */
const dt_table *dt_decoder_table(const dt_decoder *decoder);
/* Weights for all that follows, taken over. */
dt_status dt_decoder_weights(dt_decoder *decoder, dt_real *weights);
/* Forgets what was read; from now on `rows` texts. */
void dt_decoder_restart(dt_decoder *decoder, int64_t rows);
/* Reads the next token of each text. The outputs for the one after it, [rows, vocabulary]; borrowed until the next
 * call. When the window is full and the model cannot go on beyond it, the newest half of it is read again first. */
const dt_real *dt_decoder_read(dt_decoder *decoder, const int32_t *tokens);
/* Of `count` tokens from an empty window on, the first that is still in the window when the last was read. */
int64_t dt_decoder_first(const dt_decoder *decoder, int64_t count);

#endif
