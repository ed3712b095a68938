/* Gradients clipped sample by sample, as differential privacy needs them, at little more than the cost of their sum.
 *
 * What is wanted is the sum over samples of min(1, clip/|g|) g, g the gradient of one sample's loss. A first way back
 * finds every |g|² and keeps the gradients of the layers' outputs; then the factors are known, and each layer's sum is
 * a product with output gradients that were weighted by them, without a second way back ("book-keeping"; Bu et al.
 * 2023). |g|² comes about in two ways, whichever is cheaper ("mixed ghost clipping"; Bu et al. 2022): of a dense layer
 * from its input and output gradient alone, for a product's norm is the product of norms ("ghost norm"; Goodfellow
 * 2015, Li et al. 2022); of layers with few weights from the samples' gradients themselves, which are kept and
 * weighted.
 *
 * A sample's part has the same bits whatever samples are beside it. */
#ifndef DTRAIN_PER_SAMPLE_H
#define DTRAIN_PER_SAMPLE_H

#include "plan.h"

typedef struct dt_per_sample {
    dt_real *each; /* [rows, width]: each sample's gradient of the layer's tensors, where that is kept */
    int64_t width; /* as they lie in the arena, from element `begin` on */
    size_t begin;
    bool keeps;                            /* else the gradient of the layer's output is kept */
    dt_real *dy;                           /* [rows, out] */
    const dt_real *x;                      /* what the layer read */
    int64_t scratch[DT_LAYER_MAX_SCRATCH]; /* elements of a row */
} dt_per_sample;

/* After the kind's plan: what the layer will need, or a refusal of what cannot be clipped sample by sample. Nothing
 * where spec.clips is false. */
dt_status dt_per_sample_plan(dt_layer *layer, dt_plan *plan);

/* The way back of a layer with pass->squares: what there is to know for dt_per_sample_sum is kept. */
void dt_per_sample_backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                            dt_real *dx);
/* After it: the sums over samples of factors[r] times sample r's gradient, where the pass wants them. */
void dt_per_sample_sum(const dt_layer *layer, const dt_pass *pass, const dt_real *factors);

/* factors[r] = min(1, clip/sqrt(squares[r])); 0 of a gradient that is no number: it counts for nothing, for a step that
 * failed would tell that somebody has it. */
void dt_per_sample_factors(dt_real *factors, const double *squares, int64_t rows, double clip);

/* For kinds: where row r's gradient of the layer's parameter i is kept; NULL: it is frozen, or not kept. */
dt_real *dt_per_sample_of(const dt_layer *layer, int64_t row, int i);
/* The squared norm of the gradient a[rows, in]^T b[rows, out] of one sample. work: dt_per_sample_product_work(…). */
double dt_per_sample_product(const dt_kernels *kernels, const dt_real *a, int64_t in, const dt_real *b, int64_t out,
                             int64_t rows, dt_real *work);
int64_t dt_per_sample_product_work(int64_t in, int64_t out, int64_t rows);
/* The squared norm of the sums over the rows of b[rows, out]. work: [out]. */
double dt_per_sample_sums(const dt_kernels *kernels, const dt_real *b, int64_t out, int64_t rows, dt_real *work);

#endif
