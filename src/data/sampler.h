/* The order of samples, and who computes which of them: functions of their arguments alone. */
#ifndef DTRAIN_SAMPLER_H
#define DTRAIN_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"

#define DT_SAMPLER_ROUNDS 8

/* A keyed permutation of [0, size), evaluated per index in O(1) memory. */
typedef struct dt_permutation {
    uint64_t size;
    uint64_t round_key[DT_SAMPLER_ROUNDS];
    uint32_t half_bits; /* it lives on [0, 2^(2*half_bits)) */
} dt_permutation;

/* The one that (seed, purpose) gives. */
dt_permutation dt_permutation_of(int64_t size, dt_purpose purpose, int64_t seed);
/* Where it takes i, 0 <= i < size. */
int64_t dt_permuted(const dt_permutation *permutation, int64_t i);

/* The order of an epoch: of all samples, or of blocks of consecutive samples, of which so many at a time are a window
 * whose samples are permuted. A function of what it is made from; nothing is stored. */
typedef struct dt_sampler {
    int64_t samples, seed, epoch;
    bool shuffle;
    dt_permutation all;    /* of the samples, or of the blocks */
    int64_t block, window; /* samples of a block, blocks of a window; 0: there are none */
    int64_t short_slot;    /* where the last block comes in the order of blocks */
    int64_t deficit;       /* samples that it lacks */
    const int64_t *among;  /* [samples], borrowed: what is drawn as sample i is among[i]; NULL: i itself */
} dt_sampler;

dt_sampler dt_sampler_at(int64_t samples, bool shuffle, int64_t seed, int64_t epoch);
/* By blocks of `block` samples, `window` blocks at a time; both at least 1. */
dt_sampler dt_sampler_by_blocks(int64_t samples, int64_t block, int64_t window, int64_t seed, int64_t epoch);
/* The same of another epoch. */
dt_sampler dt_sampler_in(const dt_sampler *sampler, int64_t epoch);
/* The sample at `position` of the epoch, 0 <= position < samples. */
int64_t dt_sampler_index(const dt_sampler *sampler, int64_t position);
/* Those at [position, position + count). */
void dt_sampler_indices(const dt_sampler *sampler, int64_t position, int64_t count, int64_t *index);

/* What a position's window is made of: positions [begin, begin + size), and the blocks at [first, first + count) of
 * the blocks' order. Without blocks the window is all there is, as one block. */
typedef struct dt_sampler_window {
    int64_t number, begin, size, first, count;
} dt_sampler_window;
dt_sampler_window dt_sampler_window_at(const dt_sampler *sampler, int64_t position);
int64_t dt_sampler_windows(const dt_sampler *sampler); /* of an epoch */
/* The samples of the block at `slot` of the blocks' order: [*sample, *sample + *count). */
void dt_sampler_block(const dt_sampler *sampler, int64_t slot, int64_t *sample, int64_t *count);

/* The part of a global batch of `rows` samples that shard `shard` of `shards` computes: [*first, *first + *count).
 * Sizes differ by at most one, larger ones first. A function of its arguments alone. */
void dt_shard_range(int64_t rows, int64_t shards, int64_t shard, int64_t *first, int64_t *count);
/* The shards rank `rank` of `ranks` owns, likewise. */
#define dt_rank_shards(shards, ranks, rank, first, count) dt_shard_range((shards), (ranks), (rank), (first), (count))

#endif
