/* Random numbers without state. Every draw is a pure function of (seed, purpose, a, b, sample, element), computed with
 * Philox4x32-10 and Philox4x64-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11), so a draw
 * is the same on whatever rank and in whatever order it is made, and nothing has to be saved in a checkpoint. */
#ifndef DTRAIN_RANDOM_H
#define DTRAIN_RANDOM_H

#include <stdint.h>

typedef enum dt_purpose {
    DT_RANDOM_INIT = 1,    /* a: parameter index */
    DT_RANDOM_ORDER = 2,   /* a: epoch */
    DT_RANDOM_DROPOUT = 3, /* a: step, b: layer */
    DT_RANDOM_AUGMENT = 4, /* a: epoch */
    DT_RANDOM_WINDOW = 5,  /* a: epoch */
    DT_RANDOM_MASK = 6,    /* a: epoch */
    DT_RANDOM_TEST = 7,    /* masks of an evaluation, with seed 0: the same for all runs */
    DT_RANDOM_SAMPLE = 8,  /* a: number of the text; sample: of the token */
    DT_RANDOM_SPLIT = 9,
    DT_RANDOM_PARTITION = 10, /* a: number of the draw, b: class (site/partition.c) */
    DT_RANDOM_ROUND = 11,     /* a: round; sample: site (site/chosen.c) */
    DT_RANDOM_SITE = 12,      /* sample: site */
    DT_RANDOM_AUDIT = 20,     /* a: 0 intervals of a run (sample: which), 1 steps audited live (sample: window) */
} dt_purpose;

/* The key of one stream of draws. */
typedef struct dt_stream {
    uint32_t key[2];
} dt_stream;

dt_stream dt_stream_at(uint64_t seed, dt_purpose purpose, uint64_t a, uint64_t b);

/* Four independent 32-bit words: block `block` of sample `sample`. */
void dt_stream_block(uint32_t out[4], dt_stream stream, uint64_t sample, uint64_t block);

/* A word as a number in [0, 1): its upper 24 bits, exact in float. */
static inline float dt_unit_float(uint32_t word) {
    return (float)(word >> 8) * 0x1p-24F;
}

/* Four standard normal draws (Box-Muller) from block `block` of sample `sample`. */
void dt_stream_normal4(double out[4], dt_stream stream, uint64_t sample, uint64_t block);

#endif
