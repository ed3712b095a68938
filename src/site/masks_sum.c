/* Vectors under masks, their sum, and what takes the masks from it. */
#include <sodium.h>
#include <string.h>

#include "base/alive.h"
#include "base/append.h"
#include "compute/kernels.h"
#include "masks_internal.h"

/* ---- streams ---- */

/* A block of all streams at a time, so that words stay in the cache. What the kernel leaves on the stack lies below
 * this function's frame. */
void dt_masks_apply(uint32_t *words, size_t count, const dt_masks_stream *streams, int n) {
    const dt_kernels *kernels = dt_kernels_for(DT_ISA_AUTO);
    uint32_t block = 0;
    for (size_t begin = 0; begin < count; begin += DT_STREAM_WORDS, block += DT_STREAM_WORDS / 16) {
        int64_t length = (int64_t)(count - begin < DT_STREAM_WORDS ? count - begin : DT_STREAM_WORDS);
        for (int s = 0; s < n; s++)
            kernels->add_stream(words + begin, length, (const uint32_t *)(const void *)streams[s].seed, block,
                                streams[s].minus);
        dt_alive();
    }
    sodium_stackzero(8192);
}

/* ---- this site's vector ---- */

dt_status dt_masks_write_vector(dt_masks *masks, dt_masks_vector *message) {
    dt_masks_secrets *own = masks->secrets;
    dt_masks_stream streams[DT_MASKS_MOST];
    size_t count = masks->round.count;
    int n = 0, me = masks->round.me;
    if (!masks->words)
        return dt_fail(DT_ERR_INPUT, "site %s has no change for round %lld any more", masks->round.names[me],
                       (long long)masks->round.number);
    memcpy(message->words, masks->words, count * sizeof *message->words);
    for (int i = 0; i < DT_WEIGHT_WORDS; i++) message->words[count + i] = masks->weight >> 16 * i & 0xffff;
    for (int other = 0; other < masks->round.sites; other++) {
        if (!masks->in[DT_MASKS_SHARES][other]) continue;
        uint8_t *seed = own->seeds[other];
        if (other == me)
            dt_masks_self_seed(masks, me, own->self, seed);
        else if (!dt_masks_pair_seed(masks, me, other, own->mask_secret, masks->site[other].mask_key, seed))
            return dt_fail(DT_ERR_CORRUPT, "site %s: its key is one that everybody can compute",
                           masks->round.names[other]);
        streams[n++] = (dt_masks_stream){seed, other < me};
    }
    dt_masks_apply(message->words, count + DT_WEIGHT_WORDS, streams, n);
    sodium_memzero(own->seeds, sizeof own->seeds);
    return dt_ok();
}

/* ---- the sum ---- */

dt_status dt_masks_add(dt_masks *masks, int from, const void *bytes, size_t length) {
    const char *name = masks->round.names[from];
    const dt_masks_vector *message = bytes;
    if (masks->phase != DT_MASKS_OPEN || !masks->in[DT_MASKS_VECTOR][from])
        return dt_fail(DT_ERR_INPUT, "site %s: its vector is not in the sum of round %lld", name,
                       (long long)masks->round.number);
    if (masks->site[from].added) return dt_fail(DT_ERR_INPUT, "site %s: its vector is in the sum already", name);
    if (length != dt_masks_vector_length(masks))
        return dt_fail(DT_ERR_CORRUPT, "site %s: its vector has another length than when it was first read", name);
    for (size_t i = 0; i < masks->round.count + DT_WEIGHT_WORDS; i++) masks->sum[i] += message->words[i];
    masks->site[from].added = true;
    return dt_ok();
}

/* The secret of a site that `holders` [threshold] opened their shares of. It must be what the site said of it. */
static dt_status rebuild(dt_masks *masks, int of, const int *holders, uint8_t secret[DT_SECRET]) {
    uint8_t(*shares)[DT_SECRET] = masks->secrets->work, check[DT_KEY];
    int places[DT_MASKS_MOST], threshold = masks->round.threshold;
    for (int i = 0; i < threshold; i++) {
        memcpy(shares[i], masks->site[holders[i]].opened[of], DT_SECRET);
        places[i] = holders[i] + 1;
    }
    dt_shares_join((const uint8_t(*)[DT_SECRET])shares, places, threshold, secret);
    bool in_sum = masks->in[DT_MASKS_VECTOR][of];
    if (in_sum)
        dt_masks_hash(check, "self", secret, DT_SECRET);
    else
        crypto_scalarmult_base(check, secret);
    if (memcmp(check, in_sum ? masks->site[of].self_hash : masks->site[of].mask_key, DT_KEY) != 0)
        return dt_fail(DT_ERR_CORRUPT, "site %s: the shares it dealt are not those of one secret",
                       masks->round.names[of]);
    return dt_ok();
}

/* All secrets that were opened, into seeds[]. */
static dt_status rebuild_all(dt_masks *masks) {
    int holders[DT_MASKS_MOST], n = 0;
    for (int i = 0; i < masks->round.sites && n < masks->round.threshold; i++)
        if (masks->site[i].heard[DT_MASKS_OPEN]) holders[n++] = i;
    for (int of = 0; of < masks->round.sites; of++)
        if (masks->in[DT_MASKS_SHARES][of]) DT_TRY(rebuild(masks, of, holders, masks->secrets->seeds[of]));
    return dt_ok();
}

static void apply_to_sum(dt_masks *masks, const dt_masks_stream *streams, int n) {
    dt_masks_apply(masks->sum, masks->round.count + DT_WEIGHT_WORDS, streams, n);
}

/* The masks of their own that those in the sum have in it. */
static void take_self(dt_masks *masks) {
    dt_masks_stream streams[DT_MASKS_MOST];
    int n = 0;
    for (int of = 0; of < masks->round.sites; of++) {
        if (!masks->in[DT_MASKS_VECTOR][of]) continue;
        uint8_t *seed = masks->secrets->seeds[of];
        dt_masks_self_seed(masks, of, seed, seed);
        streams[n++] = (dt_masks_stream){seed, true};
    }
    apply_to_sum(masks, streams, n);
}

/* The masks that those in the sum share with `lost`, whose vector would have taken them away. */
static void take_pairs(dt_masks *masks, int lost) {
    dt_masks_stream streams[DT_MASKS_MOST];
    int n = 0;
    for (int i = 0; i < masks->round.sites; i++) {
        if (!masks->in[DT_MASKS_VECTOR][i]) continue;
        uint8_t *seed = masks->secrets->work[i];
        dt_masks_pair_seed(masks, i, lost, masks->secrets->seeds[lost], masks->site[i].mask_key, seed);
        streams[n++] = (dt_masks_stream){seed, i < lost};
    }
    apply_to_sum(masks, streams, n);
}

static void unmask(dt_masks *masks) {
    take_self(masks);
    for (int of = 0; of < masks->round.sites; of++)
        if (masks->in[DT_MASKS_SHARES][of] && !masks->in[DT_MASKS_VECTOR][of]) take_pairs(masks, of);
    masks->finished = true;
}

/* What the sum still lacks. */
static dt_status complete(const dt_masks *masks) {
    char vectors[200] = "", opened[200] = "";
    int have = 0;
    if (masks->phase != DT_MASKS_OPEN) return dt_fail(DT_ERR_INPUT, "it is not agreed whose vectors are in the sum");
    for (int i = 0; i < masks->round.sites; i++) {
        const dt_masks_site *site = &masks->site[i];
        const char *name = masks->round.names[i];
        if (masks->in[DT_MASKS_VECTOR][i] && !site->added) dt_append(vectors, sizeof vectors, " %s", name);
        have += site->heard[DT_MASKS_OPEN];
        if (masks->in[DT_MASKS_SHARES][i] && !site->heard[DT_MASKS_OPEN]) dt_append(opened, sizeof opened, " %s", name);
    }
    if (vectors[0]) return dt_fail(DT_ERR_STOPPED, "vectors are missing of:%s", vectors);
    if (have < masks->round.threshold)
        return dt_fail(DT_ERR_STOPPED, "%d sites have opened the sum of round %lld, %d are needed; missing are:%s",
                       have, (long long)masks->round.number, masks->round.threshold, opened);
    return dt_ok();
}

dt_status dt_masks_finish(dt_masks *masks, uint32_t *sum, uint64_t *weight) {
    size_t count = masks->round.count;
    DT_TRY(complete(masks));
    if (!masks->finished) {
        dt_status status = rebuild_all(masks);
        if (status.code == DT_OK) unmask(masks);
        sodium_memzero(masks->secrets->seeds, sizeof masks->secrets->seeds);
        sodium_memzero(masks->secrets->work, sizeof masks->secrets->work);
        DT_TRY(status);
    }
    memcpy(sum, masks->sum, count * sizeof *sum);
    *weight = 0;
    for (int i = 0; i < DT_WEIGHT_WORDS; i++) *weight += (uint64_t)masks->sum[count + i] << 16 * i;
    return dt_ok();
}
