/* The messages of keys, of shares and of opening: written for this site, read of every one. */
#include <sodium.h>
#include <string.h>

#include "masks_internal.h"

static const char *name(const dt_masks *masks, int site) {
    return masks->round.names[site];
}

static int counts(const dt_masks *masks, dt_masks_phase phase) {
    return dt_masks_count(masks->in[phase], masks->round.sites);
}

size_t dt_masks_length(const dt_masks *masks) {
    switch (masks->phase) {
    case DT_MASKS_KEYS: return sizeof(dt_masks_keys);
    case DT_MASKS_SHARES:
        return sizeof(dt_masks_shares) + (size_t)counts(masks, DT_MASKS_KEYS) * sizeof(dt_masks_dealt);
    case DT_MASKS_VECTOR: return dt_masks_vector_length(masks);
    default: return sizeof(dt_masks_opened) + (size_t)counts(masks, DT_MASKS_SHARES) * DT_SECRET;
    }
}

/* ---- keys ---- */

static dt_status write_keys(dt_masks *masks, dt_masks_keys *message) {
    if (!masks->derived)
        return dt_fail(DT_ERR_INPUT, "site %s has no change for round %lld", name(masks, masks->round.me),
                       (long long)masks->round.number);
    memcpy(message->change, masks->secrets->change, DT_KEY);
    crypto_scalarmult_base(message->share_key, masks->secrets->share_secret);
    crypto_scalarmult_base(message->mask_key, masks->secrets->mask_secret);
    return dt_ok();
}

static dt_status read_keys(dt_masks *masks, int from, const dt_masks_keys *message) {
    dt_masks_site *site = &masks->site[from];
    uint8_t *shared = masks->secrets->work[0];
    bool fit = crypto_scalarmult(shared, masks->secrets->share_secret, message->share_key) == 0;
    fit = crypto_scalarmult(shared, masks->secrets->mask_secret, message->mask_key) == 0 && fit;
    sodium_memzero(shared, DT_KEY);
    if (!fit)
        return dt_fail(DT_ERR_CORRUPT, "site %s: its key is one with which everybody agrees on 0", name(masks, from));
    memcpy(site->share_key, message->share_key, DT_KEY);
    memcpy(site->mask_key, message->mask_key, DT_KEY);
    return dt_ok();
}

/* ---- shares ---- */

static const char *const share_labels[] = {"share of self", "share of mask"};

static void hash_shares(const dt_masks_pair *shares, uint8_t hash[2][DT_KEY]) {
    for (int i = 0; i < 2; i++) dt_masks_hash(hash[i], share_labels[i], shares->of[i], DT_SECRET);
}

static dt_status write_shares(dt_masks *masks, dt_masks_shares *message) {
    dt_masks_secrets *own = masks->secrets;
    dt_masks_pair *pair = &own->pair;
    int threshold = masks->round.threshold, me = masks->round.me;
    dt_masks_hash(message->self_hash, "self", own->self, DT_SECRET);
    dt_masks_dealt *dealt = message->dealt;
    for (int to = 0; to < masks->round.sites; to++) {
        if (!masks->in[DT_MASKS_KEYS][to]) continue;
        dt_shares_deal(own->self, (const uint8_t(*)[DT_SECRET])own->coefficients[0], threshold, to + 1, pair->of[0]);
        dt_shares_deal(own->mask_secret, (const uint8_t(*)[DT_SECRET])own->coefficients[1], threshold, to + 1,
                       pair->of[1]);
        hash_shares(pair, dealt->hash);
        bool sealed = to == me || dt_masks_seal(masks, to, pair, dealt->sealed);
        if (to == me) own->held[me] = *pair;
        sodium_memzero(pair, sizeof *pair);
        if (!sealed) return dt_fail(DT_ERR_CORRUPT, "site %s: no share can be encrypted to its key", name(masks, to));
        dealt++;
    }
    return dt_ok();
}

/* The shares for this site. */
static dt_status take_shares(dt_masks *masks, int from, const dt_masks_dealt *dealt) {
    dt_masks_pair *pair = &masks->secrets->pair;
    uint8_t hash[2][DT_KEY];
    bool fits = dt_masks_unseal(masks, from, dealt->sealed, pair);
    hash_shares(pair, hash);
    fits = fits && memcmp(hash, dealt->hash, sizeof hash) == 0;
    if (fits) masks->secrets->held[from] = *pair;
    sodium_memzero(pair, sizeof *pair);
    if (fits) return dt_ok();
    return dt_fail(DT_ERR_CORRUPT, "site %s: its share for %s is not what it says", name(masks, from),
                   name(masks, masks->round.me));
}

static dt_status read_shares(dt_masks *masks, int from, const dt_masks_shares *message) {
    dt_masks_site *site = &masks->site[from];
    const dt_masks_dealt *dealt = message->dealt;
    for (int to = 0; to < masks->round.sites; to++) {
        if (!masks->in[DT_MASKS_KEYS][to]) continue;
        if (to == masks->round.me && from != to) DT_TRY(take_shares(masks, from, dealt));
        memcpy(site->dealt[to], dealt->hash, sizeof dealt->hash);
        dealt++;
    }
    memcpy(site->self_hash, message->self_hash, DT_KEY);
    return dt_ok();
}

/* ---- opening ---- */

/* Which of a site's two secrets is opened: that of its own mask where its vector is in the sum, else that of the masks
 * it has with others. */
static int opened_of(const dt_masks *masks, int of) {
    return masks->in[DT_MASKS_VECTOR][of] ? 0 : 1;
}

static void write_opened(dt_masks *masks, dt_masks_opened *message) {
    uint8_t(*share)[DT_SECRET] = message->share;
    for (int of = 0; of < masks->round.sites; of++)
        if (masks->in[DT_MASKS_SHARES][of])
            memcpy(*share++, masks->secrets->held[of].of[opened_of(masks, of)], DT_SECRET);
}

static dt_status read_opened(dt_masks *masks, int from, const dt_masks_opened *message) {
    dt_masks_site *site = &masks->site[from];
    const uint8_t(*share)[DT_SECRET] = message->share;
    for (int of = 0; of < masks->round.sites; of++) {
        if (!masks->in[DT_MASKS_SHARES][of]) continue;
        uint8_t hash[DT_KEY];
        int which = opened_of(masks, of);
        dt_masks_hash(hash, share_labels[which], *share, DT_SECRET);
        if (memcmp(hash, masks->site[of].dealt[from][which], DT_KEY) != 0)
            return dt_fail(DT_ERR_CORRUPT, "site %s: the share of %s that it opened is not the one it was dealt",
                           name(masks, from), name(masks, of));
        memcpy(site->opened[of], *share++, DT_SECRET);
    }
    return dt_ok();
}

dt_status dt_masks_write(dt_masks *masks, void *message) {
    switch (masks->phase) {
    case DT_MASKS_KEYS: return write_keys(masks, message);
    case DT_MASKS_SHARES: return write_shares(masks, message);
    case DT_MASKS_VECTOR: return dt_masks_write_vector(masks, message);
    default: write_opened(masks, message); return dt_ok();
    }
}

dt_status dt_masks_read(dt_masks *masks, int from, const void *message) {
    switch (masks->phase) {
    case DT_MASKS_KEYS: return read_keys(masks, from, message);
    case DT_MASKS_SHARES: return read_shares(masks, from, message);
    case DT_MASKS_VECTOR: return dt_ok();
    default: return read_opened(masks, from, message);
    }
}
