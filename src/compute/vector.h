/* Vectors of this instruction set, as the compiler's own types: for loops whose numbers have to stay in registers,
 * which loops over arrays do not promise. */
#ifndef DTRAIN_COMPUTE_VECTOR_H
#define DTRAIN_COMPUTE_VECTOR_H

#include "elementary.h"

#ifdef DT_KERNELS_FMA
#    include <immintrin.h>
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

/* a*b + c for every number of the vectors, as fma_real has it. */
INLINE vector fma_scaled(dt_real a, vector b, vector c) {
#if !defined DT_KERNELS_FMA
    return a * b + c;
#elif VECTOR_BYTES == 64
    return (vector)_mm512_fmadd_ps(_mm512_set1_ps(a), (__m512)b, (__m512)c);
#else
    return (vector)_mm256_fmadd_ps(_mm256_set1_ps(a), (__m256)b, (__m256)c);
#endif
}

#endif
