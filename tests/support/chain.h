/* The order of a product's sums as it is written down, number by number with the fused multiply-add of the C library:
 * what every instruction set has to give, to the bit. */
#ifndef DTRAIN_TESTS_CHAIN_H
#define DTRAIN_TESTS_CHAIN_H

#include <math.h>
#include <stdint.h>

/* How many of the n products that are left go into the next chain: 384, but that the last two are of one length. */
static inline int64_t chain_length(int64_t n) {
    if (n >= 768) return 384;
    return n <= 384 ? n : n - n / 2;
}

/* before + the sum of a[i*a_step]*b[i*b_step]; `adds`: there is something before. */
static inline float chain_sum(const float *a, int64_t a_step, const float *b, int64_t b_step, int64_t n, int adds,
                              float before) {
    float whole = before;
    int64_t i = 0;
    do {
        float sum = 0;
        int64_t end = i + chain_length(n - i);
        for (; i < end; i++) sum = fmaf(a[i * a_step], b[i * b_step], sum);
        whole = adds ? whole + sum : sum;
        adds = 1;
    } while (i < n);
    return whole;
}

#endif
