/* Weights of samples. The loss of a batch is the sum of weighted losses divided by the number of its samples, as Keras
 * has it: what a sample adds does not depend on the others in its batch, so it is the same wherever and with whomever
 * it is computed. (The mean of PyTorch divides by the sum of the weights of the batch.) `balanced` weighs a class of n
 * of all N samples with N/(classes*n), scikit-learn's rule, so weights are 1 on the average. Test data is never
 * weighed: its figures are of samples as they come. */
#include "sample_weights.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alive.h"
#include "base/memory.h"
#include "data/sampler.h"
#include "labels.h"

#define LOOKED_AT 4096 /* rows, between signs of life */

/* ---- of rows ---- */

static bool is_weight(const dt_sample_weights *weights, int64_t row) {
    double weight = dt_number_at(dt_array_row(weights->rows, 0), dt_array_dtype(weights->rows), row);
    return weight >= 0 && weight <= 1e30;
}

/* Collective. */
static dt_status check_rows(const dt_sample_weights *weights, const dt_ranks *ranks, const dt_targets *targets,
                            const char *name) {
    int64_t first, count, samples = targets->selection.count;
    dt_shard_range(samples, ranks->size, ranks->rank, &first, &count);
    int64_t at = first;
    for (; at < first + count; at++) {
        if (at % LOOKED_AT == 0) dt_alive();
        if (!is_weight(weights, dt_selection_row(&targets->selection, at))) break;
    }
    int64_t least = at < first + count ? at : samples;
    DT_TRY(dt_ranks_least(ranks, &least, 1));
    if (least == samples) return dt_ok();
    char text[DT_NUMBER_TEXT];
    int64_t row = dt_selection_row(&targets->selection, least);
    dt_number_text(text, dt_array_row(weights->rows, 0), dt_array_dtype(weights->rows), row);
    return dt_fail(DT_ERR_INPUT, "%s: %s row %lld is %s; a weight is a number from 0 to 1e30", targets->file, name,
                   (long long)row, text);
}

dt_status dt_sample_weights_open(dt_sample_weights *out, const dt_ranks *ranks, const dt_targets *targets,
                                 const dt_recipe_data *data) {
    const char *name = data->train_weights;
    if (!name[0]) return dt_ok();
    DT_TRY(dt_array_open(&out->rows, ranks, targets->file, name, data->spool));
    dt_shape shape = dt_array_row_shape(out->rows);
    int64_t rows = dt_array_rows(targets->y);
    if (dt_array_rows(out->rows) != rows || dt_shape_count(&shape) != 1)
        return dt_fail(DT_ERR_INPUT,
                       "%s: %s has %lld rows of %lld numbers but %s has %lld rows; there must be one weight for each",
                       targets->file, name, (long long)dt_array_rows(out->rows), (long long)dt_shape_count(&shape),
                       targets->name, (long long)rows);
    return check_rows(out, ranks, targets, name);
}

/* ---- of classes ---- */

static dt_status balance(dt_sample_weights *weights, const dt_targets *targets) {
    const dt_label *label;
    double classes = (double)dt_labels_count(targets->found);
    for (int64_t c = 0; c < weights->class_count; c++) weights->classes[c] = 1; /* of one that no sample has */
    for (int64_t i = 0; (label = dt_labels_at(targets->found, i)) != NULL; i++)
        weights->classes[dt_targets_class(targets, label->row)] =
            (double)targets->selection.count / (classes * (double)label->count);
    return dt_ok();
}

static dt_status take_given(dt_sample_weights *weights, const dt_reals *wanted) {
    if (wanted->count != weights->class_count)
        return dt_fail(DT_ERR_INPUT, "train.class_weights has %d numbers but the model has %lld classes", wanted->count,
                       (long long)weights->class_count);
    memcpy(weights->classes, wanted->value, (size_t)wanted->count * sizeof *weights->classes);
    return dt_ok();
}

dt_status dt_sample_weights_settle(dt_sample_weights *weights, const dt_targets *targets, const dt_reals *wanted) {
    if (wanted->count == DT_CLASS_WEIGHTS_NONE) return dt_ok();
    if (!targets->labels || !targets->found || targets->classes > DT_MOST_CLASSES)
        return dt_fail(DT_ERR_INPUT,
                       "train.class_weights needs classes, but %s of %s is no list of labels with an output for each",
                       targets->name, targets->file);
    weights->class_count = targets->classes;
    weights->classes = dt_alloc((size_t)targets->classes, sizeof *weights->classes);
    if (!weights->classes) return dt_fail_memory("the classes' weights", (size_t)targets->classes * sizeof(double));
    return wanted->count == DT_CLASS_WEIGHTS_BALANCED ? balance(weights, targets) : take_given(weights, wanted);
}

/* ---- */

void dt_sample_weights_close(dt_sample_weights *weights) {
    dt_array_close(weights->rows);
    dt_free(weights->classes);
    memset(weights, 0, sizeof *weights);
}

bool dt_sample_weights_any(const dt_sample_weights *weights) {
    return weights->rows || weights->classes;
}

dt_real dt_sample_weight(const dt_sample_weights *weights, int64_t row, int32_t label) {
    double weight = weights->classes ? weights->classes[label] : 1;
    if (weights->rows) weight *= dt_number_at(dt_array_row(weights->rows, 0), dt_array_dtype(weights->rows), row);
    return (dt_real)weight;
}
