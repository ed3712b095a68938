/* Where a checkpoint has what a model knows of its data (extras.c): each returns how many rows of `out` it filled, none
 * where there is nothing to keep. */
#ifndef DTRAIN_EXTRAS_H
#define DTRAIN_EXTRAS_H

#include "data/classes.h"
#include "data/scaling.h"
#include "data/source.h"
#include "data/tokenizer.h"
#include "store/checkpoint.h"

/* Class values, where labels are no class numbers: out[1]. */
int dt_classes_extras(dt_classes *classes, dt_extra *out);
#define DT_SCALES_EXTRAS 5
/* Computed scales, and what stands in for missing values, which are trained state: out[DT_SCALES_EXTRAS]. */
int dt_scales_extras(const dt_recipe_data *data, const dt_scales *scales, dt_extra *out);
/* Scales that the recipe gives, for whoever reads the file without it; they are beside the digest, as files of earlier
 * versions have none: out[DT_SCALES_EXTRAS]. */
int dt_scales_beside(const dt_recipe_data *data, const dt_scales *scales, dt_beside *out);
#define DT_RANGES_BESIDE 2
/* The ranges of inputs that training saw; beside the digest likewise: out[DT_RANGES_BESIDE]. Where nothing is known of
 * a column, as where the data is too large for a look and no scale is computed, they are NaN. */
int dt_ranges_beside(const dt_source *source, const dt_scales *scales, dt_beside *out);
/* A vocabulary: out[4]. */
int dt_vocabulary_extras(dt_vocabulary *vocabulary, dt_extra *out);

#endif
