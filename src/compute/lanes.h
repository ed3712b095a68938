/* Sums over features, in an order that is written down: 16 lanes, element j in lane j%16, each a chain of its own; then
 * a fixed tree, halves on halves. Lanes are as many on every machine, so that the order is, and vectors of any width up
 * to 16 numbers do them at once. A reduction left to the compiler (`omp simd reduction`) has as many lanes as its
 * vectors, and another rest for every compiler. */
#ifndef DTRAIN_COMPUTE_LANES_H
#define DTRAIN_COMPUTE_LANES_H

#include "vector.h"

#define LANES 16

/* Runs the statements for every j in [0, n), in lane l. */
#define OVER_LANES(n, ...)                                                                                             \
    do {                                                                                                               \
        const int64_t whole_ = (n) / LANES * LANES;                                                                    \
        for (int64_t at_ = 0; at_ < whole_; at_ += LANES) {                                                            \
            SIMD for (int l = 0; l < LANES; l++) {                                                                     \
                const int64_t j = at_ + l;                                                                             \
                __VA_ARGS__                                                                                            \
            }                                                                                                          \
        }                                                                                                              \
        for (int l = 0; l < (n)-whole_; l++) {                                                                         \
            const int64_t j = whole_ + l;                                                                              \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    } while (0)

/* Every lane is `value`. By whole vectors: bytes set 16 at a time are not yet there for a load of 32. */
INLINE void fill_lanes(dt_real lane[LANES], dt_real value) {
#pragma GCC unroll 8
    for (int l = 0; l < LANES; l += PER_VECTOR) *(vector *)(lane + l) = (vector){0} + value;
}

#define FOLD_LANES(type, lane, join)                                                                                   \
    type eight[8], four[4], two[2];                                                                                    \
    SIMD for (int l = 0; l < 8; l++) eight[l] = join(lane[l], lane[l + 8]);                                            \
    SIMD for (int l = 0; l < 4; l++) four[l] = join(eight[l], eight[l + 4]);                                           \
    for (int l = 0; l < 2; l++) two[l] = join(four[l], four[l + 2]);                                                   \
    return join(two[0], two[1])

#define PLUS(a, b) ((a) + (b))
#define LARGER(a, b) ((b) > (a) ? (b) : (a))

INLINE dt_real sum_of_lanes(const dt_real lane[LANES]) {
    FOLD_LANES(dt_real, lane, PLUS);
}

INLINE double sum_of_doubles(const double lane[LANES]) {
    FOLD_LANES(double, lane, PLUS);
}

INLINE dt_real largest_of_lanes(const dt_real lane[LANES]) {
    FOLD_LANES(dt_real, lane, LARGER);
}

#endif
