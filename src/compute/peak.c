/* The limit of all products: fused multiply-adds of numbers that are in registers, none waiting for another. */
#include "slots.h"
#include "vector.h"

enum { SUMS = 12 }; /* more than the units have in flight (2 of 4 cycles), and registers are left for the factors */

double DT_OF_ISA(multiply_add)(int64_t rounds, bool bf16) {
#if VECTOR_BYTES == 64 && !defined DT_REAL_DOUBLE
    if (bf16 && __builtin_cpu_supports("avx512bf16")) return dt_multiply_add_pairs(rounds);
#endif
    (void)bf16; /* whose products are those of float32 elsewhere */
    const vector factor = (vector){0} + LITERAL(0.999), summand = (vector){0} + LITERAL(0.001);
    vector sum[SUMS];
#pragma GCC unroll 12
    for (int i = 0; i < SUMS; i++) sum[i] = (vector){0} + (dt_real)i;
    for (int64_t r = 0; r < rounds; r++) {
#pragma GCC unroll 12
        for (int i = 0; i < SUMS; i++) sum[i] = fma_vector(sum[i], factor, summand);
    }
    volatile vector seen;
#pragma GCC unroll 12
    for (int i = 0; i < SUMS; i++) seen = sum[i];
    (void)seen;
    return 2.0 * SUMS * PER_VECTOR * (double)rounds;
}
