/* Products with weights, in float32 or bfloat16. */
#ifndef DTRAIN_LINEAR_H
#define DTRAIN_LINEAR_H

#include "plan.h"

/* y = x w, w a parameter of the layer, [in, out], or as it is stored, [out, in], when `transposed`. Planned into
 * layer->state, or wherever it stays until the model ends. */
typedef struct dt_linear {
    int param;
    bool transposed;
    int64_t in, out;
    bool rounds;  /* in bf16; layers of few inputs or outputs, where that gains nothing, are always float32 */
    dt_real *x16; /* a dt_rounded: of what forward multiplied, kept for backward when training */
    dt_real *dy16;
} dt_linear;

/* `param` counts the layer's parameters, as DT_PARAM does; `per_row`: rows of x in a sample. */
dt_status dt_linear_plan(dt_linear *linear, dt_plan *plan, dt_layer *layer, int param, bool transposed,
                         int64_t per_row);
/* y[rows, out] = x[rows, in] w + beta*y. */
void dt_linear_forward(const dt_linear *linear, const dt_layer *layer, const dt_pass *pass, const dt_real *x,
                       int64_t rows, dt_real beta, dt_real *y);
/* The same with beta 0, b[out] added unless it is NULL, and with `relu` what is then below 0 made 0, where that is one
 * piece of work; false: it is not, and nothing was done. */
bool dt_linear_forward_biased(const dt_linear *linear, const dt_layer *layer, const dt_pass *pass, const dt_real *x,
                              int64_t rows, const dt_real *b, bool relu, dt_real *y);
/* dw = x^T dy, added to what is there when `accumulate`, unless w is frozen, or the pass an adjoint one or for norms
 * alone; and dx[rows, in] = dy w^T + beta*dx, unless dx is NULL. After the forward call of the same x; when the last
 * one was with the same address and rows, they hold the same numbers. */
void dt_linear_backward(const dt_linear *linear, const dt_layer *layer, const dt_pass *pass, const dt_real *x,
                        const dt_real *dy, int64_t rows, bool accumulate, dt_real beta, dt_real *dx);

/* What no number of x^T dy, nor of the sums of dy over its rows, exceeds in size; NaN or infinity where it may be no
 * number, and where looking at x and dy is not cheaper than looking at all of x^T dy. */
double dt_linear_gradient_bound(const dt_linear *linear, const dt_kernels *kernels, const dt_real *x, const dt_real *dy,
                                int64_t rows);

/* Workspace that the next needs: for dt_plan_workspace. */
size_t dt_linear_norms_workspace(const dt_linear *linear, int64_t positions);
/* pass->squares gain the squared norms of each sample's gradients of w and of b, the sums of dy, which is the
 * layer's parameter `bias` (-1: there is none). A sample has `positions` rows. What is frozen does not count. */
void dt_linear_norms(const dt_linear *linear, const dt_layer *layer, const dt_pass *pass, const dt_real *x,
                     const dt_real *dy, int64_t positions, int bias);

#endif
