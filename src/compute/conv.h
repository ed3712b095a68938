/* Convolutions, planned once for a shape. */
#ifndef DTRAIN_COMPUTE_CONV_H
#define DTRAIN_COMPUTE_CONV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "kernels.h"

typedef struct dt_conv dt_conv;

typedef struct dt_conv_shape {
    dt_window window;
    int64_t rows;                      /* pictures at once, at most */
    int64_t in_channels, out_channels; /* multiples of groups */
    int64_t groups;                    /* output channels of a group see the input channels of that group only */
    bool bias;
    bool bf16;                /* the passes in bf16 may be run, too */
    dt_activation activation; /* linear, relu or leaky_relu */
    dt_real slope;            /* leaky ReLU's */
} dt_conv_shape;

/* Plans the convolutions of one shape; without `training` the backward ones cannot be run. Everything that can fail
 * fails here. */
dt_status dt_conv_create(dt_conv **out, const dt_conv_shape *shape, bool training);
void dt_conv_destroy(dt_conv *conv); /* accepts NULL */
/* Bytes of 64-byte aligned memory each call below needs. What is kept in it between calls is packed weights: w may be
 * NULL where the call before was of the same function, or of it and dt_conv_backward_weights, with those. */
size_t dt_conv_workspace(const dt_conv *conv);

/* y[rows, out, out_channels] = act(x[rows, in, in_channels] * w[kernel, in_channels/groups, out_channels] + b). */
void dt_conv_forward(const dt_conv *conv, const dt_kernels *kernels, int64_t rows, dt_real *y, const dt_real *x,
                     const dt_real *w, const dt_real *b, void *workspace);
/* dx and dw from dy, the gradient before the activation and the bias. dw += … when `accumulate`. */
void dt_conv_backward_data(const dt_conv *conv, const dt_kernels *kernels, int64_t rows, dt_real *dx, const dt_real *dy,
                           const dt_real *w, void *workspace);
void dt_conv_backward_weights(const dt_conv *conv, const dt_kernels *kernels, int64_t rows, dt_real *dw,
                              const dt_real *x, const dt_real *dy, bool accumulate, void *workspace);

/* The same of numbers that are rounded to bfloat16 first, with the bits float32's have of rounded numbers, and twice as
 * fast where the processor multiplies pairs of them. `rounded` is as large as x; forward leaves in it what backward
 * finds. dy's memory is used up. */
void dt_conv_forward_bf16(const dt_conv *conv, const dt_kernels *kernels, int64_t rows, dt_real *y, dt_real *rounded,
                          const dt_real *x, const dt_real *w, const dt_real *b, void *workspace);

typedef struct dt_conv_gradients {
    dt_real *dw, *dx; /* NULL for what is not asked for */
    bool accumulate;  /* dw += ... */
} dt_conv_gradients;

void dt_conv_backward_bf16(const dt_conv *conv, const dt_kernels *kernels, int64_t rows, const dt_conv_gradients *to,
                           dt_real *rounded, const dt_real *x, dt_real *dy, const dt_real *w, void *workspace);

#endif
