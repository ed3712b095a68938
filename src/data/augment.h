/* Training pictures moved and mirrored, and the draws of an epoch. */
#ifndef DTRAIN_AUGMENT_H
#define DTRAIN_AUGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"
#include "config/recipe.h"

/* What is done to training samples in an epoch: draws depend on (seed, epoch, sample) alone. */
typedef struct dt_augment {
    int64_t crop_padding;
    bool flip;
    dt_stream stream, window, mask; /* of pictures; of texts: where samples are, and what is masked */
} dt_augment;
dt_augment dt_augment_at(const dt_recipe_data *data, int64_t seed, int64_t epoch);
/* Where sample `index` is moved to (a pixel at (y, x) comes from (y + down, x + right)), and whether it is mirrored
 * after that. */
typedef struct dt_augment_draw {
    int64_t down, right;
    bool mirrored;
} dt_augment_draw;
dt_augment_draw dt_augment_draw_of(const dt_augment *augment, int64_t index);

#endif
