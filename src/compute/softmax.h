/* The parts of a softmax over one row, for the softmax and for the loss that has one inside. */
#ifndef DTRAIN_COMPUTE_SOFTMAX_H
#define DTRAIN_COMPUTE_SOFTMAX_H

#include "elementary.h"

static inline dt_real row_max(const dt_real *restrict x, int64_t n) {
    dt_real top = x[0];
    _Pragma("omp simd reduction(max : top)") for (int64_t j = 1; j < n; j++) top = x[j] > top ? x[j] : top;
    return top;
}

/* y = e^(x - top); returns the sum. y may be x. */
static inline dt_real row_exp(dt_real *y, const dt_real *x, int64_t n, dt_real top) {
    dt_real sum = 0;
    _Pragma("omp simd reduction(+ : sum)") for (int64_t j = 0; j < n; j++) {
        y[j] = exp_real(x[j] - top);
        sum += y[j];
    }
    return sum;
}

static inline dt_real sum_exp(const dt_real *x, int64_t n, dt_real top) {
    dt_real sum = 0;
    _Pragma("omp simd reduction(+ : sum)") for (int64_t j = 0; j < n; j++) sum += exp_real(x[j] - top);
    return sum;
}

#endif
