/* How the numbers of a file become what a model computes with, and its outputs what the targets are. */
#ifndef DTRAIN_SCALING_H
#define DTRAIN_SCALING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ranks.h"
#include "base/status.h"
#include "compute/compute.h"
#include "config/recipe.h"
#include "data/ranges.h"

typedef struct dt_source dt_source;

/* A picture that is part of a row: `planes` of [height, width, depth] from number `first` on. */
typedef struct dt_picture {
    int64_t first, planes, height, width, depth; /* planes 0: there is none */
} dt_picture;

/* How samples become inputs, or targets what is learned: (x - mean)/std, the same for all numbers or by channel. A
 * sample is `planes` of [height, width] places with `depth` neighbouring numbers each: [H, W, C] is one plane, [C, H,
 * W] has C of depth 1, and a row of a table is one place with its columns. */
typedef struct dt_scaling {
    int64_t planes, height, width, depth, count; /* count: numbers of a sample */
    bool picture;                                /* height and width are a picture's */
    dt_picture moved;                            /* of inputs that have names, the one that augmentation moves */
    bool of_targets;
    int64_t channels;   /* 1: one mean and std for all; 0: of targets that are not scaled */
    double *mean, *std; /* [channels] */
    /* Of dt_scaling_settle. A channel is far where float32 would lose what mean and std are about: times, coordinates,
     * pressures. Its numbers of 32 and 64 bits are then scaled in double. */
    bool *far, any_far;      /* [channels] */
    dt_real *shift, *factor; /* [2, channels]: mean and 1/std; the same but 0 and 1 for channels that are far */
    const dt_input *inputs;  /* [input_count], borrowed: parts of a sample whose columns have one scale a channel */
    int64_t input_count;
    double *offsets, *units; /* of targets: [count], mean and std of every number; else none */
    /* Of inputs, by column whether or not it has a scale of its own. */
    dt_ranges seen;  /* in training */
    double *fill;    /* what stands in for a missing value, in the file's units, with data.missing: mean; else NULL */
    dt_real *filled; /* the same, scaled */
} dt_scaling;

/* Channels there are, whether or not each has a scale of its own: columns of a table. */
static inline int64_t dt_scaling_columns(const dt_scaling *scaling) {
    return scaling->planes * scaling->depth;
}

/* Whether scales come from the training samples, and are then trained state. */
static inline bool dt_scale_is_computed(const dt_recipe_scale *wanted) {
    return wanted->normalize == DT_NORMALIZE_STANDARDISE || wanted->normalize == DT_NORMALIZE_MIN_MAX;
}

/* For samples of `source`, the one called data->train_x in messages, as `data` says; mean and std are those given.
 * Fails where the samples are no pictures but pictures are to be augmented, or have other channels than scales given.
 */
dt_status dt_scaling_open(dt_scaling *out, const dt_source *source, const dt_recipe_data *data);
void dt_scaling_close(dt_scaling *scaling); /* accepts what is zeroed */
/* Collective. Mean and std from all samples of `source`, or all targets, by channel or of all; with min_max the least
 * number and how far the largest is from it. What never changes has std 1. The same bits on any number of ranks: the
 * samples are cut into fixed blocks, and joined in their order. With data.missing: mean also what stands in for missing
 * values, which are then left out of everything. */
dt_status dt_scaling_compute(dt_scaling *scaling, const dt_ranks *ranks, const dt_source *source,
                             const dt_recipe_data *data);
/* Collective. What dt_scaling_compute finds of `seen`, alone, where nothing has to be computed. Of inputs. */
dt_status dt_scaling_look(dt_scaling *scaling, const dt_ranks *ranks, const dt_source *source);
/* Mean and std are now what they will be. */
void dt_scaling_settle(dt_scaling *scaling);

/* The unit of every number of a sample, its std, into out[count]: a derivative by inputs is to be divided by theirs,
 * one of outputs multiplied. */
void dt_scaling_units(double *out, const dt_scaling *scaling);
/* A model's n outputs, whole rows of them, in the units of its targets: y*std + mean, in double. With targets that are
 * not scaled they are as they were. */
void dt_scaling_undo(double *out, const dt_scaling *targets, const dt_real *outputs, int64_t n);
/* The same in place, rounded to float32 last of all. */
void dt_scaling_undo_here(dt_real *outputs, const dt_scaling *targets, int64_t n);

/* All that a model needs to know of its data's scales. */
typedef struct dt_scales {
    dt_scaling input, target;
} dt_scales;

/* Of the samples and targets of `source`, as dt_scaling_open; to be closed. Targets that are classes have none. */
dt_status dt_scales_open(dt_scales *out, const dt_source *source, const dt_recipe_data *data);
void dt_scales_close(dt_scales *scales);
/* Collective. Those that are to be computed. The ranges of inputs come with them, or where none are to be computed
 * from a look at the data if that is quick. */
dt_status dt_scales_compute(dt_scales *scales, const dt_ranks *ranks, const dt_source *source,
                            const dt_recipe_data *data);
/* They were read from a checkpoint, where they are trained state; what the recipe gives is as it says. */
void dt_scales_loaded(dt_scales *scales, const dt_recipe_data *data);

#endif
