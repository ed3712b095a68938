/* The order of samples, and who computes which of them: functions of their arguments alone. */
#ifndef DTRAIN_SAMPLER_H
#define DTRAIN_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

/* The order of an epoch: a keyed permutation of [0, samples), evaluated per index in O(1) memory. */
#define DT_SAMPLER_ROUNDS 8
typedef struct dt_sampler {
    uint64_t samples;
    uint64_t round_key[DT_SAMPLER_ROUNDS];
    uint32_t half_bits; /* the permutation lives on [0, 2^(2*half_bits)) */
    bool shuffle;
} dt_sampler;
dt_sampler dt_sampler_at(int64_t samples, bool shuffle, int64_t seed, int64_t epoch);
/* The sample at `position` of the epoch, 0 <= position < samples. */
int64_t dt_sampler_index(const dt_sampler *sampler, int64_t position);

/* The part of a global batch of `rows` samples that shard `shard` of `shards` computes: [*first, *first + *count).
 * Sizes differ by at most one, larger ones first. A function of its arguments alone. */
void dt_shard_range(int64_t rows, int64_t shards, int64_t shard, int64_t *first, int64_t *count);
/* The shards rank `rank` of `ranks` owns, likewise. */
#define dt_rank_shards(shards, ranks, rank, first, count) dt_shard_range((shards), (ranks), (rank), (first), (count))

#endif
