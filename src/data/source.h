/* Sources: where samples come from. A source is opened as a recipe describes it, says what its samples are, and fills
 * batches with those that are asked for. What kinds there are is known to source.c alone, as rows of one table; the
 * other rooms ask a source what its samples are, and never what kind it is of. */
#ifndef DTRAIN_SOURCE_H
#define DTRAIN_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ranks.h"
#include "base/status.h"
#include "base/table.h"
#include "compute/compute.h"
#include "config/recipe.h"
#include "data/array.h"
#include "data/augment.h"
#include "data/batch.h"
#include "data/sample_weights.h"
#include "data/sampler.h"
#include "data/scaling.h"
#include "data/selection.h"
#include "data/targets.h"
#include "data/tokenizer.h"

/* What a source's samples are, to whoever computes with them or tells of them. */
typedef struct dt_source_about {
    dt_shape input; /* of a sample */
    dt_dtype dtype; /* of its numbers in the file */
    int64_t ids;    /* inputs are whole numbers below this, or -1 for no token; 0: they are any numbers */
    /* The samples of a pass are so many streams, all of which go on from batch to batch: sample i is the next window of
     * stream i % streams, and the order is not shuffled. 0: samples stand alone. */
    int64_t streams;
    int64_t tokens;         /* of a sample, in which its throughput is told; 0: it is made of none */
    bool predicts_tokens;   /* the targets are tokens: perplexity is a figure */
    double chars;           /* characters that a predicted token stands for, on the average; 0: not known */
    const dt_input *inputs; /* parts of a sample that have names: [input_count] */
    int64_t input_count;    /* 0: none has */
    const char *noun;       /* what dt_source_place counts in the dataset: "row", "token" */
} dt_source_about;

/* What was dealt to each split, of data that is cut (data.split); zeros of other. */
typedef struct dt_dealt {
    int64_t samples[DT_SPLIT_COUNT];
    int64_t groups[DT_SPLIT_COUNT]; /* values of data.split.by; 0: there is none */
} dt_dealt;

typedef struct dt_source_kind dt_source_kind;

typedef struct dt_source {
    const dt_source_kind *kind; /* NULL: it is closed */
    dt_split split;
    const char *file, *x_name; /* borrowed, for messages: where the samples are */
    dt_array *x;               /* the dataset they are read from */
    dt_selection selection;    /* which of its rows they are; of samples that are rows */
    int64_t dropped;           /* rows that are no samples for they lack a value (data.missing: drop) */
    bool fills;                /* NaN in samples is a missing value, which a model's means stand in for: no fault */
    int64_t samples;           /* of a pass: an epoch, or an evaluation */
    const int64_t *among;      /* [samples], borrowed: those that are drawn from, where not all are; NULL: all */
    dt_source_about about;
    dt_targets targets;
    dt_dealt dealt;
    dt_sample_weights weights; /* of training samples */
    bool unlabelled; /* there are samples alone: what their targets would be is known, and batches have none */
    void *own;       /* the kind's */
} dt_source;

/* What a source is opened from. All of it is borrowed as long as the source is open. */
typedef struct dt_source_request {
    const char *file;
    const dt_recipe_data *data;
    dt_loss loss;
    const char *dataset; /* of the samples; NULL: the recipe's */
    const char *targets; /* of their targets; NULL: the recipe's, which is for samples of the recipe's alone */
    dt_split split;      /* which of the recipe's data */
    bool in_order;       /* to be evaluated: all of it once, in order, nothing drawn by chance */
    int64_t vocabulary;  /* size of the file's own, of dt_source_vocabulary; 0: it has none */
    int64_t streams;     /* how many there are to be (at most: as many as tokens), if the recipe asks for streams */
    const dt_selection *chosen; /* the rows that are samples, copied; NULL: all */
    /* What a checkpoint says of the data its model was trained on (identity.h), and its path: samples of another size
     * are then refused before anything is unpacked. NULL: nothing is known. */
    const char *trained, *checkpoint;
    bool unlabelled; /* for a model at work: no targets are looked for; `trained` says what they would be */
} dt_source_request;

/* Collective. What is wrong with the data is found here, as far as a look at all targets and tokens can find it, and
 * named with its file, dataset, row and value. */
dt_status dt_source_open(dt_source *out, const dt_ranks *ranks, const dt_source_request *request);
/* The source a model was trained on, as request->trained tells of it: it says what its samples and targets are, and has
 * none of either. Not collective. */
dt_status dt_source_recall(dt_source *out, const dt_source_request *request);
void dt_source_close(dt_source *source); /* accepts what is zeroed, or closed */

/* Collective. The vocabulary that `file` has for the samples a recipe asks for; an empty one where they are made of no
 * tokens, or it has none. */
dt_status dt_source_vocabulary(dt_vocabulary *out, const dt_ranks *ranks, const char *file, const dt_recipe_data *data);
/* The recipe's field for where samples are: "test_x"; of what is cut from the training data, "train_x". */
void dt_source_field(const dt_recipe_data *data, dt_split split, char out[32]);
/* What that field says. */
const char *dt_source_dataset(const dt_recipe_data *data, dt_split split);

/* The order of an epoch, as data.shuffle says. */
dt_sampler dt_source_order(const dt_source *source, const dt_recipe_data *data, int64_t seed, int64_t epoch);

/* The samples from `position` of that order on will be fetched next: a source that reads files then reads ahead. It
 * changes nothing but how long that takes. */
void dt_source_ahead(const dt_source *source, const dt_sampler *order, int64_t position);

/* Fills batch->x and its labels or values with the samples index[0 … rows), scaled and, unless `augment` is NULL,
 * augmented. Training needs `augment`, an evaluation has none. Where a source fails to read, the batch is zeros, and
 * the failure is kept as that of a product is (dt_compute_failure): all ranks learn of it before anybody acts on the
 * batch. */
void dt_source_fetch(const dt_source *source, const dt_kernels *kernels, const dt_scales *scales,
                     const dt_augment *augment, const int64_t *index, int64_t rows, dt_batch *batch);

/* How many files the samples are in, and in which of them sample `index` is; of samples that are rows. */
int64_t dt_source_files(const dt_source *source);
int64_t dt_source_file_of(const dt_source *source, int64_t index);
/* The label of a sample as its file has it, of targets that are one label a sample. */
int64_t dt_source_label(const dt_source *source, int64_t index);

/* The numbers of sample `index` as its file has them, for passes over all samples, such as that of dt_scaling_compute:
 * input of about.dtype, valid until this thread's next call. NULL of samples that are made of tokens. */
const void *dt_source_row(const dt_source *source, int64_t index);
/* Whether a sample could not be read; to be asked for, by all ranks together, before anything follows from rows. */
dt_status dt_source_failure(const dt_source *source);

/* Where sample `index` is in its dataset: a row or, of a text, the token it begins with (about.noun). */
int64_t dt_source_place(const dt_source *source, const dt_augment *augment, int64_t index);
/* Whether at a place, in the samples or in the targets, is a number that is none to us, and how to go on after "row N":
 * see dt_array_row_fault. */
bool dt_source_fault(const dt_source *source, bool of_targets, int64_t place, char *out, size_t size);

#endif
