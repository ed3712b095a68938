/* Streams of words from a key: ChaCha20 (Bernstein 2008; RFC 8439, 2.3, with a nonce of zeros), added to words. It has
 * sixteen words of state and no table: what it does and how long it takes depends on no bit of the key.
 *
 * Sixteen blocks are made side by side, one in each lane, and their words are taken as they lie: word w of blocks 16g,
 * 16g + 1, … 16g + 15, then word w + 1 of the same. So nothing is turned, and a vector's sums are whole vectors. */
#include <string.h>

#include "slots.h"

#if defined(__AVX512F__)
#    define VECTOR 64 /* bytes */
#elif defined(__AVX2__)
#    define VECTOR 32
#else
#    define VECTOR 16
#endif

enum { BLOCKS = 16, STATE = 16, LANES = VECTOR / 4, GROUP = BLOCKS * STATE };

typedef uint32_t lanes __attribute__((vector_size(VECTOR)));
typedef uint32_t loose_lanes __attribute__((vector_size(VECTOR), aligned(4), may_alias));

#define TURN(x, by) ((x) = (x) << (by) | (x) >> (32 - (by)))
#define QUARTER(a, b, c, d)                                                                                            \
    do {                                                                                                               \
        a += b, d ^= a, TURN(d, 16);                                                                                   \
        c += d, b ^= c, TURN(b, 12);                                                                                   \
        a += b, d ^= a, TURN(d, 8);                                                                                    \
        c += d, b ^= c, TURN(b, 7);                                                                                    \
    } while (0)

static inline void double_round(lanes x[STATE]) {
    QUARTER(x[0], x[4], x[8], x[12]);
    QUARTER(x[1], x[5], x[9], x[13]);
    QUARTER(x[2], x[6], x[10], x[14]);
    QUARTER(x[3], x[7], x[11], x[15]);
    QUARTER(x[0], x[5], x[10], x[15]);
    QUARTER(x[1], x[6], x[11], x[12]);
    QUARTER(x[2], x[7], x[8], x[13]);
    QUARTER(x[3], x[4], x[9], x[14]);
}

static inline lanes counters(uint32_t block) {
    static const uint32_t ascending[BLOCKS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    lanes counter;
    memcpy(&counter, ascending, sizeof counter);
    return counter + block;
}

static const uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}; /* "expand 32-byte k" */

static inline void begin_blocks(lanes x[STATE], const uint32_t key[8], uint32_t block) {
    const lanes zero = {0};
    for (int w = 0; w < 4; w++) x[w] = zero + constants[w];
    for (int w = 0; w < 8; w++) x[4 + w] = zero + key[w];
    x[12] = counters(block);
    for (int w = 13; w < STATE; w++) x[w] = zero;
}

static inline void end_blocks(uint32_t *words, lanes x[STATE], const uint32_t key[8], uint32_t block, bool minus) {
    for (int w = 0; w < 4; w++) x[w] += constants[w];
    for (int w = 0; w < 8; w++) x[4 + w] += key[w];
    x[12] += counters(block);
    for (int w = 0; w < STATE; w++) {
        loose_lanes *to = (loose_lanes *)(words + w * BLOCKS);
        *to = minus ? *to - x[w] : *to + x[w];
    }
}

/* Twice as many blocks as there are lanes: a block is one chain of instructions that wait for each other, and two of
 * them fill each other's pauses. Blocks from `block` on begin at words[0], those from `next` on at more[0]; word w of
 * them is 16 w behind. */
static inline void add_blocks(uint32_t *words, uint32_t *more, const uint32_t key[8], uint32_t block, uint32_t next,
                              bool minus) {
    lanes x[STATE], y[STATE];
    begin_blocks(x, key, block);
    begin_blocks(y, key, next);
    for (int round = 0; round < 10; round++) {
        double_round(x);
        double_round(y);
    }
    end_blocks(words, x, key, block, minus);
    end_blocks(more, y, key, next, minus);
}

void DT_OF_ISA(add_stream)(uint32_t *words, int64_t n, const uint32_t key[8], uint32_t block, bool minus) {
    enum { TWO = 2 * GROUP };
    uint32_t rest[TWO] = {0};
    for (; n > 0; n -= TWO, words += TWO, block += 2 * BLOCKS) {
        uint32_t *to = n >= TWO ? words : rest;
        for (int part = 0; part < BLOCKS; part += LANES)
            add_blocks(to + part, to + GROUP + part, key, block + (uint32_t)part, block + (uint32_t)(BLOCKS + part),
                       minus);
    }
    if (n < 0)
        for (int64_t i = 0; i < n + TWO; i++) words[i - TWO] += rest[i];
}
