/* Passes over flat arrays that belong to no layer: sums, blends, transposes, conversions of what files hold. */
#include "lanes.h"
#include "slots.h"
#include "turning.h"

double DT_OF_ISA(sum_squares)(const dt_real *restrict x, int64_t n) {
    double sum[LANES] = {0};
    OVER_LANES(n, sum[l] = fma_double((double)x[j], (double)x[j], sum[l]););
    return sum_of_doubles(sum);
}

void DT_OF_ISA(blend)(dt_real *restrict w, const dt_real *restrict g, int64_t n, dt_real keep, dt_real share) {
    SIMD for (int64_t i = 0; i < n; i++) w[i] = fma_real(keep, w[i], share * g[i]);
}

/* y[cols, rows] = x[rows, cols], transposed, but for the first `down` rows' first `across` columns. */
#define TRANSPOSE_REST(y, x, rows, cols, down, across)                                                                 \
    for (int64_t i = 0; i < (rows); i++)                                                                               \
        for (int64_t j = i < (down) ? (across) : 0; j < (cols); j++) (y)[j * (rows) + i] = (x)[i * (cols) + j]

void DT_OF_ISA(transpose)(dt_real *restrict y, const dt_real *restrict x, int64_t rows, int64_t cols) {
    const int64_t down = rows / PER_VECTOR * PER_VECTOR, across = cols / PER_VECTOR * PER_VECTOR;
    for (int64_t i = 0; i < down; i += PER_VECTOR)
        for (int64_t j = 0; j < across; j += PER_VECTOR)
            transpose_square(y + j * rows + i, rows, x + i * cols + j, cols);
    TRANSPOSE_REST(y, x, rows, cols, down, across);
}

#ifdef DT_REAL_DOUBLE

void DT_OF_ISA(transpose_bf16)(dt_bf16 *restrict y, const dt_bf16 *restrict x, int64_t rows, int64_t cols) {
    TRANSPOSE_REST(y, x, rows, cols, 0, 0);
}

#else

typedef uint16_t half_words __attribute__((vector_size(VECTOR_BYTES / 2)));
typedef uint32_t words __attribute__((vector_size(VECTOR_BYTES)));

/* Numbers of two rows in turn: pairs of them, as a transposed row has them, are what is turned. */
INLINE vector pair_rows(const dt_bf16 *first, const dt_bf16 *second) {
    half_words a, b;
    memcpy(&a, first, sizeof a);
    memcpy(&b, second, sizeof b);
    return (vector)(__builtin_convertvector(a, words) | __builtin_convertvector(b, words) << 16);
}

void DT_OF_ISA(transpose_bf16)(dt_bf16 *restrict y, const dt_bf16 *restrict x, int64_t rows, int64_t cols) {
    const int64_t down = rows / (2 * PER_VECTOR) * (2 * PER_VECTOR), across = cols / PER_VECTOR * PER_VECTOR;
    for (int64_t i = 0; i < down; i += 2 * PER_VECTOR)
        for (int64_t j = 0; j < across; j += PER_VECTOR) {
            const dt_bf16 *from = x + i * cols + j;
            vector a[PER_VECTOR];
#    pragma GCC unroll 16
            for (int k = 0; k < PER_VECTOR; k++) a[k] = pair_rows(from + 2 * k * cols, from + (2 * k + 1) * cols);
            turn_square(a);
#    pragma GCC unroll 16
            for (int k = 0; k < PER_VECTOR; k++) memcpy(y + (j + k) * rows + i, &a[k], sizeof a[k]);
        }
    TRANSPOSE_REST(y, x, rows, cols, down, across);
}

#endif

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
