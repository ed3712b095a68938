/* Passes over flat arrays that belong to no layer: sums, blends, transposes, conversions of what files hold. */
#include "lanes.h"
#include "slots.h"

double DT_OF_ISA(sum_squares)(const dt_real *restrict x, int64_t n) {
    double sum[LANES] = {0};
    OVER_LANES(n, sum[l] = fma_double((double)x[j], (double)x[j], sum[l]););
    return sum_of_doubles(sum);
}

void DT_OF_ISA(blend)(dt_real *restrict w, const dt_real *restrict g, int64_t n, dt_real keep, dt_real share) {
    SIMD for (int64_t i = 0; i < n; i++) w[i] = fma_real(keep, w[i], share * g[i]);
}

/* Square by square, so that both sides stay in the cache. */
#define TRANSPOSE(y, x, rows, cols)                                                                                    \
    do {                                                                                                               \
        enum { SIDE = 16 };                                                                                            \
        for (int64_t i = 0; i < (rows); i += SIDE)                                                                     \
            for (int64_t j = 0; j < (cols); j += SIDE)                                                                 \
                for (int64_t b = j; b < (cols) && b < j + SIDE; b++)                                                   \
                    for (int64_t a = i; a < (rows) && a < i + SIDE; a++) (y)[b * (rows) + a] = (x)[a * (cols) + b];    \
    } while (0)

void DT_OF_ISA(transpose)(dt_real *restrict y, const dt_real *restrict x, int64_t rows, int64_t cols) {
    TRANSPOSE(y, x, rows, cols);
}

void DT_OF_ISA(transpose_bf16)(dt_bf16 *restrict y, const dt_bf16 *restrict x, int64_t rows, int64_t cols) {
    TRANSPOSE(y, x, rows, cols);
}

void DT_OF_ISA(add)(dt_real *restrict y, const dt_real *restrict x, int64_t n) {
    SIMD for (int64_t i = 0; i < n; i++) y[i] += x[i];
}

#define CONVERT_FROM(type)                                                                                             \
    do {                                                                                                               \
        const type *restrict from = x;                                                                                 \
        SIMD for (int64_t i = 0; i < n; i++) y[i] = fma_real((dt_real)from[i], scale, shift);                          \
    } while (0)

void DT_OF_ISA(convert)(dt_real *restrict y, const void *x, dt_dtype dtype, int64_t n, dt_real scale, dt_real shift) {
    switch (dtype) {
    case DT_U8: CONVERT_FROM(uint8_t); break;
    case DT_I8: CONVERT_FROM(int8_t); break;
    case DT_U16: CONVERT_FROM(uint16_t); break;
    case DT_I16: CONVERT_FROM(int16_t); break;
    case DT_U32: CONVERT_FROM(uint32_t); break;
    case DT_I32: CONVERT_FROM(int32_t); break;
    case DT_U64: CONVERT_FROM(uint64_t); break;
    case DT_I64: CONVERT_FROM(int64_t); break;
    case DT_F32: CONVERT_FROM(float); break;
    case DT_F64: CONVERT_FROM(double); break;
    case DT_DTYPE_COUNT: break;
    }
}
