/* What a checkpoint is to those who use it (trained.c). */
#ifndef DTRAIN_TRAINED_H
#define DTRAIN_TRAINED_H

#include "base/table.h"
#include "compute/compute.h"
#include "config/recipe.h"
#include "data/classes.h"
#include "data/source.h"
#include "data/tokenizer.h"
#include "model/model.h"
#include "store/checkpoint.h"

/* A trained model, as its checkpoint has it: all that it knows of its data, and no data. What works with one (predict,
 * the library, exporters) begins here. One process; nothing is collective. */
typedef struct dt_trained {
    char path[4096]; /* of the checkpoint */
    dt_checkpoint_head head;
    dt_recipe recipe;
    dt_source source;         /* as dt_source_recall tells of it: shapes, types, meaning of the targets */
    dt_vocabulary vocabulary; /* of a text */
    dt_classes classes;       /* labels that are no class numbers */
    dt_scales scales;
    dt_real *weights;   /* of dt_trained_load; NULL before */
    dt_bf16 *weights16; /* the same rounded, for a recipe of bf16; else NULL */
} dt_trained;

/* `target` is a checkpoint or a run directory. To be closed, also after a failure. Weights are not read yet. */
dt_status dt_trained_open(dt_trained *out, const char *target);
void dt_trained_close(dt_trained *trained);
/* A model for its weights that takes `rows` samples at once, to dt_model_destroy; `training`: it can go back, too. */
dt_status dt_trained_model(dt_trained *trained, const dt_kernels *kernels, int64_t rows, bool training, dt_model **out);
/* Weights and scales, by the table of such a model. */
dt_status dt_trained_load(dt_trained *trained, const dt_kernels *kernels, const dt_model *model);

/* ---- its parts, for those who share them between ranks ---- */

/* `target` itself, or the newest checkpoint of a run directory that verifies. */
dt_status dt_trained_find(const char *target, char path[4096]);
/* The same where `target` may be any file, which is not looked at. */
dt_status dt_trained_newest(const char *target, char path[4096]);
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
