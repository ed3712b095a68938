/* How gradients are clipped sample by sample: which layer keeps what, and the two halves of the way back. */
#include "per_sample.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

/* A sample's own gradients may take this many times what its output gradient would, for they save products; or so much
 * for all rows, which is written and read again before it has left the caches. */
#define ROOM 2
#define CACHED (INT64_C(1) << 21) /* numbers */

/* ---- planning ---- */

static dt_status refuse(const dt_layer *layer) {
    if (layer->kind->mixes)
        return dt_layer_fail(
            layer,
            "%s mixes the samples of a batch, so nobody's part in a gradient is bounded, which privacy "
            "needs; use group_norm or layer_norm",
            layer->kind->name);
    for (int i = 0; i < layer->param_count; i++)
        if (layer->table->tensors[layer->param[i]].flags & DT_TENSOR_SHARED)
            return dt_layer_fail(
                layer, "with privacy it cannot use another layer's weights: a sample's gradient of them would "
                       "have two parts; leave out `of`");
    if (layer->kind->by_row || layer->kind->norms) return dt_ok();
    return dt_layer_fail(layer,
                         "with privacy the gradient of each sample is clipped, which %s cannot do yet; freeze it "
                         "(model.freeze) or use other layers",
                         layer->kind->name);
}

/* Whether samples' gradients would take more memory than a second product of the layer takes time. */
static bool is_large(const dt_layer *layer, const dt_plan *plan, int64_t width) {
    return width / ROOM > dt_shape_count(&layer->out) && width > CACHED / dt_plan_rows(plan);
}

static dt_status place(dt_layer *layer, dt_plan *plan, dt_per_sample *own) {
    size_t end = 0;
    own->begin = SIZE_MAX;
    for (int i = 0; i < layer->param_count; i++) {
        const dt_tensor *tensor = &layer->table->tensors[layer->param[i]];
        if (tensor->flags & DT_TENSOR_FROZEN) continue;
        if (tensor->offset < own->begin) own->begin = tensor->offset;
        if (tensor->offset + tensor->count > end) end = tensor->offset + tensor->count;
    }
    own->width = (int64_t)(end - own->begin);
    own->keeps = layer->kind->norms && (!layer->kind->by_row || is_large(layer, plan, own->width));
    return own->keeps ? dt_plan_memory(plan, &own->dy, dt_shape_count(&layer->out))
                      : dt_plan_memory(plan, &own->each, own->width);
}

dt_status dt_per_sample_plan(dt_layer *layer, dt_plan *plan) {
    if (!plan->spec->clips) return dt_ok();
    bool trained = dt_layer_is_trained(layer);
    if (trained || layer->kind->mixes) DT_TRY(refuse(layer));
    if (!trained) return dt_ok();
    dt_per_sample *own = layer->per_sample = dt_alloc(1, sizeof *own);
    if (!own) return dt_fail_memory("a layer", sizeof *own);
    memcpy(own->scratch, layer->scratch_width, sizeof own->scratch);
    return dt_status_within(place(layer, plan, own), "recipe %s: layer %s", layer->source, layer->name);
}

/* ---- the way back ---- */

dt_real *dt_per_sample_of(const dt_layer *layer, int64_t row, int i) {
    const dt_per_sample *own = layer->per_sample;
    const dt_tensor *tensor = &layer->table->tensors[layer->param[i]];
    if (!own->each || tensor->flags & DT_TENSOR_FROZEN) return NULL;
    return own->each + row * own->width + (tensor->offset - own->begin);
}

/* The kind's own way back, a row at a time, with the row's gradients where they are kept. */
static void row_by_row(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                       dt_real *dx) {
    const dt_per_sample *own = layer->per_sample;
    const int64_t in = dt_shape_count(&layer->in), out = dt_shape_count(&layer->out);
    dt_layer alone = *layer;
    dt_pass one = *pass;
    one.rows = 1;
    one.squares = NULL;
    one.accumulate = one.grads_in_parts = false;
    one.grads_begin = own->begin;
    for (int64_t r = 0; r < pass->rows; r++) {
        for (int s = 0; s < layer->scratch_count; s++) alone.scratch[s] = layer->scratch[s] + r * own->scratch[s];
        one.first = pass->first + (uint64_t)r;
        one.tokens = pass->tokens ? pass->tokens + r * pass->positions : NULL;
        one.grads = own->each + r * own->width;
        layer->kind->backward(&alone, &one, x + r * in, y ? y + r * out : NULL, dy + r * out, dx ? dx + r * in : NULL);
        for (int i = 0; i < layer->param_count; i++)
            if (!dt_param_is_frozen(layer, i))
                pass->squares[r] += pass->kernels->sum_squares(dt_per_sample_of(layer, r, i),
                                                               (int64_t)layer->table->tensors[layer->param[i]].count);
    }
}

void dt_per_sample_backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                            dt_real *dx) {
    dt_per_sample *own = layer->per_sample;
    if (!own) {
        layer->kind->backward(layer, pass, x, y, dy, dx);
        return;
    }
    own->x = x;
    if (own->dy && own->dy != dy)
        dy = memcpy(own->dy, dy, (size_t)(pass->rows * dt_shape_count(&layer->out)) * sizeof *dy);
    if (layer->kind->norms)
        layer->kind->norms(layer, pass, x, y, dy, dx);
    else
        row_by_row(layer, pass, x, y, dy, dx);
}

/* ---- sums ---- */

/* A tensor's sum from the samples' own: factors[1, rows] each[rows, count]. */
static void sum_each(const dt_layer *layer, const dt_pass *pass, const dt_real *factors, int i) {
    dt_real *gradient = dt_param_gradient(layer, pass, i);
    const int64_t count = (int64_t)layer->table->tensors[layer->param[i]].count;
    if (!gradient) return;
    pass->kernels->product(&(dt_matrix_product){.rows = 1,
                                                .cols = count,
                                                .depth = pass->rows,
                                                .a = factors,
                                                .b = dt_per_sample_of(layer, 0, i),
                                                .c = gradient,
                                                .lda = pass->rows,
                                                .ldb = layer->per_sample->width,
                                                .ldc = count,
                                                .add = pass->accumulate});
}

/* x[rows, cols], row by row times its factor. */
static void weigh(dt_real *x, const dt_real *factors, int64_t rows, int64_t cols) {
    for (int64_t r = 0; r < rows; r++) {
        dt_real *row = x + r * cols;
        for (int64_t j = 0; j < cols && factors[r] != 1; j++) row[j] *= factors[r];
    }
}

/* Rows of samples that do not count: what is no number stays none, whatever it is multiplied with. */
static void leave_out(dt_real *x, const dt_real *factors, int64_t rows, int64_t cols) {
    for (int64_t r = 0; r < rows; r++)
        if (factors[r] == 0) memset(x + r * cols, 0, (size_t)cols * sizeof *x);
}

void dt_per_sample_sum(const dt_layer *layer, const dt_pass *pass, const dt_real *factors) {
    const dt_per_sample *own = layer->per_sample;
    if (!own) return;
    if (own->keeps) {
        weigh(own->dy, factors, pass->rows, dt_shape_count(&layer->out));
        leave_out(own->dy, factors, pass->rows, dt_shape_count(&layer->out));
        leave_out((dt_real *)own->x, factors, pass->rows, dt_shape_count(&layer->in)); /* nobody reads it for more */
        layer->kind->sums(layer, pass, own->x, own->dy);
        return;
    }
    leave_out(own->each, factors, pass->rows, own->width);
    for (int i = 0; i < layer->param_count; i++) sum_each(layer, pass, factors, i);
}

void dt_per_sample_factors(dt_real *factors, const double *squares, int64_t rows, double clip) {
    for (int64_t r = 0; r < rows; r++) {
        double norm = sqrt(squares[r]);
        factors[r] = !isfinite(norm) ? 0 : norm > clip ? (dt_real)(clip / norm) : 1;
    }
}

/* ---- for kinds ---- */

/* The norm of a^T b through the products of their rows, or through itself. */
static bool by_pairs(int64_t in, int64_t out, int64_t rows) {
    return rows * (in + out) < in * out;
}

int64_t dt_per_sample_product_work(int64_t in, int64_t out, int64_t rows) {
    if (rows == 1) return 0;
    return by_pairs(in, out, rows) ? 2 * rows * rows : in * out;
}

/* c[rows, rows] = a a^T */
static void products_of_rows(const dt_kernels *kernels, const dt_real *a, int64_t cols, int64_t rows, dt_real *c) {
    kernels->product(&(dt_matrix_product){.rows = rows,
                                          .cols = rows,
                                          .depth = cols,
                                          .a = a,
                                          .b = a,
                                          .c = c,
                                          .lda = cols,
                                          .ldb = cols,
                                          .ldc = rows,
                                          .b_turned = true});
}

double dt_per_sample_product(const dt_kernels *kernels, const dt_real *a, int64_t in, const dt_real *b, int64_t out,
                             int64_t rows, dt_real *work) {
    if (rows == 1) return kernels->sum_squares(a, in) * kernels->sum_squares(b, out);
    if (by_pairs(in, out, rows)) {
        dt_real *of_a = work, *of_b = work + rows * rows;
        products_of_rows(kernels, a, in, rows, of_a);
        products_of_rows(kernels, b, out, rows, of_b);
        double sum = 0;
        for (int64_t i = 0; i < rows * rows; i++) sum += (double)of_a[i] * (double)of_b[i];
        return sum > 0 || isnan(sum) ? sum : 0; /* rounding, of what is nearly nothing */
    }
    kernels->product(&(dt_matrix_product){.rows = in,
                                          .cols = out,
                                          .depth = rows,
                                          .a = a,
                                          .b = b,
                                          .c = work,
                                          .lda = in,
                                          .ldb = out,
                                          .ldc = out,
                                          .a_turned = true});
    return kernels->sum_squares(work, in * out);
}

double dt_per_sample_sums(const dt_kernels *kernels, const dt_real *b, int64_t out, int64_t rows, dt_real *work) {
    if (rows == 1) return kernels->sum_squares(b, out);
    kernels->activate_backward((dt_real *)b, work, NULL, NULL, rows, out, DT_LINEAR, 0, false);
    return kernels->sum_squares(work, out);
}
