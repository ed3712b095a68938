/* How a batch is cut (pieces.c). */
#ifndef DTRAIN_PIECES_H
#define DTRAIN_PIECES_H

#include "config/recipe.h"

/* Rows computed at once, in training and evaluation: a function of the recipe, the number of shards and that of samples
 * alone. */
int64_t dt_rows_at_once(const dt_recipe *recipe, int64_t shards, int64_t samples);
typedef struct dt_pieces {
    int64_t least;   /* samples that are computed at once, at least */
    char where[160]; /* where that is 1: "a batch of 32 samples in 32 shards has a piece of 1 sample" */
    char remedy[96]; /* "train.batch=64 or train.shards=16" */
} dt_pieces;
void dt_pieces_describe(const dt_recipe *recipe, int64_t shards, int64_t samples, dt_pieces *out);

#endif
