/* A layer and the one that follows it, run a few rows at a time. What passes between them stays in the second cache
 * and takes memory for those rows only: a convolution of few channels writes more than it multiplies, so that memory
 * would set the pace, of it, of the pool behind it, and of both on their way back. */
#ifndef DTRAIN_PORTIONS_H
#define DTRAIN_PORTIONS_H

#include "plan.h"

/* How many rows at a time `layer` and `next` are to be run; 0: each by itself. Both are planned. */
int64_t dt_portion_of(const dt_layer *layer, const dt_layer *next, const dt_plan *plan);

/* y[rows, out] of the layer after `layer`, whose x is given. */
void dt_portions_forward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, dt_real *y);
/* The way back of both, from dy and y of the layer after `layer`; dx is NULL or the gradient of x. `pass` is as `layer`
 * sees it. */
void dt_portions_backward(const dt_layer *layer, const dt_pass *pass, const dt_real *x, const dt_real *y, dt_real *dy,
                          dt_real *dx);

#endif
