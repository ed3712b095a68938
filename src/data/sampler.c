/* The order of an epoch as a function, not a list: a Feistel network is a permutation whatever its round function, so
 * "every sample exactly once" holds by construction on any rank, at any position, after any resume, and nothing is
 * shuffled, stored or sent. The network works on 2*half_bits bits, the fewest that hold the samples; positions that
 * land outside are walked on until they fall inside (Black and Rogaway, "Ciphers with Arbitrary Finite Domains",
 * CT-RSA 2002), fewer than 4 evaluations on average.
 *
 * Eight rounds and at least 2*3 bits: over 4e7 draws of 5 to 100 samples, 6 rounds fail the chi-square tests of
 * (position, sample) and of neighbouring samples, 8 pass; so do all orders of 3 to 6 samples, which 2*2 bits fail.
 * Philox makes the round keys once an epoch; a round itself is two multiplications.
 *
 * Data that is read from a file in pieces cannot be drawn from at random: every sample of a batch would be another
 * piece. There blocks of consecutive samples are permuted, and the samples of so many blocks, a window, among each
 * other, by permutations of the same kind: so where a sample comes is a function still, of the recipe and of nothing
 * that depends on the machine. The last block may be shorter; the network can be run backwards, which tells where it
 * comes, and with that how many samples are before a window. */
#include "data/sampler.h"

#define LEAST_HALF_BITS 3U
#define MOST_HALF_BITS 31U /* 2^62 samples */

/* Number `sample` of those of a stream. */
static dt_permutation permutation_at(uint64_t size, dt_stream stream, uint64_t sample) {
    dt_permutation p = {.size = size, .half_bits = LEAST_HALF_BITS};
    while (p.half_bits < MOST_HALF_BITS && size > UINT64_C(1) << (2 * p.half_bits)) p.half_bits++;
    for (unsigned i = 0; i < DT_SAMPLER_ROUNDS; i += 2) {
        uint32_t words[4];
        dt_stream_block(words, stream, sample, i / 2);
        p.round_key[i] = (uint64_t)words[1] << 32 | words[0];
        p.round_key[i + 1] = (uint64_t)words[3] << 32 | words[2];
    }
    return p;
}

/* `bits` bits that depend on all of `half` and `key`: the multipliers of SplitMix64's finalizer (Steele, Lea, Flood,
 * "Fast splittable pseudorandom number generators", OOPSLA 2014). The top bits of a product are the well-mixed ones. */
static uint64_t mix(uint64_t half, uint64_t key, uint32_t bits) {
    uint64_t x = (half ^ key) * UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 32;
    x *= UINT64_C(0x94d049bb133111eb);
    return x >> (64 - bits);
}

static uint64_t permute_once(const dt_permutation *p, uint64_t x) {
    uint32_t bits = p->half_bits;
    uint64_t left = x >> bits, right = x & ((UINT64_C(1) << bits) - 1);
    for (int i = 0; i < DT_SAMPLER_ROUNDS; i++) {
        uint64_t next = left ^ mix(right, p->round_key[i], bits);
        left = right;
        right = next;
    }
    return left << bits | right;
}

static uint64_t return_once(const dt_permutation *p, uint64_t x) {
    uint32_t bits = p->half_bits;
    uint64_t left = x >> bits, right = x & ((UINT64_C(1) << bits) - 1);
    for (int i = DT_SAMPLER_ROUNDS - 1; i >= 0; i--) {
        uint64_t before = right ^ mix(left, p->round_key[i], bits);
        right = left;
        left = before;
    }
    return left << bits | right;
}

static int64_t permute(const dt_permutation *p, int64_t position) {
    uint64_t x = (uint64_t)position;
    do {
        x = permute_once(p, x);
    } while (x >= p->size);
    return (int64_t)x;
}

int64_t dt_permuted(const dt_permutation *permutation, int64_t i) {
    return permute(permutation, i);
}

dt_permutation dt_permutation_of(int64_t size, dt_purpose purpose, int64_t seed) {
    return permutation_at((uint64_t)size, dt_stream_at((uint64_t)seed, purpose, 0, 0), 0);
}

/* The position that `value` comes at. */
static int64_t position_of(const dt_permutation *p, int64_t value) {
    uint64_t x = (uint64_t)value;
    do {
        x = return_once(p, x);
    } while (x >= p->size);
    return (int64_t)x;
}

static dt_stream stream_of(const dt_sampler *sampler) {
    return dt_stream_at((uint64_t)sampler->seed, DT_RANDOM_ORDER, (uint64_t)sampler->epoch, 0);
}

dt_sampler dt_sampler_at(int64_t samples, bool shuffle, int64_t seed, int64_t epoch) {
    dt_sampler sampler = {.samples = samples, .seed = seed, .epoch = epoch, .shuffle = shuffle};
    sampler.all = permutation_at((uint64_t)samples, stream_of(&sampler), 0);
    return sampler;
}

/* ---- by blocks ---- */

static int64_t blocks_of(const dt_sampler *sampler) {
    return (sampler->samples + sampler->block - 1) / sampler->block;
}

dt_sampler dt_sampler_by_blocks(int64_t samples, int64_t block, int64_t window, int64_t seed, int64_t epoch) {
    dt_sampler sampler = {.samples = samples, .seed = seed, .epoch = epoch, .shuffle = true};
    sampler.block = block < samples ? block : samples;
    int64_t blocks = blocks_of(&sampler);
    sampler.window = window < blocks ? window : blocks;
    sampler.all = permutation_at((uint64_t)blocks, stream_of(&sampler), 0);
    sampler.short_slot = position_of(&sampler.all, blocks - 1);
    sampler.deficit = blocks * sampler.block - samples;
    return sampler;
}

dt_sampler dt_sampler_in(const dt_sampler *sampler, int64_t epoch) {
    const dt_sampler *s = sampler;
    dt_sampler other = s->block > 0 ? dt_sampler_by_blocks(s->samples, s->block, s->window, s->seed, epoch)
                                    : dt_sampler_at(s->samples, s->shuffle, s->seed, epoch);
    other.among = s->among;
    return other;
}

dt_sampler_window dt_sampler_window_at(const dt_sampler *sampler, int64_t position) {
    if (sampler->block == 0) return (dt_sampler_window){0, 0, sampler->samples, 0, 1};
    int64_t whole = sampler->block * sampler->window, shorter = sampler->short_slot / sampler->window;
    bool behind = position >= (shorter + 1) * whole - sampler->deficit;
    dt_sampler_window w = {.number = (position + (behind ? sampler->deficit : 0)) / whole};
    w.begin = w.number * whole - (behind ? sampler->deficit : 0);
    w.first = w.number * sampler->window;
    w.count = blocks_of(sampler) - w.first < sampler->window ? blocks_of(sampler) - w.first : sampler->window;
    w.size = w.count * sampler->block - (w.number == shorter ? sampler->deficit : 0);
    return w;
}

int64_t dt_sampler_windows(const dt_sampler *sampler) {
    return sampler->block == 0 ? 1 : (blocks_of(sampler) + sampler->window - 1) / sampler->window;
}

void dt_sampler_block(const dt_sampler *sampler, int64_t slot, int64_t *sample, int64_t *count) {
    *sample = sampler->block == 0 ? 0 : permute(&sampler->all, slot) * sampler->block;
    int64_t left = sampler->samples - *sample;
    *count = sampler->block > 0 && sampler->block < left ? sampler->block : left;
}

/* Number `number` of a window's samples, the shorter block's counted last. */
static int64_t sample_in(const dt_sampler *sampler, const dt_sampler_window *w, int64_t number) {
    int64_t slot = w->first + number / sampler->block, last = w->first + w->count - 1, shorter = sampler->short_slot;
    if (shorter >= w->first && shorter < last) slot = slot == shorter ? last : slot == last ? shorter : slot;
    return permute(&sampler->all, slot) * sampler->block + number % sampler->block;
}

/* ---- samples ---- */

void dt_sampler_indices(const dt_sampler *sampler, int64_t position, int64_t count, int64_t *index) {
    for (int64_t done = 0; done < count;) {
        dt_sampler_window w = dt_sampler_window_at(sampler, position + done);
        int64_t here = position + done - w.begin, end = done + w.size - here < count ? done + w.size - here : count;
        dt_permutation mixed = sampler->all;
        if (sampler->block > 0) mixed = permutation_at((uint64_t)w.size, stream_of(sampler), (uint64_t)w.number + 1);
        for (; done < end; done++, here++) {
            int64_t number = sampler->shuffle ? permute(&mixed, here) : here;
            index[done] = sampler->block > 0 ? sample_in(sampler, &w, number) : number;
            if (sampler->among) index[done] = sampler->among[index[done]];
        }
    }
}

int64_t dt_sampler_index(const dt_sampler *sampler, int64_t position) {
    int64_t index;
    dt_sampler_indices(sampler, position, 1, &index);
    return index;
}

void dt_shard_range(int64_t rows, int64_t shards, int64_t shard, int64_t *first, int64_t *count) {
    int64_t base = rows / shards, larger = rows % shards;
    *first = shard * base + (shard < larger ? shard : larger);
    *count = base + (shard < larger);
}
