/* Several lists of layers on the same input, their results side by side along the last dimension. An empty list is the
 * input itself, so `concat: [[], [dense: 8]]` adds features to those that are there (Huang et al. 2017). */
#include <stdio.h>
#include <string.h>

#include "sequence.h"

static const dt_field fields[] = {DT_LAYER_NAME_FIELD, {.key = NULL}};

static const dt_layer_list lists[] = {
    {.key = "branches", .many = true, .help = "each gets the input; an empty one is the input itself"},
    {.key = NULL},
};

static const dt_shape *out_of(const dt_layer *layer, int branch) {
    return dt_sequence_out(&layer->inner[branch], &layer->in);
}

/* Whether two shapes are the same but for the last dimension. */
static bool joinable(const dt_shape *a, const dt_shape *b) {
    if (a->rank != b->rank || a->rank == 0) return false;
    for (int i = 0; i + 1 < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

static dt_status plan(dt_layer *layer, dt_plan *plan) {
    int64_t widest = 0, last = 0;
    layer->positionwise = true;
    for (int i = 0; i < layer->inner_count; i++) {
        char scope[2 * sizeof layer->name], first[96], other[96];
        snprintf(scope, sizeof scope, "%s/branch%d/", layer->name, i + 1);
        DT_TRY(dt_sequence_plan(&layer->inner[i], plan, scope, &layer->in, true));
        layer->positionwise = layer->positionwise && layer->inner[i].positionwise;
        const dt_shape *out = out_of(layer, i);
        dt_shape_text(out_of(layer, 0), first);
        dt_shape_text(out, other);
        if (!joinable(out_of(layer, 0), out))
            return dt_layer_fail(layer,
                                 "its branch 1 gives %s but branch %d gives %s; only the last dimension may differ",
                                 first, i + 1, other);
        if (dt_shape_count(out) > widest) widest = dt_shape_count(out);
        last += dt_shape_last(out);
    }
    layer->out = *out_of(layer, 0);
    layer->out.dim[layer->out.rank - 1] = last;
    layer->reads_input = true;
    return dt_plan_training(plan) ? dt_plan_scratch(plan, layer, widest) : dt_ok();
}

/* Copies rows of `width` elements between arrays whose rows lie `to_stride` and `from_stride` apart. */
static void copy_rows(dt_real *to, int64_t to_stride, const dt_real *from, int64_t from_stride, int64_t rows,
                      int64_t width) {
    for (int64_t i = 0; i < rows; i++) memcpy(to + i * to_stride, from + i * from_stride, (size_t)width * sizeof *to);
}

static void forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y) {
    int64_t last = dt_shape_last(&layer->out), positions = pass->rows * (dt_shape_count(&layer->out) / last);
    for (int i = 0; i < layer->inner_count; i++) {
        int64_t width = dt_shape_last(out_of(layer, i));
        copy_rows(y, last, dt_sequence_forward(&layer->inner[i], pass, x), width, positions, width);
        y += width;
    }
}

static void backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                     dt_real *dx) {
    (void)y;
    int64_t last = dt_shape_last(&layer->out), positions = pass->rows * (dt_shape_count(&layer->out) / last);
    int64_t n = pass->rows * dt_shape_count(&layer->in);
    for (int i = 0; i < layer->inner_count; i++) {
        int64_t width = dt_shape_last(out_of(layer, i));
        copy_rows(layer->scratch[0], width, dy, last, positions, width);
        dy += width;
        const dt_real *part = dt_sequence_backward(&layer->inner[i], pass, x, layer->scratch[0], dx != NULL);
        if (dx && i == 0) memcpy(dx, part, (size_t)n * sizeof *dx);
        if (dx && i > 0) pass->kernels->add(dx, part, n);
    }
}

const dt_layer_kind dt_layer_concat = {
    .name = "concat",
    .help = "lists of layers on the same input, their results joined along the last dimension",
    .fields = fields,
    .lists = lists,
    .config_size = sizeof(dt_layer_common),
    .plan = plan,
    .init = NULL,
    .forward = forward,
    .backward = backward,
};
