/* The order of an epoch as a function, not a list: a Feistel network is a permutation whatever its round function, so
 * "every sample exactly once" holds by construction on any rank, at any position, after any resume, and nothing is
 * shuffled, stored or sent. The network works on 2*half_bits bits, the fewest that hold the samples; positions that
 * land outside are walked on until they fall inside (Black and Rogaway, "Ciphers with Arbitrary Finite Domains",
 * CT-RSA 2002), fewer than 4 evaluations on average.
 *
 * Eight rounds and at least 2*3 bits: over 4e7 draws of 5 to 100 samples, 6 rounds fail the chi-square tests of
 * (position, sample) and of neighbouring samples, 8 pass; so do all orders of 3 to 6 samples, which 2*2 bits fail.
 * Philox makes the round keys once an epoch; a round itself is two multiplications. */
#include "data/sampler.h"

#include "base/random.h"

#define LEAST_HALF_BITS 3U
#define MOST_HALF_BITS 31U /* 2^62 samples */

dt_sampler dt_sampler_at(int64_t samples, bool shuffle, int64_t seed, int64_t epoch) {
    dt_sampler sampler = {.samples = (uint64_t)samples, .half_bits = LEAST_HALF_BITS, .shuffle = shuffle};
    while (sampler.half_bits < MOST_HALF_BITS && sampler.samples > UINT64_C(1) << (2 * sampler.half_bits))
        sampler.half_bits++;
    dt_stream stream = dt_stream_at((uint64_t)seed, DT_RANDOM_ORDER, (uint64_t)epoch, 0);
    for (unsigned i = 0; i < DT_SAMPLER_ROUNDS; i += 2) {
        uint32_t words[4];
        dt_stream_block(words, stream, 0, i / 2);
        sampler.round_key[i] = (uint64_t)words[1] << 32 | words[0];
        sampler.round_key[i + 1] = (uint64_t)words[3] << 32 | words[2];
    }
    return sampler;
}

/* `bits` bits that depend on all of `half` and `key`: the multipliers of SplitMix64's finalizer (Steele, Lea, Flood,
 * "Fast splittable pseudorandom number generators", OOPSLA 2014). The top bits of a product are the well-mixed ones. */
static uint64_t mix(uint64_t half, uint64_t key, uint32_t bits) {
    uint64_t x = (half ^ key) * UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 32;
    x *= UINT64_C(0x94d049bb133111eb);
    return x >> (64 - bits);
}

static uint64_t permute(const dt_sampler *sampler, uint64_t x) {
    uint32_t bits = sampler->half_bits;
    uint64_t left = x >> bits, right = x & ((UINT64_C(1) << bits) - 1);
    for (int i = 0; i < DT_SAMPLER_ROUNDS; i++) {
        uint64_t next = left ^ mix(right, sampler->round_key[i], bits);
        left = right;
        right = next;
    }
    return left << bits | right;
}

int64_t dt_sampler_index(const dt_sampler *sampler, int64_t position) {
    uint64_t x = (uint64_t)position;
    if (!sampler->shuffle) return position;
    do {
        x = permute(sampler, x);
    } while (x >= sampler->samples);
    return (int64_t)x;
}

void dt_shard_range(int64_t rows, int64_t shards, int64_t shard, int64_t *first, int64_t *count) {
    int64_t base = rows / shards, larger = rows % shards;
    *first = shard * base + (shard < larger ? shard : larger);
    *count = base + (shard < larger);
}
