/* Convolutions (oneDNN), planned once for a shape. */
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
    int64_t rows;                      /* pictures at once: always all of them */
    int64_t in_channels, out_channels; /* multiples of groups */
    int64_t groups;                    /* output channels of a group see the input channels of that group only */
    bool bias;
    dt_activation activation; /* linear, relu or leaky_relu */
    dt_real slope;            /* leaky ReLU's */
    bool bf16;                /* round what is multiplied, where that is faster */
} dt_conv_shape;

/* Plans the convolutions of one shape; without `training` the backward ones cannot be run. Everything that can fail
 * fails here. */
dt_status dt_conv_create(dt_conv **out, const dt_conv_shape *shape, bool training);
void dt_conv_destroy(dt_conv *conv); /* accepts NULL */
/* Whether it multiplies bfloat16 numbers: x, dy and w are then dt_bf16 in the calls below, else dt_real. */
bool dt_conv_rounds(const dt_conv *conv);
/* Bytes of 64-byte aligned memory each call below needs; nothing is kept in it between calls. */
size_t dt_conv_workspace(const dt_conv *conv);

/* y[rows, out, out_channels] = act(x[rows, in, in_channels] * w[kernel, in_channels/groups, out_channels] + b). */
void dt_conv_forward(const dt_conv *conv, dt_real *y, const void *x, const void *w, const dt_real *b, void *workspace);
/* dx and dw from dy, the gradient before the activation and the bias. dw += … when `accumulate`. */
void dt_conv_backward_data(const dt_conv *conv, dt_real *dx, const void *dy, const void *w, void *workspace);
void dt_conv_backward_weights(const dt_conv *conv, dt_real *dw, const void *x, const void *dy, bool accumulate,
                              void *workspace);

#endif
