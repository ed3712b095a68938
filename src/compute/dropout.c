/* Dropout: which elements stay follows from a stream, a sample's number and an element's, so nothing is kept for the
 * way back. */
#include "elementary.h"
#include "slots.h"

#define DROPOUT_BLOCKS 64 /* Philox blocks at a time; 4 words each */

/* words[w][b] is word w of block first + b of a sample: dt_stream_block for a run of blocks, in vectors. */
static void philox_run(uint32_t words[4][DROPOUT_BLOCKS], dt_stream stream, uint64_t sample, uint64_t first) {
    SIMD for (int b = 0; b < DROPOUT_BLOCKS; b++) {
        uint64_t block = first + (uint64_t)b;
        uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32), c2 = (uint32_t)sample,
                 c3 = (uint32_t)(sample >> 32);
        uint32_t k0 = stream.key[0], k1 = stream.key[1];
        for (int round = 0; round < 10; round++) {
            uint64_t p0 = (uint64_t)c0 * UINT64_C(0xD2511F53), p1 = (uint64_t)c2 * UINT64_C(0xCD9E8D57);
            uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
            c1 = (uint32_t)p1;
            c3 = (uint32_t)p0;
            c0 = n0;
            c2 = n2;
            k0 += 0x9E3779B9U;
            k1 += 0xBB67AE85U;
        }
        words[0][b] = c0;
        words[1][b] = c1;
        words[2][b] = c2;
        words[3][b] = c3;
    }
}

/* Element e of a sample uses word (e/64)%4 of block (e/256)*64 + e%64. */
void DT_OF_ISA(dropout)(dt_real *y, const dt_real *x, int64_t rows, int64_t cols, dt_real rate, dt_stream stream,
                        uint64_t first_sample) {
    const int64_t run = 4 * DROPOUT_BLOCKS;
    double limit = (double)rate * 0x1p32;
    uint32_t threshold = limit < 4294967295.0 ? (uint32_t)limit : UINT32_MAX;
    dt_real scale = 1 / (1 - rate);
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t at = 0; at < cols; at += run) {
            uint32_t words[4][DROPOUT_BLOCKS];
            philox_run(words, stream, first_sample + (uint64_t)i, (uint64_t)(at / 4));
            const uint32_t *restrict draw = &words[0][0];
            const dt_real *from = x + i * cols + at;
            dt_real *to = y + i * cols + at;
            int64_t n = cols - at < run ? cols - at : run;
            SIMD for (int64_t j = 0; j < n; j++) to[j] = draw[j] >= threshold ? from[j] * scale : 0;
        }
    }
}
