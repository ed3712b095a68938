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

/* A square of PER_VECTOR rows, transposed: a perfect shuffle of its numbers, log2(PER_VECTOR) times. */
INLINE void transpose_square(dt_real *restrict to, int64_t to_stride, const dt_real *restrict from,
                             int64_t from_stride) {
    vector a[PER_VECTOR], b[PER_VECTOR];
#pragma GCC unroll 16
    for (int i = 0; i < PER_VECTOR; i++) a[i] = *(const vector *)(from + i * from_stride);
#pragma GCC unroll 4
    for (int left = PER_VECTOR; left > 1; left /= 2) {
#pragma GCC unroll 8
        for (int i = 0; i < PER_VECTOR / 2; i++) {
            b[2 * i] = FIRST_HALVES(a[i], a[i + PER_VECTOR / 2]);
            b[2 * i + 1] = SECOND_HALVES(a[i], a[i + PER_VECTOR / 2]);
        }
#pragma GCC unroll 16
        for (int i = 0; i < PER_VECTOR; i++) a[i] = b[i];
    }
#pragma GCC unroll 16
    for (int i = 0; i < PER_VECTOR; i++) *(vector *)(to + i * to_stride) = a[i];
}

/* to[depth, cols] = from[cols, depth], turned, for at most a vector of columns; rows `to_stride` and `from_stride`
 * apart. to's rows have room for a whole vector each. */
INLINE void turn_strip(dt_real *restrict to, int64_t to_stride, const dt_real *restrict from, int64_t from_stride,
                       int64_t depth, int64_t cols) {
    int64_t l = 0;
    if (cols == PER_VECTOR)
        for (; l + PER_VECTOR <= depth; l += PER_VECTOR)
            transpose_square(to + l * to_stride, to_stride, from + l, from_stride);
    for (; l < depth; l += PER_VECTOR) {
        int64_t numbers = depth - l < PER_VECTOR ? depth - l : PER_VECTOR;
        dt_real square[PER_VECTOR * PER_VECTOR];
        lane_mask mask = first_lanes(numbers);
        for (int64_t j = 0; j < cols; j++)
            *(vector *)(square + j * PER_VECTOR) = numbers == PER_VECTOR ? *(const vector *)(from + j * from_stride + l)
                                                                         : load_lanes(from + j * from_stride + l, mask);
        for (int64_t j = cols; j < PER_VECTOR; j++) *(vector *)(square + j * PER_VECTOR) = (vector){0};
        dt_real turned[PER_VECTOR * PER_VECTOR];
        transpose_square(turned, PER_VECTOR, square, PER_VECTOR);
        for (int64_t i = 0; i < numbers; i++)
            *(vector *)(to + (l + i) * to_stride) = *(vector *)(turned + i * PER_VECTOR);
    }
}

#endif
