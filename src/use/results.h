/* The arrays that a prediction makes (results.c). */
#ifndef DTRAIN_RESULTS_H
#define DTRAIN_RESULTS_H

#include "data/classes.h"
#include "data/source.h"
#include "model/model.h"
#include "outputs.h"

#define DT_RESULTS_MOST 64

/* One array: a row for each sample. */
typedef struct dt_result {
    char name[64];         /* "output", "class", "token", "row", or a layer's */
    dt_dtype dtype;        /* DT_F32 or DT_I64 */
    dt_shape shape;        /* of a sample */
    int64_t width;         /* numbers of a sample */
    const dt_layer *layer; /* whose activations they are; NULL: none's */
    char *block;           /* of the samples at hand, [rows, width] */
} dt_result;

typedef struct dt_results {
    int count;
    dt_result all[DT_RESULTS_MOST]; /* the first are the outputs */
    dt_result *classes, *places;    /* those of `all`; NULL: there are none */
    dt_outputs outputs;
    const dt_classes *known; /* what labels classes have; NULL: their numbers */
} dt_results;

/* What a model gives for the samples of a source: its outputs, the class chosen by them where there are classes, where
 * a sample is in its dataset where that is not its number, and the activations of the layers called layers[0 …
 * layer_count). `known` may be NULL. What is borrowed stays the caller's. */
dt_status dt_results_plan(dt_results *out, const dt_model *model, const dt_source *source, const dt_scales *scales,
                          dt_loss loss, const dt_classes *known, const char *const *layers, int layer_count);
/* Memory for so many samples at once; to be finished, also after a failure. */
dt_status dt_results_reserve(dt_results *results, int64_t rows);
void dt_results_finish(dt_results *results);
size_t dt_result_bytes(const dt_result *result); /* of a sample */

#endif
