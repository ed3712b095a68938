/* The arrays that a prediction makes (results.c). */
#ifndef DTRAIN_RESULTS_H
#define DTRAIN_RESULTS_H

#include "data/classes.h"
#include "data/source.h"
#include "model/model.h"
#include "outputs.h"

#define DT_RESULTS_MOST 64
#define DT_RESULTS_TOP 1000 /* classes of a position that are kept, at most */

/* One array: a row for each sample. */
typedef struct dt_result {
    char name[64];         /* "output", "class", "token", "row", "top…", "log_probability", or a layer's */
    dt_dtype dtype;        /* DT_F32 or DT_I64 */
    dt_shape shape;        /* of a sample */
    int64_t width;         /* numbers of a sample */
    const dt_layer *layer; /* whose activations they are; NULL: none's */
    char *block;           /* of the samples at hand, [rows, width] */
} dt_result;

typedef struct dt_results {
    int count;
    dt_result all[DT_RESULTS_MOST]; /* the first are the outputs or, with `top`, logarithms of their probabilities */
    dt_result *classes, *places;    /* those of `all`; NULL: there are none */
    dt_result *top;                 /* the most likely classes, instead of all outputs; NULL: all outputs are kept */
    dt_result *of_next;             /* with `top`, of a text: logarithm of the probability of the token that comes */
    dt_outputs outputs;
    const dt_classes *known; /* what labels classes have; NULL: their numbers */
} dt_results;

/* What is wanted of a model. */
typedef struct dt_results_wanted {
    const char *const *layers; /* [layer_count]: whose activations */
    int layer_count;
    int64_t top; /* so many of the most likely classes instead of all outputs; 0: all outputs */
    bool next;   /* with `top`: the samples are a text, whose next token has a probability */
} dt_results_wanted;

/* What a model gives for the samples of a source: its outputs, the class chosen by them where there are classes, where
 * a sample is in its dataset where that is not its number, and what is wanted besides. `known` may be NULL. What is
 * borrowed stays the caller's. */
dt_status dt_results_plan(dt_results *out, const dt_model *model, const dt_source *source, const dt_scales *scales,
                          dt_loss loss, const dt_classes *known, const dt_results_wanted *wanted);
/* Memory for so many samples at once; to be finished, also after a failure. */
dt_status dt_results_reserve(dt_results *results, int64_t rows);
void dt_results_finish(dt_results *results);
size_t dt_result_bytes(const dt_result *result); /* of a sample */

#endif
