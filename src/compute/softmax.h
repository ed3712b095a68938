/* The parts of a softmax over one row, for the softmax and for the loss that has one inside. */
#ifndef DTRAIN_COMPUTE_SOFTMAX_H
#define DTRAIN_COMPUTE_SOFTMAX_H

#include "lanes.h"

/* The largest of n; a NaN is passed over. */
static inline dt_real row_max(const dt_real *x, int64_t n) {
    dt_real top[LANES];
    fill_lanes(top, -(dt_real)INFINITY);
    OVER_LANES(n, top[l] = x[j] > top[l] ? x[j] : top[l];);
    return largest_of_lanes(top);
}

/* y = e^(x - top); returns the sum. y may be x. */
static inline dt_real row_exp(dt_real *y, const dt_real *x, int64_t n, dt_real top) {
    dt_real sum[LANES];
    fill_lanes(sum, 0);
    OVER_LANES(n, dt_real e = exp_real(x[j] - top); y[j] = e; sum[l] += e;);
    return sum_of_lanes(sum);
}

static inline dt_real sum_exp(const dt_real *x, int64_t n, dt_real top) {
    dt_real sum[LANES];
    fill_lanes(sum, 0);
    OVER_LANES(n, sum[l] += exp_real(x[j] - top););
    return sum_of_lanes(sum);
}

#endif
