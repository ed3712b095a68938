/* The losses at the end of a model, and what they ask of the layer before them. The formulas are in model.h, the
 * arithmetic in compute/. A loss that contains a squashing function refuses a model that ends with the same one: the
 * mistake trains, slowly and badly, and is hard to see. */
#include <stdio.h>
#include <string.h>

#include "loss.h"

typedef struct loss_kind {
    const char *name;
    const char *contains; /* the squashing function in it */
    int64_t least;        /* outputs it makes sense for */
    int64_t one_output;   /* with labels, one output serves up to this many classes */
    void (*run)(const dt_kernels *kernels, dt_real *output, const dt_batch *batch, int64_t rows, int64_t cols,
                dt_real smoothing, bool gradient, dt_tally *tally);
} loss_kind;

static void softmax_cross_entropy(const dt_kernels *kernels, dt_real *output, const dt_batch *batch, int64_t rows,
                                  int64_t cols, dt_real smoothing, bool gradient, dt_tally *tally) {
    kernels->softmax_cross_entropy(output, batch->labels, batch->values, batch->weights, rows, cols, smoothing,
                                   gradient, tally);
}

static void mean_squared_error(const dt_kernels *kernels, dt_real *output, const dt_batch *batch, int64_t rows,
                               int64_t cols, dt_real smoothing, bool gradient, dt_tally *tally) {
    (void)smoothing;
    kernels->mean_squared_error(output, batch->labels, batch->values, batch->weights, batch->units, rows, cols,
                                gradient, tally);
}

static void binary_cross_entropy(const dt_kernels *kernels, dt_real *output, const dt_batch *batch, int64_t rows,
                                 int64_t cols, dt_real smoothing, bool gradient, dt_tally *tally) {
    kernels->binary_cross_entropy(output, batch->labels, batch->values, batch->weights, rows, cols, smoothing, gradient,
                                  tally);
}

static const loss_kind kinds[] = {
    [DT_LOSS_SOFTMAX_CROSS_ENTROPY] = {"softmax_cross_entropy", "softmax", 2, 0, softmax_cross_entropy},
    [DT_LOSS_MEAN_SQUARED_ERROR] = {"mean_squared_error", NULL, 1, INT64_MAX, mean_squared_error},
    [DT_LOSS_BINARY_CROSS_ENTROPY] = {"binary_cross_entropy", "sigmoid", 1, 2, binary_cross_entropy},
};

/* A sample with several labels needs as many positions, each with the classes in its last dimension; one with one label
 * needs one. */
static dt_status check_positions(const dt_layer *last, const dt_shape *out, int64_t targets) {
    bool fits = dt_shape_count(out) == targets * dt_shape_last(out);
    if (fits && (targets == 1 || out->rank > 1)) return dt_ok();
    char shape[96];
    dt_shape_text(out, shape);
    if (targets == 1)
        return dt_layer_fail(
            last,
            "it gives %s, classes at each of several positions, but a sample has one label; put `- "
            "flatten`, or a pool over the positions, before the last layer that should see all of them",
            shape);
    return dt_layer_fail(last,
                         "it gives %s but a sample has %lld labels; the last layer must give [%lld, classes], a row "
                         "for each label",
                         shape, (long long)targets, (long long)targets);
}

static dt_status fail_classes(const dt_layer *last, long long width, long long classes, const char *labels) {
    char range[48];
    snprintf(range, sizeof range, "labels 0..%lld", classes - 1);
    return dt_layer_fail(
        last, "it gives %lld values but the data has %lld classes (%s); the last layer must give at least %lld", width,
        classes, labels ? labels : range, classes);
}

static dt_status check_width(const loss_kind *kind, const dt_layer *last, long long width, const dt_model_spec *spec) {
    long long wanted = spec->outputs;
    bool labels = spec->targets > 0;
    if (width < kind->least)
        return dt_layer_fail(last,
                             "it gives %lld value but %s is about choosing between classes; give one output for each "
                             "class, or use binary_cross_entropy",
                             width, kind->name);
    if (wanted == 0 || (labels && width == 1 && wanted <= kind->one_output)) return dt_ok();
    if (labels && width < wanted) return fail_classes(last, width, wanted, spec->labels);
    if (!labels && width != wanted)
        return dt_layer_fail(last, "it gives %lld values but a target has %lld; the last layer must give exactly %lld",
                             width, wanted, wanted);
    return dt_ok();
}

dt_status dt_loss_check(const dt_recipe_loss *loss, const dt_layer *last, const dt_shape *out,
                        const dt_model_spec *spec) {
    const loss_kind *kind = &kinds[loss->kind];
    if (last->final_activation && kind->contains && strcmp(last->final_activation, kind->contains) == 0)
        return dt_layer_fail(last, "it ends with %s, but the loss %s already contains one; remove it",
                             last->final_activation, kind->name);
    if (spec->targets > 0 && spec->outputs > 0) DT_TRY(check_positions(last, out, spec->targets));
    int64_t positions = spec->targets > 1 && spec->outputs > 0 ? spec->targets : 1;
    return check_width(kind, last, dt_shape_count(out) / positions, spec);
}

void dt_loss_run(const dt_recipe_loss *loss, const dt_kernels *kernels, dt_real *output, const dt_batch *batch,
                 int64_t outputs, bool gradient, dt_tally *tally) {
    int64_t positions = batch->targets > 1 ? batch->targets : 1;
    kinds[loss->kind].run(kernels, output, batch, batch->rows * positions, outputs / positions,
                          (dt_real)loss->label_smoothing, gradient, tally);
}
