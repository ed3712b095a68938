/* Datasets: named arrays of an HDF5 file as samples in memory, without a copy where the file allows it.
 *
 * Contiguous native arrays are memory-mapped. Any other (chunked, compressed, foreign byte order) is unpacked in large
 * blocks into a file without a name in the spool directory, once per machine, and that file is mapped by all ranks of
 * the machine: memory stays the page cache's business, whatever the size. */
#ifndef DTRAIN_DATASET_H
#define DTRAIN_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/table.h"
#include "comm/comm.h"
#include "compute/compute.h"
#include "config/recipe.h"

typedef struct dt_array dt_array;

/* Collective. `dataset` of `file` as rows of its first dimension, of which only type and shape are known: no value has
 * been read, and no memory or disk taken for any. */
dt_status dt_array_describe(dt_array **out, dt_comm *comm, const char *file, const char *dataset);
/* Collective. The values of an array that was described: mapped where they are, or unpacked to the spool directory. */
dt_status dt_array_fetch(dt_array *array, dt_comm *comm, const char *file, const char *dataset, const char *spool);
/* Collective. Both. */
dt_status dt_array_open(dt_array **out, dt_comm *comm, const char *file, const char *dataset, const char *spool);
/* Collective. The last dimension becomes the first, that of rows, and the others keep their order: for samples that are
 * last, as MATLAB writes them. Through a second file in the spool directory. On failure the array is as it was. */
dt_status dt_array_turn(dt_array **array, dt_comm *comm, const char *dataset, const char *spool);
void dt_array_close(dt_array *array); /* accepts NULL */
int64_t dt_array_rows(const dt_array *array);
dt_shape dt_array_row_shape(const dt_array *array); /* the shape without its first dimension */
dt_dtype dt_array_dtype(const dt_array *array);
const void *dt_array_row(const dt_array *array, int64_t row);
/* Whether a row holds a number that is none to us, and how to go on after "row N": "is not finite", "has 1e+300, which
 * is finite in the file but beyond float32 (3.4e38)". */
#define DT_FAULT_TEXT 96
bool dt_array_row_fault(const dt_array *array, int64_t row, char *out, size_t size);

/* How samples lie in a text of `tokens` tokens. A sample sees `context` of them; its targets are the tokens one to the
 * right (next), some of them that it cannot see (masked), or a class. The number of a sample, below `samples`, says
 * where it is:
 *
 *   random   of a training epoch, anywhere: drawn from (seed, epoch, number). There are floor((tokens-1)/context).
 *   stream   the text is cut into `streams` equal parts; sample w*streams + s is window w of part s. What is left
 *            behind the last whole window of each is not used for training.
 *   in order for evaluation: windows follow each other, so that every token is predicted once. The last window of a
 *            text begins earlier, for it to be whole, and what it predicts again does not count. In streams, whose
 *            lengths differ by at most one token, the last windows are filled up with id 0, which does not count. */
typedef struct dt_text {
    int64_t context; /* 0: the samples are no text */
    int64_t tokens, streams;
    int64_t vocabulary;  /* token ids are below this; the id of a masked token is this */
    int64_t masked;      /* tokens masked in a window; 0: none */
    int64_t pad;         /* the id of no token in short rows, besides -1 */
    double chars;        /* characters of a token, on the average; 0: not known */
    bool in_order, rows; /* rows: samples are rows of tokens, with classes */
} dt_text;

/* Labels that are no class numbers: the label of each class, ascending. `count` 0: labels are class numbers. */
typedef struct dt_classes {
    int64_t count;
    int64_t *values; /* [count] */
} dt_classes;
void dt_classes_finish(dt_classes *classes);
/* Collective. Those of a checkpoint. */
dt_status dt_classes_open(dt_classes *out, dt_comm *comm, const char *checkpoint);

typedef struct dt_labels dt_labels;        /* which values labels have, and where */
void dt_labels_destroy(dt_labels *labels); /* accepts NULL */
/* "labels of /train/y: 0..3, 255; 255 is in row 77 alone" */
const char *dt_labels_text(const dt_labels *labels);

/* A split: inputs and targets with the same number of rows. */
typedef struct dt_split {
    dt_array *x, *y;
    const char *file, *x_name, *y_name; /* borrowed, for messages; y_name NULL: a text without classes */
    dt_text text;
    int64_t samples;
    int64_t ids;      /* inputs are whole numbers below this, or -1 for no token; 0: inputs are any numbers */
    dt_shape input;   /* of a sample */
    int loss;         /* dt_loss, which decides what y is */
    bool labels;      /* y is one integer per sample, its class; else values */
    bool either;      /* labels, unless the model has one output only; until dt_targets_settle */
    int64_t width;    /* values per sample in y; 1 with labels */
    int64_t targets;  /* labels per sample; 0 without */
    int64_t counted;  /* those that count in every training sample, or 1 where there are values */
    int64_t classes;  /* with labels: the classes there are at least; from dt_targets_settle on, the model's */
    dt_labels *found; /* what labels there are; NULL without, and in a text without classes */
    const dt_classes *class_values; /* borrowed, of dt_targets_settle; NULL: labels are class numbers */
} dt_split;

/* What a split is opened from. All texts are borrowed as long as it is open. */
typedef struct dt_split_source {
    const char *file, *x, *y, *spool;
    int loss;          /* dt_loss */
    bool samples_last; /* the samples are the last dimension of both, not the first */
} dt_split_source;

/* Collective. Opens both arrays and checks that they fit: same rows, at least one, and targets that mean something to
 * the loss (the offending row and its value are named):
 *
 *   softmax_cross_entropy   one whole number a sample, in whatever format, is its label; rows of numbers are shares of
 *                           the classes, from 0 to 1 with the sum 1
 *   binary_cross_entropy    one integer a sample is its label; any other numbers are probabilities, from 0 to 1
 *   mean_squared_error      any finite numbers; one integer a sample is its label if the model has several outputs */
dt_status dt_split_open(dt_split *out, dt_comm *comm, const dt_split_source *source);
void dt_split_close(dt_split *split);

/* Collective. The training or, with `test`, the test data of `file` as a recipe describes it, for a loss; a text
 * `in_order` for an evaluation. `vocabulary` is the size of the file's own; `streams` how many there are to be (at
 * most: as many as tokens), used only if the recipe asks for streams. Every token is looked at; the first that is not
 * in the vocabulary is named. */
dt_status dt_data_open(dt_split *out, dt_comm *comm, const char *file, const dt_recipe_data *data, dt_loss loss,
                       int64_t vocabulary, int64_t streams, bool test, bool in_order);

/* What the targets of a split are to a model with so many outputs at a position: one class for each, or with one output
 * two classes or, to the squared error, numbers. Labels that are class numbers stay so. Others are classes in ascending
 * order: those in `classes`, which must live as long as the split, or, with `open`, those found in this split, which
 * are put there. A label without a class is named with its row. The same on every rank, but memory may fail on one. */
dt_status dt_targets_settle(dt_split *split, dt_classes *classes, bool open, int64_t outputs);
/* The names that an enumeration has for the classes of a settled split, each ended by a 0, "" where it has none: *names
 * [*bytes] is to dt_free, NULL where there are none at all. Not escaped. */
dt_status dt_class_names(const dt_split *split, char **names, int64_t *bytes);
/* Labels that may be `either` are numbers. */
void dt_targets_as_numbers(dt_split *split);
/* A label of `test` that no sample of `train` has: it cannot be learned. False: there is none. */
bool dt_targets_unseen(const dt_split *test, const dt_split *train, int64_t *label, int64_t *row);
/* "uint8 class numbers", "float32 numbers, 4 a sample" */
void dt_targets_text(const dt_split *split, char *out, size_t size);

/* A batch in the model's terms; the arrays belong to the caller. */
typedef struct dt_batch {
    int64_t rows;
    uint64_t first;  /* position of row 0 in the global batch: keys random draws */
    dt_real *x;      /* [rows, inputs] */
    int32_t *labels; /* [rows, targets], or NULL; -1: this one does not count */
    dt_real *values; /* [rows, width], or NULL */
    int64_t targets; /* labels of a sample; 0 means 1 */
    /* Row r is the next window of stream first + r of so many, all of which go on in the next batch; 0: rows stand
     * alone. `fresh`: these are the streams' first windows, before which nothing was read. */
    int64_t streams;
    bool fresh;
} dt_batch;

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

/* For samples of `split`, the one called data->train_x in messages, as `data` says; mean and std are those given. Fails
 * where the samples are no pictures but pictures are to be augmented. */
dt_status dt_scaling_open(dt_scaling *out, const dt_split *split, const dt_recipe_data *data);
void dt_scaling_close(dt_scaling *scaling);
/* Collective. Mean and std from all samples of `split`, by channel; a channel that never changes has std 1. The same
 * bits on any number of ranks: the samples are cut into fixed blocks, and joined in their order. */
dt_status dt_scaling_compute(dt_scaling *scaling, dt_comm *comm, const dt_split *split, const dt_recipe_data *data);
/* Mean and std are now what they will be. */
void dt_scaling_settle(dt_scaling *scaling);

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

/* Fills batch->x and its labels or values with the samples index[0 … rows), scaled and, unless `augment` is NULL,
 * augmented. A text not in order needs `augment`. */
void dt_split_gather(const dt_split *split, const dt_kernels *kernels, const dt_scaling *scaling,
                     const dt_augment *augment, const int64_t *index, int64_t rows, dt_batch *batch);

/* Where sample `index` of a text begins, in tokens. */
int64_t dt_text_start(const dt_split *split, const dt_augment *augment, int64_t index);

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
