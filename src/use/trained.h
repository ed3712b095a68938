/* What a checkpoint is to those who use it (trained.c). */
#ifndef DTRAIN_TRAINED_H
#define DTRAIN_TRAINED_H

#include "base/table.h"
#include "compute/compute.h"
#include "config/recipe.h"
#include "store/checkpoint.h"

/* `target` itself, or the newest checkpoint of a run directory that verifies. */
dt_status dt_trained_find(const char *target, char path[4096]);
/* Both are to be finished, also after a failure. */
dt_status dt_trained_recipe(const char *path, dt_checkpoint_head *head, dt_recipe *recipe);
/* That the file has these: before memory is taken for them, for the recipe may claim more than the file has. */
dt_status dt_trained_fits(const char *path, const dt_table *table, dt_extra *extras, int extra_count);
/* The weights of a model with this table into weights[table->total]; and what else is asked for. */
dt_status dt_trained_read(const char *path, const dt_table *table, dt_extra *extras, int extra_count, dt_real *weights);
/* Both, for one process: the weights are to dt_free, also after a failure. */
dt_status dt_trained_weights(const char *path, const dt_table *table, dt_real **weights);
/* The same rounded to bfloat16, to dt_free. */
dt_status dt_trained_rounded(const dt_kernels *kernels, const dt_real *weights, size_t count, dt_bf16 **rounded);

#endif
