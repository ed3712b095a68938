/* Datasets: named arrays of an HDF5 file as samples in memory, without a copy where the file allows it.
 *
 * Contiguous native arrays are memory-mapped. Any other (chunked, compressed, foreign byte order) is unpacked in large
 * blocks into a file without a name in the spool directory, once per machine, and that file is mapped by all ranks of
 * the machine: memory stays the page cache's business, whatever the size. */
#ifndef DTRAIN_DATASET_H
#define DTRAIN_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "dtrain/comm.h"
#include "dtrain/compute.h"
#include "dtrain/recipe.h"
#include "dtrain/status.h"
#include "dtrain/table.h"

typedef struct dt_array dt_array;

/* Collective. `dataset` of `file` as rows of its first dimension. */
dt_status dt_array_open(dt_array **out, dt_comm *comm, const char *file, const char *dataset, const char *spool);
void dt_array_close(dt_array *array); /* accepts NULL */
int64_t dt_array_rows(const dt_array *array);
dt_shape dt_array_row_shape(const dt_array *array); /* the shape without its first dimension */
dt_dtype dt_array_dtype(const dt_array *array);
const void *dt_array_row(const dt_array *array, int64_t row);

/* A split: inputs and targets with the same number of rows. */
typedef struct dt_split {
    dt_array *x, *y;
    int64_t samples;
    dt_shape input;  /* of a sample */
    bool labels;     /* y is one integer per sample (class numbers); else values */
    int64_t width;   /* values per sample in y; 1 with labels */
    int64_t classes; /* with labels: largest label + 1 */
} dt_split;

/* Collective. Opens both arrays and checks that they fit: same rows, at least one, labels not negative (the offending
 * row is named). Integer y of shape [N] or [N, 1] are labels; anything else is values. */
dt_status dt_split_open(dt_split *out, dt_comm *comm, const char *file, const char *x, const char *y,
                        const char *spool);
void dt_split_close(dt_split *split);

/* A batch in the model's terms; the arrays belong to the caller. */
typedef struct dt_batch {
    int64_t rows;
    uint64_t first;  /* position of row 0 in the global batch: keys random draws */
    dt_real *x;      /* [rows, inputs] */
    int32_t *labels; /* [rows], or NULL */
    dt_real *values; /* [rows, width], or NULL */
} dt_batch;

/* How samples become inputs: (x - mean)/std, the same for all numbers or by channel. A sample is `planes` of [height,
 * width] places with `depth` neighbouring numbers each: [H, W, C] is one plane, [C, H, W] has C of depth 1. */
typedef struct dt_scaling {
    int64_t planes, height, width, depth;
    bool picture;            /* height and width are a picture's */
    int64_t channels;        /* 1: one mean and std for all */
    double *mean, *std;      /* [channels] */
    dt_real *shift, *factor; /* [channels], of dt_scaling_settle: mean and 1/std */
} dt_scaling;

/* For samples of `split`, the one called data->train_x in messages, as `data` says; mean and std are those given. Fails
 * where the samples are no pictures but pictures are to be augmented. */
dt_status dt_scaling_open(dt_scaling *out, const dt_split *split, const dt_recipe_data *data);
void dt_scaling_close(dt_scaling *scaling);
/* Collective. Mean and std from all samples of `split`, by channel; a channel that never changes has std 1. The same
 * bits on any number of ranks: the samples are cut into fixed blocks, and joined in their order. */
dt_status dt_scaling_compute(dt_scaling *scaling, dt_comm *comm, const dt_kernels *kernels, const dt_split *split,
                             const dt_recipe_data *data);
/* Mean and std are now what they will be. */
void dt_scaling_settle(dt_scaling *scaling);

/* What is done to training samples in an epoch: draws depend on (seed, epoch, sample) alone. */
typedef struct dt_augment {
    int64_t crop_padding;
    bool flip;
    dt_stream stream;
} dt_augment;
dt_augment dt_augment_at(const dt_recipe_data *data, int64_t seed, int64_t epoch);
/* Where sample `index` is moved to (a pixel at (y, x) comes from (y + down, x + right)), and whether it is mirrored
 * after that. */
typedef struct dt_augment_draw {
    int64_t down, right;
    bool mirrored;
} dt_augment_draw;
dt_augment_draw dt_augment_draw_of(const dt_augment *augment, int64_t index);

/* Fills batch->x and its labels or values with the samples index[0 … rows), scaled and, unless `augment` is NULL,
 * augmented. */
void dt_split_gather(const dt_split *split, const dt_kernels *kernels, const dt_scaling *scaling,
                     const dt_augment *augment, const int64_t *index, int64_t rows, dt_batch *batch);

/* The order of an epoch: a keyed permutation of [0, samples), evaluated per index in O(1) memory. */
#define DT_SAMPLER_ROUNDS 8
typedef struct dt_sampler {
    uint64_t samples;
    uint64_t round_key[DT_SAMPLER_ROUNDS];
    uint32_t half_bits; /* the permutation lives on [0, 2^(2*half_bits)) */
    bool shuffle;
} dt_sampler;
dt_sampler dt_sampler_at(int64_t samples, bool shuffle, int64_t seed, int64_t epoch);
/* The sample at `position` of the epoch, 0 <= position < samples. */
int64_t dt_sampler_index(const dt_sampler *sampler, int64_t position);

/* The part of a global batch of `rows` samples that shard `shard` of `shards` computes: [*first, *first + *count).
 * Sizes differ by at most one, larger ones first. A function of its arguments alone. */
void dt_shard_range(int64_t rows, int64_t shards, int64_t shard, int64_t *first, int64_t *count);
/* The shards rank `rank` of `ranks` owns, likewise. */
#define dt_rank_shards(shards, ranks, rank, first, count) dt_shard_range((shards), (ranks), (rank), (first), (count))

#endif
