/* Vectors of this instruction set, as the compiler's own types: for loops whose numbers have to stay in registers,
 * which loops over arrays do not promise. */
#ifndef DTRAIN_COMPUTE_VECTOR_H
#define DTRAIN_COMPUTE_VECTOR_H

#include "elementary.h"

#if defined __x86_64__
#    include <immintrin.h>
#elif defined __ARM_NEON
#    include <arm_neon.h>
#endif

#ifdef DT_REAL_DOUBLE /* for tests, which are compiled for the baseline */
#    define VECTOR_BYTES 16
#elif defined __AVX512F__
#    define VECTOR_BYTES 64
#elif defined __AVX__
#    define VECTOR_BYTES 32
#else
#    define VECTOR_BYTES 16
#endif

typedef dt_real vector __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(dt_real)), may_alias));

#define PER_VECTOR ((int)(VECTOR_BYTES / sizeof(dt_real))) /* numbers */

/* ---- a*b + c, rounded once ---- */

#if defined DT_REAL_DOUBLE
INLINE vector fma_vector(vector a, vector b, vector c) {
    return a * b + c; /* gradient checks compare with tolerances */
}
#elif VECTOR_BYTES == 64
INLINE vector fma_vector(vector a, vector b, vector c) {
    return (vector)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
#elif VECTOR_BYTES == 32
INLINE vector fma_vector(vector a, vector b, vector c) {
    return (vector)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
#elif defined __ARM_NEON
INLINE vector fma_vector(vector a, vector b, vector c) {
    return (vector)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
#elif defined __SSE2__
/* Two numbers of float32 that no instruction multiplies and adds at once. In double the product is exact; the sum is
 * rounded to odd (an inexact one whose last bit is 0 goes one step towards what was lost), after which rounding to
 * float32 is as if it were the first (Boldo and Melquiond 2008). The error of the sum is Knuth's; where the sum is not
 * finite it is NaN, which compares as neither. */
INLINE __m128d fma_pair(__m128d a, __m128d b, __m128d c) {
    __m128d product = _mm_mul_pd(a, b), sum = _mm_add_pd(product, c), from = _mm_sub_pd(sum, product);
    __m128d lost = _mm_add_pd(_mm_sub_pd(product, _mm_sub_pd(sum, from)), _mm_sub_pd(c, from)), zero = _mm_setzero_pd();
    __m128i bits = _mm_castpd_si128(sum), one = _mm_set1_epi64x(1);
    __m128i even = _mm_sub_epi64(_mm_and_si128(bits, one), one); /* all bits where the last is 0 */
    __m128i up = _mm_castpd_si128(_mm_cmpgt_pd(lost, zero)), down = _mm_castpd_si128(_mm_cmplt_pd(lost, zero));
    /* Towards larger numbers is away from 0 above it, and towards 0 below; a sum of 0 is exact. */
    __m128i below = _mm_castpd_si128(_mm_cmplt_pd(sum, zero)), either = _mm_and_si128(_mm_or_si128(up, down), even);
    __m128i smaller = _mm_xor_si128(down, below); /* in size */
    __m128i step = _mm_or_si128(smaller, one);    /* -1 or 1 */
    return _mm_castsi128_pd(_mm_add_epi64(bits, _mm_and_si128(step, either)));
}

INLINE vector fma_vector(vector a, vector b, vector c) {
    __m128 x = (__m128)a, y = (__m128)b, z = (__m128)c;
    __m128d low = fma_pair(_mm_cvtps_pd(x), _mm_cvtps_pd(y), _mm_cvtps_pd(z));
    __m128d high = fma_pair(_mm_cvtps_pd(_mm_movehl_ps(x, x)), _mm_cvtps_pd(_mm_movehl_ps(y, y)),
                            _mm_cvtps_pd(_mm_movehl_ps(z, z)));
    return (vector)_mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));
}
#else
INLINE vector fma_vector(vector a, vector b, vector c) {
    for (int i = 0; i < PER_VECTOR; i++) c[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return c;
}
#endif

/* All numbers are `a`. */
INLINE vector same(dt_real a) {
#if VECTOR_BYTES == 64 && !defined DT_REAL_DOUBLE
    return (vector)_mm512_set1_ps(a);
#elif VECTOR_BYTES == 32 && !defined DT_REAL_DOUBLE
    return (vector)_mm256_set1_ps(a);
#else
    return a - (vector){0}; /* unlike a sum with 0, it is `a` where that is -0, too */
#endif
}

INLINE vector fma_scaled(dt_real a, vector b, vector c) {
    return fma_vector(same(a), b, c);
}

/* ---- the first numbers of a vector ---- */

#if VECTOR_BYTES == 64 && !defined DT_REAL_DOUBLE
typedef __mmask16 lane_mask;

INLINE lane_mask first_lanes(int64_t count) {
    return (__mmask16)((1U << count) - 1);
}
INLINE vector load_lanes(const dt_real *from, lane_mask mask) {
    return (vector)_mm512_maskz_loadu_ps(mask, from);
}
INLINE void store_lanes(dt_real *to, vector v, lane_mask mask) {
    _mm512_mask_storeu_ps(to, mask, (__m512)v);
}
#elif VECTOR_BYTES == 32 && !defined DT_REAL_DOUBLE
typedef __m256i lane_mask;

INLINE lane_mask first_lanes(int64_t count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE vector load_lanes(const dt_real *from, lane_mask mask) {
    return (vector)_mm256_maskload_ps(from, mask);
}
INLINE void store_lanes(dt_real *to, vector v, lane_mask mask) {
    _mm256_maskstore_ps(to, mask, (__m256)v);
}
#else
typedef int64_t lane_mask;  /* how many */

INLINE lane_mask first_lanes(int64_t count) {
    return count;
}
INLINE vector load_lanes(const dt_real *from, lane_mask count) {
    vector v = {0};
    for (int i = 0; i < PER_VECTOR; i++)
        if (i < count) v[i] = from[i];
    return v;
}
INLINE void store_lanes(dt_real *to, vector v, lane_mask count) {
    for (int i = 0; i < PER_VECTOR; i++)
        if (i < count) to[i] = v[i];
}
#endif

#endif
