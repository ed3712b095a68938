/* Splits: samples and their targets, opened from a file as a recipe describes them, and fetched in batches. */
#ifndef DTRAIN_SOURCE_H
#define DTRAIN_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "compute/compute.h"
#include "config/recipe.h"
#include "data/array.h"
#include "data/augment.h"
#include "data/batch.h"
#include "data/classes.h"
#include "data/scaling.h"

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

/* Fills batch->x and its labels or values with the samples index[0 … rows), scaled and, unless `augment` is NULL,
 * augmented. A text not in order needs `augment`. */
void dt_split_gather(const dt_split *split, const dt_kernels *kernels, const dt_scaling *scaling,
                     const dt_augment *augment, const int64_t *index, int64_t rows, dt_batch *batch);

/* Where sample `index` of a text begins, in tokens. */
int64_t dt_text_start(const dt_split *split, const dt_augment *augment, int64_t index);

#endif
