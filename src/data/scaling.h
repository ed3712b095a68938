/* Bringing the numbers of a file to mean 0 and deviation 1. */
#ifndef DTRAIN_SCALING_H
#define DTRAIN_SCALING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ranks.h"
#include "base/status.h"
#include "compute/compute.h"
#include "config/recipe.h"

typedef struct dt_source dt_source;

/* How samples become inputs: (x - mean)/std, the same for all numbers or by channel. A sample is `planes` of [height,
 * width] places with `depth` neighbouring numbers each: [H, W, C] is one plane, [C, H, W] has C of depth 1. */
typedef struct dt_scaling {
    int64_t planes, height, width, depth;
    bool picture;       /* height and width are a picture's */
    int64_t channels;   /* 1: one mean and std for all */
    double *mean, *std; /* [channels] */
    /* Of dt_scaling_settle. A channel is far where float32 would lose what mean and std are about: times, coordinates,
     * pressures. Its numbers of 32 and 64 bits are then scaled in double. */
    bool *far, any_far;      /* [channels] */
    dt_real *shift, *factor; /* [2, channels]: mean and 1/std; the same but 0 and 1 for channels that are far */
} dt_scaling;

/* For samples of `source`, the one called data->train_x in messages, as `data` says; mean and std are those given.
 * Fails where the samples are no pictures but pictures are to be augmented. */
dt_status dt_scaling_open(dt_scaling *out, const dt_source *source, const dt_recipe_data *data);
void dt_scaling_close(dt_scaling *scaling);
/* Collective. Mean and std from all samples of `source`, by channel; a channel that never changes has std 1. The same
 * bits on any number of ranks: the samples are cut into fixed blocks, and joined in their order. */
dt_status dt_scaling_compute(dt_scaling *scaling, const dt_ranks *ranks, const dt_source *source,
                             const dt_recipe_data *data);
/* Mean and std are now what they will be. */
void dt_scaling_settle(dt_scaling *scaling);

#endif
