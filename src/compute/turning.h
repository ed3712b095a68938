/* Transposing in registers. */
#ifndef DTRAIN_COMPUTE_TURNING_H
#define DTRAIN_COMPUTE_TURNING_H

#include "vector.h"

#if !defined __clang__ && __GNUC__ < 12 /* whose name for it is another, and the numbers are a vector */
#    ifdef DT_REAL_DOUBLE
typedef int64_t lane_numbers __attribute__((vector_size(VECTOR_BYTES)));
#    else
typedef int32_t lane_numbers __attribute__((vector_size(VECTOR_BYTES)));
#    endif
#    define __builtin_shufflevector(a, b, ...) __builtin_shuffle(a, b, (lane_numbers){__VA_ARGS__})
#endif

/* The first halves of two vectors taken in turn, and their second halves. */
#if VECTOR_BYTES == 64 && !defined DT_REAL_DOUBLE
#    define FIRST_HALVES(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#    define SECOND_HALVES(a, b)                                                                                        \
        __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif VECTOR_BYTES == 32 && !defined DT_REAL_DOUBLE
#    define FIRST_HALVES(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#    define SECOND_HALVES(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#elif !defined DT_REAL_DOUBLE
#    define FIRST_HALVES(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#    define SECOND_HALVES(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#else
#    define FIRST_HALVES(a, b) __builtin_shufflevector(a, b, 0, 2)
#    define SECOND_HALVES(a, b) __builtin_shufflevector(a, b, 1, 3)
#endif

/* The rows of a square become its columns. */
#if VECTOR_BYTES == 64 && !defined DT_REAL_DOUBLE
/* Squares of 4 within the quarters of a vector, then quarters: no shuffle that crosses them takes an index. */
INLINE void turn_square(vector a[PER_VECTOR]) {
    __m512 b[PER_VECTOR], c[PER_VECTOR];
#    pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
        b[i] = _mm512_unpacklo_ps((__m512)a[i], (__m512)a[i + 1]);
        b[i + 1] = _mm512_unpackhi_ps((__m512)a[i], (__m512)a[i + 1]);
    }
#    pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4)
#    pragma GCC unroll 2
        for (int k = 0; k < 2; k++) {
            __m512d even = (__m512d)b[i + k], odd = (__m512d)b[i + k + 2];
            c[i + 2 * k] = (__m512)_mm512_unpacklo_pd(even, odd);
            c[i + 2 * k + 1] = (__m512)_mm512_unpackhi_pd(even, odd);
        }
#    pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        b[i] = _mm512_shuffle_f32x4(c[i], c[i + 4], 0x88);
        b[i + 4] = _mm512_shuffle_f32x4(c[i], c[i + 4], 0xdd);
        b[i + 8] = _mm512_shuffle_f32x4(c[i + 8], c[i + 12], 0x88);
        b[i + 12] = _mm512_shuffle_f32x4(c[i + 8], c[i + 12], 0xdd);
    }
#    pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        a[i] = (vector)_mm512_shuffle_f32x4(b[i], b[i + 8], 0x88);
        a[i + 8] = (vector)_mm512_shuffle_f32x4(b[i], b[i + 8], 0xdd);
        a[i + 4] = (vector)_mm512_shuffle_f32x4(b[i + 4], b[i + 12], 0x88);
        a[i + 12] = (vector)_mm512_shuffle_f32x4(b[i + 4], b[i + 12], 0xdd);
    }
}
#elif VECTOR_BYTES == 32 && !defined DT_REAL_DOUBLE
/* Squares of 4 within the halves of a vector, then halves. */
INLINE void turn_square(vector a[PER_VECTOR]) {
    __m256 b[PER_VECTOR], c[PER_VECTOR];
#    pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
        b[i] = _mm256_unpacklo_ps((__m256)a[i], (__m256)a[i + 1]);
        b[i + 1] = _mm256_unpackhi_ps((__m256)a[i], (__m256)a[i + 1]);
    }
#    pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4)
#    pragma GCC unroll 2
        for (int k = 0; k < 2; k++) {
            __m256d even = (__m256d)b[i + k], odd = (__m256d)b[i + k + 2];
            c[i + 2 * k] = (__m256)_mm256_unpacklo_pd(even, odd);
            c[i + 2 * k + 1] = (__m256)_mm256_unpackhi_pd(even, odd);
        }
#    pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        a[i] = (vector)_mm256_permute2f128_ps(c[i], c[i + 4], 0x20);
        a[i + 4] = (vector)_mm256_permute2f128_ps(c[i], c[i + 4], 0x31);
    }
}
#else
/* A perfect shuffle of its numbers, log2(PER_VECTOR) times. */
INLINE void turn_square(vector a[PER_VECTOR]) {
    vector b[PER_VECTOR];
#    pragma GCC unroll 4
    for (int left = PER_VECTOR; left > 1; left /= 2) {
#    pragma GCC unroll 8
        for (int i = 0; i < PER_VECTOR / 2; i++) {
            b[2 * i] = FIRST_HALVES(a[i], a[i + PER_VECTOR / 2]);
            b[2 * i + 1] = SECOND_HALVES(a[i], a[i + PER_VECTOR / 2]);
        }
#    pragma GCC unroll 16
        for (int i = 0; i < PER_VECTOR; i++) a[i] = b[i];
    }
}
#endif

/* A square of PER_VECTOR rows, transposed. */
INLINE void transpose_square(dt_real *restrict to, int64_t to_stride, const dt_real *restrict from,
                             int64_t from_stride) {
    vector a[PER_VECTOR];
#pragma GCC unroll 16
    for (int i = 0; i < PER_VECTOR; i++) a[i] = *(const vector *)(from + i * from_stride);
    turn_square(a);
#pragma GCC unroll 16
    for (int i = 0; i < PER_VECTOR; i++) *(vector *)(to + i * to_stride) = a[i];
}

/* to[depth, PER_VECTOR] = from[cols, depth], turned, for at most PER_VECTOR columns, the last of which stands for those
 * that are missing; rows `to_stride` and `from_stride` apart. The rows of the next strip, which is `next` numbers
 * ahead, are asked for. */
INLINE void turn_strip(dt_real *restrict to, int64_t to_stride, const dt_real *restrict from, int64_t from_stride,
                       int64_t depth, int64_t cols, int64_t next) {
    int64_t l = 0;
    vector a[PER_VECTOR];
    for (; l + PER_VECTOR <= depth; l += PER_VECTOR, to += PER_VECTOR * to_stride) {
#pragma GCC unroll 16
        for (int i = 0; i < PER_VECTOR; i++) {
            const dt_real *row = from + (i < cols ? i : cols - 1) * from_stride + l;
            a[i] = *(const vector *)row;
            __builtin_prefetch(row + next);
        }
        turn_square(a);
#pragma GCC unroll 16
        for (int i = 0; i < PER_VECTOR; i++) *(vector *)(to + i * to_stride) = a[i];
    }
    if (l == depth) return;
    lane_mask mask = first_lanes(depth - l);
    if (cols == PER_VECTOR) {
#pragma GCC unroll 16
        for (int i = 0; i < PER_VECTOR; i++) a[i] = load_lanes(from + i * from_stride + l, mask);
    } else {
#pragma GCC unroll 16
        for (int i = 0; i < PER_VECTOR; i++)
            a[i] = load_lanes(from + (i < cols ? i : cols - 1) * from_stride + l, mask);
    }
    turn_square(a);
#pragma GCC unroll 16
    for (int i = 0; i < PER_VECTOR; i++)
        if (i < depth - l) *(vector *)(to + i * to_stride) = a[i];
}

#endif
