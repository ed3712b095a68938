/* Products of activations with weights, in the precision the model was planned for: the one place that knows both.
 *
 * In bf16 the weights come rounded, from the pass; x is rounded in forward and kept for the way back, dy there. What is
 * kept says of which x it was made: a layer that goes forward position by position has it made again for each position
 * on the way back. */
#include "linear.h"

#include <math.h>

#include "base/memory.h"
#include "per_sample.h"

#define NARROW 16 /* a vector: below so many inputs or outputs float32 is as fast, and exacter */

/* x[rows, in] rounded, as scratch holds it. */
typedef struct dt_rounded {
    const dt_real *x;
    int64_t rows;
    _Alignas(DT_ALIGNMENT) dt_bf16 values[];
} dt_rounded;

/* Elements of scratch a row with `values` numbers takes, with room for the rest of a dt_rounded. */
static int64_t scratch_for(int64_t values) {
    return (int64_t)((values * (int64_t)sizeof(dt_bf16) + (int64_t)sizeof(dt_rounded)) / (int64_t)sizeof(dt_real)) + 1;
}

dt_status dt_linear_plan(dt_linear *linear, dt_plan *plan, dt_layer *layer, int param, bool transposed,
                         int64_t per_row) {
    const dt_shape *shape = &layer->table->tensors[layer->param[param]].shape;
    *linear = (dt_linear){.param = param,
                          .transposed = transposed,
                          .in = shape->dim[transposed ? 1 : 0],
                          .out = shape->dim[transposed ? 0 : 1]};
    linear->rounds = dt_plan_spec(plan)->bf16 && linear->in >= NARROW && linear->out >= NARROW;
    if (!linear->rounds) return dt_ok();
    if (!dt_plan_training(plan)) return dt_plan_rounded(plan, &linear->x16, scratch_for(per_row * linear->in));
    DT_TRY(dt_plan_memory(plan, &linear->x16, scratch_for(per_row * linear->in)));
    return dt_plan_rounded(plan, &linear->dy16, scratch_for(per_row * linear->out));
}

/* ---- float32 ---- */

static void forward32(const dt_linear *linear, const dt_kernels *kernels, const dt_real *w, const dt_real *x,
                      int64_t rows, const dt_real *b, bool relu, bool add, dt_real *y) {
    int64_t in = linear->in, out = linear->out;
    kernels->product(&(dt_matrix_product){.rows = rows,
                                          .cols = out,
                                          .depth = in,
                                          .a = x,
                                          .lda = in,
                                          .b = w,
                                          .b_turned = linear->transposed,
                                          .ldb = linear->transposed ? in : out,
                                          .c = y,
                                          .ldc = out,
                                          .add = add,
                                          .bias = b,
                                          .relu = relu});
}

/* dw = x^T dy, or as it is stored, transposed, dy^T x. */
static void weights32(const dt_linear *linear, const dt_kernels *kernels, const dt_real *x, const dt_real *dy,
                      int64_t rows, bool add, dt_real *dw) {
    int64_t down = linear->transposed ? linear->out : linear->in,
            across = linear->transposed ? linear->in : linear->out;
    kernels->product(&(dt_matrix_product){.rows = down,
                                          .cols = across,
                                          .depth = rows,
                                          .a = linear->transposed ? dy : x,
                                          .a_turned = true,
                                          .lda = down,
                                          .b = linear->transposed ? x : dy,
                                          .ldb = across,
                                          .c = dw,
                                          .ldc = across,
                                          .add = add});
}

static void data32(const dt_linear *linear, const dt_kernels *kernels, const dt_real *w, const dt_real *dy,
                   int64_t rows, bool add, dt_real *dx) {
    int64_t in = linear->in, out = linear->out;
    kernels->product(&(dt_matrix_product){.rows = rows,
                                          .cols = in,
                                          .depth = out,
                                          .a = dy,
                                          .lda = out,
                                          .b = w,
                                          .b_turned = !linear->transposed,
                                          .ldb = linear->transposed ? in : out,
                                          .c = dx,
                                          .ldc = in,
                                          .add = add});
}

/* ---- bf16: the same ---- */

static const dt_bf16 *round_x(const dt_linear *linear, const dt_pass *pass, const dt_real *x, int64_t rows) {
    dt_rounded *kept = (dt_rounded *)linear->x16;
    kept->x = x;
    kept->rows = rows;
    pass->kernels->to_bf16(kept->values, x, rows * linear->in);
    return kept->values;
}

static const dt_bf16 *rounded_x(const dt_linear *linear, const dt_pass *pass, const dt_real *x, int64_t rows) {
    const dt_rounded *kept = (const dt_rounded *)linear->x16;
    return kept->x == x && kept->rows == rows ? kept->values : round_x(linear, pass, x, rows);
}

static void forward16(const dt_linear *linear, const dt_kernels *kernels, const dt_bf16 *w, const dt_bf16 *x,
                      int64_t rows, dt_real beta, dt_real *y) {
    int64_t in = linear->in, out = linear->out;
    kernels->product_bf16(&(dt_matrix_product_bf16){.rows = rows,
                                                    .cols = out,
                                                    .depth = in,
                                                    .a = x,
                                                    .b = w,
                                                    .c = y,
                                                    .lda = in,
                                                    .ldb = linear->transposed ? in : out,
                                                    .ldc = out,
                                                    .b_turned = linear->transposed,
                                                    .add = beta != 0});
}

/* dw as it is stored. */
static void weights16(const dt_linear *linear, const dt_kernels *kernels, const dt_bf16 *x, const dt_bf16 *dy,
                      int64_t rows, bool accumulate, dt_real *dw) {
    int64_t in = linear->in, out = linear->out, down = linear->transposed ? out : in,
            across = linear->transposed ? in : out;
    kernels->product_bf16(&(dt_matrix_product_bf16){.rows = down,
                                                    .cols = across,
                                                    .depth = rows,
                                                    .a = linear->transposed ? dy : x,
                                                    .b = linear->transposed ? x : dy,
                                                    .c = dw,
                                                    .lda = down,
                                                    .ldb = across,
                                                    .ldc = across,
                                                    .a_turned = true,
                                                    .add = accumulate});
}

static void data16(const dt_linear *linear, const dt_kernels *kernels, const dt_bf16 *w, const dt_bf16 *dy,
                   int64_t rows, dt_real beta, dt_real *dx) {
    int64_t in = linear->in, out = linear->out;
    kernels->product_bf16(&(dt_matrix_product_bf16){.rows = rows,
                                                    .cols = in,
                                                    .depth = out,
                                                    .a = dy,
                                                    .b = w,
                                                    .c = dx,
                                                    .lda = out,
                                                    .ldb = linear->transposed ? in : out,
                                                    .ldc = in,
                                                    .b_turned = !linear->transposed,
                                                    .add = beta != 0});
}

/* ---- either ---- */

void dt_linear_forward(const dt_linear *linear, const dt_layer *layer, const dt_pass *pass, const dt_real *x,
                       int64_t rows, dt_real beta, dt_real *y) {
    if (linear->rounds)
        forward16(linear, pass->kernels, DT_PARAM(layer, pass->weights16, linear->param),
                  round_x(linear, pass, x, rows), rows, beta, y);
    else
        forward32(linear, pass->kernels, DT_PARAM(layer, pass->weights, linear->param), x, rows, NULL, false, beta != 0,
                  y);
}

/* Where its gradient is wanted, if it is. */
static dt_real *gradient_of(const dt_linear *linear, const dt_layer *layer, const dt_pass *pass) {
    return pass->adjoint || pass->squares ? NULL : dt_param_gradient(layer, pass, linear->param);
}

bool dt_linear_forward_biased(const dt_linear *linear, const dt_layer *layer, const dt_pass *pass, const dt_real *x,
                              int64_t rows, const dt_real *b, bool relu, dt_real *y) {
    if (linear->rounds) return false;
    forward32(linear, pass->kernels, DT_PARAM(layer, pass->weights, linear->param), x, rows, b, relu, false, y);
    return true;
}

static void backward16(const dt_linear *linear, const dt_layer *layer, const dt_pass *pass, const dt_real *x,
                       const dt_real *dy, int64_t rows, bool accumulate, dt_real beta, dt_real *dx) {
    dt_bf16 *dy16 = (dt_bf16 *)linear->dy16;
    dt_real *dw = gradient_of(linear, layer, pass);
    pass->kernels->to_bf16(dy16, dy, rows * linear->out);
    if (dw) weights16(linear, pass->kernels, rounded_x(linear, pass, x, rows), dy16, rows, accumulate, dw);
    if (dx) data16(linear, pass->kernels, DT_PARAM(layer, pass->weights16, linear->param), dy16, rows, beta, dx);
}

void dt_linear_backward(const dt_linear *linear, const dt_layer *layer, const dt_pass *pass, const dt_real *x,
                        const dt_real *dy, int64_t rows, bool accumulate, dt_real beta, dt_real *dx) {
    if (linear->rounds) {
        backward16(linear, layer, pass, x, dy, rows, accumulate, beta, dx);
        return;
    }
    dt_real *dw = gradient_of(linear, layer, pass);
    if (dw) weights32(linear, pass->kernels, x, dy, rows, accumulate, dw);
    if (dx) data32(linear, pass->kernels, DT_PARAM(layer, pass->weights, linear->param), dy, rows, beta != 0, dx);
}

/* Rounding a sum of products adds less than 2^-23 of it a row: twice is plenty. What is rounded to bf16 may become
 * infinite there, however small the other factor. */
double dt_linear_gradient_bound(const dt_linear *linear, const dt_kernels *kernels, const dt_real *x, const dt_real *dy,
                                int64_t rows) {
    int64_t in = linear->in, out = linear->out;
    if (linear->rounds || rows * (in + out) >= in * out) return INFINITY;
    return 2 * (double)rows * (1 + kernels->largest(x, rows * in)) * kernels->largest(dy, rows * out);
}

size_t dt_linear_norms_workspace(const dt_linear *linear, int64_t positions) {
    int64_t work = dt_per_sample_product_work(linear->in, linear->out, positions);
    return (size_t)(work > linear->out ? work : linear->out) * sizeof(dt_real);
}

void dt_linear_norms(const dt_linear *linear, const dt_layer *layer, const dt_pass *pass, const dt_real *x,
                     const dt_real *dy, int64_t positions, int bias) {
    bool of_w = !dt_param_is_frozen(layer, linear->param), of_b = bias >= 0 && !dt_param_is_frozen(layer, bias);
    for (int64_t r = 0; r < pass->rows; r++) {
        const dt_real *a = x + r * positions * linear->in, *b = dy + r * positions * linear->out;
        if (of_w)
            pass->squares[r] +=
                dt_per_sample_product(pass->kernels, a, linear->in, b, linear->out, positions, layer->workspace);
        if (of_b) pass->squares[r] += dt_per_sample_sums(pass->kernels, b, linear->out, positions, layer->workspace);
    }
}
