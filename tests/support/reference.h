/* What every kernel should compute, in plain double loops written from the formulas and not from the kernels: one
 * thought a line, nothing fused, nothing clever. It shares no type with the code under test but the lists of kinds, so
 * that the same reference serves the float kernels and the double build. */
#ifndef DTRAIN_REFERENCE_H
#define DTRAIN_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

/* Uniform in [-1, 1): element `index` of sequence `seed` (splitmix64). */
double ref_uniform(uint64_t seed, uint64_t index);

/* x rounded to the nearest number with 8 bits of precision and float32's exponents, ties to even. */
double ref_bf16(double x);

/* c[m, n] = op(a)[m, k] op(b)[k, n] + beta c, all densely stored. */
void ref_gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const double *a, const double *b,
              double beta, double *c);

/* The activations by the number dt_activation gives them, and their slopes at the *input* v. */
double ref_activation(int act, double v, double leak);
double ref_activation_slope(int act, double v, double leak);

void ref_softmax(double *y, const double *x, int64_t rows, int64_t cols);
/* dx = J(y)^T dy with the Jacobian written out. */
void ref_softmax_backward(double *dx, const double *dy, const double *y, int64_t rows, int64_t cols);

/* Normalisation of x[rows, positions, cols]. A number's mean and variance are those of all numbers that share its set:
 * for batch norm those of its column, for layer and RMS norm of its (row, position), for group norm of its row and
 * group. */
typedef enum ref_norm { REF_BATCH_NORM, REF_LAYER_NORM, REF_RMS_NORM, REF_GROUP_NORM } ref_norm;
typedef struct ref_norm_shape {
    ref_norm kind;
    int64_t rows, positions, cols, groups;
    double eps;
    bool relu;
} ref_norm_shape;

/* scale and shift may be NULL. mean and variance [numbers of x] receive those of each number's set. */
void ref_normalise(double *y, double *mean, double *variance, const double *x, const double *scale, const double *shift,
                   const ref_norm_shape *shape);
/* dx, dscale[cols] and dshift[cols] from the derivative of each output by each input, written out. */
void ref_normalise_backward(double *dx, double *dscale, double *dshift, const double *dy, const double *x,
                            const double *scale, const double *shift, const ref_norm_shape *shape);

/* One number of the upsampled picture: x[height, width, cols] at (line, column, col) of the larger one. */
double ref_upsampled(const double *x, int64_t height, int64_t width, int64_t cols, int64_t factor_high,
                     int64_t factor_wide, bool linear, int64_t line, int64_t column, int64_t col);

/* Sums over a batch. */
typedef struct ref_tally {
    double loss, abs_error;
    int64_t rows, correct, correct_top5; /* rows: those that count */
} ref_tally;

/* The losses by the number dt_loss gives them, on outputs[rows, cols]; labels or values, the other NULL. A row whose
 * label is -1 does not count. gradient may be NULL. */
ref_tally ref_loss(int kind, double *gradient, const double *output, const int32_t *labels, const double *values,
                   const double *weights, int64_t rows, int64_t cols, double smoothing);

/* 1/(1 - rate) or 0: what dropout multiplies an element of a sample with. `words` gives the four words of a block. */
double ref_dropout_factor(void (*words)(uint32_t out[4], uint64_t sample, uint64_t block), uint64_t sample,
                          uint64_t element, double rate);

/* Where windows go over pictures: index 0 is down, 1 across; output pixel (i, j) begins at (i, j)*stride - before. */
typedef struct ref_window {
    int64_t in[2], out[2], kernel[2], stride[2], dilation[2], before[2];
} ref_window;

/* y[rows, out, channels_out] = x[rows, in, channels_in] * w[kernel, channels_in/groups, channels_out] + b (or NULL),
 * and the gradients of sum(dy*y). */
void ref_conv(double *y, const double *x, const double *w, const double *b, const ref_window *window, int64_t rows,
              int64_t channels_in, int64_t channels_out, int64_t groups);
void ref_conv_backward(double *dx, double *dw, const double *dy, const double *x, const double *w,
                       const ref_window *window, int64_t rows, int64_t channels_in, int64_t channels_out,
                       int64_t groups);

/* Pools of x[rows, in, channels] and the gradient of sum(dy*y); y, dy[rows, out, channels]. y or dx may be NULL. */
void ref_max_pool(double *y, double *dx, const double *dy, const double *x, const ref_window *window, int64_t rows,
                  int64_t channels);
void ref_avg_pool(double *y, double *dx, const double *dy, const double *x, const ref_window *window, int64_t rows,
                  int64_t channels);

/* Attention on qkv[rows, positions, heads + 2 kv_heads, size]: queries' heads first, then keys', then values'. */
typedef struct ref_attention_shape {
    int64_t rows, positions, heads, kv_heads, size;
    bool causal;
    const bool *hidden; /* [rows, positions]: keys nobody sees; or NULL */
} ref_attention_shape;

/* y[rows, positions, heads, size], and dqkv, the gradient of sum(dy*y). log2_sum[rows, heads, positions]: see
 * dt_kernels. */
void ref_attention(double *y, double *log2_sum, double *dqkv, const double *dy, const double *qkv,
                   const ref_attention_shape *shape);

/* One element through one update rule. */
typedef struct ref_update {
    double lr, grad_scale, grad_limit, l2, decay, momentum, beta1, beta2, rho, eps;
    int64_t t; /* 1-based number of the update */
    bool nesterov;
} ref_update;

void ref_sgd(double *w, double *velocity, double g, const ref_update *u);
void ref_adam(double *w, double *m, double *v, double g, const ref_update *u);
void ref_rmsprop(double *w, double *v, double *velocity, double g, const ref_update *u);
void ref_adagrad(double *w, double *sum, double g, const ref_update *u);

#endif
