/* Dropout: which elements stay follows from a stream, a sample's number and an element's, so nothing is kept for the
 * way back. */
#include "slots.h"
#include "vector.h"

#define DROPOUT_BLOCKS 64 /* Philox blocks at a time; 4 words each */

typedef uint64_t long_lanes __attribute__((vector_size(VECTOR_BYTES)));
typedef uint32_t half_lanes __attribute__((vector_size(VECTOR_BYTES / 2)));

enum { LONG_LANES = VECTOR_BYTES / 8, ROUNDS = 10 };

/* The products of the lower halves of lanes: one instruction, which compilers do not find. */
INLINE long_lanes multiply_low(long_lanes a, uint32_t b) {
    const long_lanes all = (long_lanes){0} + b;
#if VECTOR_BYTES == 64
    return (long_lanes)_mm512_mul_epu32((__m512i)a, (__m512i)all);
#elif VECTOR_BYTES == 32
    return (long_lanes)_mm256_mul_epu32((__m256i)a, (__m256i)all);
#elif defined __SSE2__
    return (long_lanes)_mm_mul_epu32((__m128i)a, (__m128i)all);
#elif defined __ARM_NEON
    return (long_lanes)vmull_u32(vmovn_u64((uint64x2_t)a), vmovn_u64((uint64x2_t)all));
#else
    return (a & UINT32_MAX) * all;
#endif
}

typedef struct round_keys {
    uint64_t first[ROUNDS], second[ROUNDS];
} round_keys;

static round_keys keys_of(dt_stream stream) {
    round_keys keys;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        keys.first[i] = stream.key[0] + i * 0x9E3779B9U;
        keys.second[i] = stream.key[1] + i * 0xBB67AE85U;
    }
    return keys;
}

/* words[w][b] is word w of block first + b of a sample: dt_stream_block for a run of blocks. A word has a lane of twice
 * its size, whose upper half is whatever a product left there: nothing reads it. */
static void philox_run(uint32_t words[4][DROPOUT_BLOCKS], const round_keys *keys, uint64_t sample, uint64_t first) {
    long_lanes block = {0};
    for (int i = 0; i < LONG_LANES; i++) block[i] = first + (uint64_t)i;
    for (int b = 0; b < DROPOUT_BLOCKS; b += LONG_LANES, block += LONG_LANES) {
        long_lanes c[4] = {block, block >> 32, (long_lanes){0} + sample, (long_lanes){0} + (sample >> 32)};
#pragma GCC unroll 10
        for (int i = 0; i < ROUNDS; i++) {
            const long_lanes p0 = multiply_low(c[0], 0xD2511F53), p1 = multiply_low(c[2], 0xCD9E8D57);
            c[0] = p1 >> 32 ^ c[1] ^ keys->first[i];
            c[2] = p0 >> 32 ^ c[3] ^ keys->second[i];
            c[1] = p1;
            c[3] = p0;
        }
        for (int w = 0; w < 4; w++) {
            const half_lanes low = __builtin_convertvector(c[w], half_lanes);
            memcpy(&words[w][b], &low, sizeof low);
        }
    }
}

/* Element e of a sample uses word (e/64)%4 of block (e/256)*64 + e%64. */
void DT_OF_ISA(dropout)(dt_real *y, const dt_real *x, int64_t rows, int64_t cols, dt_real rate, dt_stream stream,
                        uint64_t first_sample) {
    const int64_t run = 4 * DROPOUT_BLOCKS;
    double limit = (double)rate * 0x1p32;
    uint32_t threshold = limit < 4294967295.0 ? (uint32_t)limit : UINT32_MAX;
    dt_real scale = 1 / (1 - rate);
    const round_keys keys = keys_of(stream);
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t at = 0; at < cols; at += run) {
            uint32_t words[4][DROPOUT_BLOCKS];
            philox_run(words, &keys, first_sample + (uint64_t)i, (uint64_t)(at / 4));
            const uint32_t *restrict draw = &words[0][0];
            const dt_real *from = x + i * cols + at;
            dt_real *to = y + i * cols + at;
            int64_t n = cols - at < run ? cols - at : run;
            SIMD for (int64_t j = 0; j < n; j++) to[j] = draw[j] >= threshold ? from[j] * scale : 0;
        }
    }
}
