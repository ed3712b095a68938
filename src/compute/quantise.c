/* Numbers on the wire: gradients become integers of a known scale, or bfloat16, and integers become gradients. */
#include "elementary.h"
#include "slots.h"

void DT_OF_ISA(add_i32)(int32_t *restrict y, const int32_t *restrict x, int64_t n) {
    SIMD for (int64_t i = 0; i < n; i++) y[i] = (int32_t)((uint32_t)y[i] + (uint32_t)x[i]);
}

void DT_OF_ISA(add_i64)(int64_t *restrict y, const int64_t *restrict x, int64_t n) {
    SIMD for (int64_t i = 0; i < n; i++) y[i] = (int64_t)((uint64_t)y[i] + (uint64_t)x[i]);
}

/* |x| as an integer, which orders as the numbers do, with infinity and NaN above all others. */
#ifdef DT_REAL_DOUBLE
typedef uint64_t real_bits;
#else
typedef uint32_t real_bits;
#endif

static inline real_bits magnitude_bits(dt_real x) {
    real_bits bits;
    memcpy(&bits, &x, sizeof bits);
    return bits & ((real_bits)-1 >> 1);
}

static inline double bits_value(real_bits bits) {
    dt_real value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

double DT_OF_ISA(largest)(const dt_real *restrict x, int64_t n) {
    real_bits top = 0;
    _Pragma("omp simd reduction(max : top)") for (int64_t i = 0; i < n; i++) {
        real_bits bits = magnitude_bits(x[i]);
        top = bits > top ? bits : top;
    }
    return bits_value(top);
}

static inline int32_t round_i32(dt_real x) {
#ifdef DT_REAL_DOUBLE
    return (int32_t)rint(x);
#else
    return (int32_t)rintf(x);
#endif
}

double DT_OF_ISA(quantise_i32)(int32_t *restrict q, const dt_real *restrict g, int64_t n, dt_real scale, bool fresh) {
    real_bits top = 0;
    if (fresh) {
        _Pragma("omp simd reduction(max : top)") for (int64_t i = 0; i < n; i++) {
            real_bits bits = magnitude_bits(g[i]);
            top = bits > top ? bits : top;
            q[i] = round_i32(g[i] * scale);
        }
    } else {
        _Pragma("omp simd reduction(max : top)") for (int64_t i = 0; i < n; i++) {
            real_bits bits = magnitude_bits(g[i]);
            top = bits > top ? bits : top;
            q[i] = (int32_t)((uint32_t)q[i] + (uint32_t)round_i32(g[i] * scale));
        }
    }
    return bits_value(top);
}

double DT_OF_ISA(quantise_i64)(int64_t *restrict q, const dt_real *restrict g, int64_t n, double scale, bool fresh) {
    real_bits top = 0;
    for (int64_t i = 0; i < n; i++) {
        real_bits bits = magnitude_bits(g[i]);
        top = bits > top ? bits : top;
        int64_t rounded = (int64_t)rint((double)g[i] * scale);
        q[i] = fresh ? rounded : (int64_t)((uint64_t)q[i] + (uint64_t)rounded);
    }
    return bits_value(top);
}

void DT_OF_ISA(dequantise_i32)(dt_real *restrict g, const int32_t *restrict q, int64_t n, dt_real scale) {
    SIMD for (int64_t i = 0; i < n; i++) g[i] = (dt_real)q[i] * scale;
}

void DT_OF_ISA(dequantise_i64)(dt_real *restrict g, const int64_t *restrict q, int64_t n, double scale) {
    SIMD for (int64_t i = 0; i < n; i++) g[i] = (dt_real)((double)q[i] * scale);
}

void DT_OF_ISA(round_to_bf16)(dt_real *y, const dt_real *x, int64_t n) {
    SIMD for (int64_t i = 0; i < n; i++) y[i] = from_bf16(round_bf16(x[i]));
}

void DT_OF_ISA(to_bf16)(dt_bf16 *restrict y, const dt_real *restrict x, int64_t n) {
    SIMD for (int64_t i = 0; i < n; i++) y[i] = round_bf16(x[i]);
}
