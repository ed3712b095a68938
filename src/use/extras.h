/* Where a checkpoint has what a model knows of its data (extras.c): each returns how many rows of `out` it filled, none
 * where there is nothing to keep. */
#ifndef DTRAIN_EXTRAS_H
#define DTRAIN_EXTRAS_H

#include "data/classes.h"
#include "data/scaling.h"
#include "data/tokenizer.h"
#include "store/checkpoint.h"

/* Class values, where labels are no class numbers: out[1]. */
int dt_classes_extras(dt_classes *classes, dt_extra *out);
/* Computed scales: out[2]. */
int dt_scaling_extras(const dt_recipe_data *data, const dt_scaling *scaling, dt_extra *out);
/* A vocabulary: out[4]. */
int dt_vocabulary_extras(dt_vocabulary *vocabulary, dt_extra *out);

#endif
