/* peak.c for products of bfloat16 numbers where the processor has VDPBF16PS. */
#include <immintrin.h>

#include "slots.h"

enum { SUMS = 12 };

double dt_multiply_add_pairs(int64_t rounds) {
    const __m512bh pairs = (__m512bh)_mm512_set1_epi32(0x3f803f80); /* ones */
    __m512 sum[SUMS];
#pragma GCC unroll 12
    for (int i = 0; i < SUMS; i++) sum[i] = _mm512_set1_ps((float)i);
    for (int64_t r = 0; r < rounds; r++) {
#pragma GCC unroll 12
        for (int i = 0; i < SUMS; i++) sum[i] = _mm512_dpbf16_ps(sum[i], pairs, pairs);
    }
    volatile __m512 seen;
#pragma GCC unroll 12
    for (int i = 0; i < SUMS; i++) seen = sum[i];
    (void)seen;
    return 4.0 * SUMS * 16 * (double)rounds;
}
