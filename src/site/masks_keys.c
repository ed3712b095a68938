/* Where every key of a round comes from: BLAKE2b with a label of its own for each, keyed where something secret goes
 * in. */
#include <sodium.h>
#include <string.h>

#include "masks_internal.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are hashed and sent as they are in memory");

typedef crypto_generichash_state hash;

const char *dt_masks_phase_name(dt_masks_phase phase) {
    static const char *const names[] = {"keys", "shares", "vector", "open"};
    return names[phase];
}

/* A hash begins with 16 bytes that say what it is for. `length` is that of the key, or 0. */
static void start(hash *h, const uint8_t *key, size_t length, const char *label) {
    char name[16] = {0};
    strncpy(name, label, sizeof name - 1);
    crypto_generichash_init(h, key, length, DT_KEY);
    crypto_generichash_update(h, (const uint8_t *)name, sizeof name);
}

static void begin(hash *h, const char *label) {
    start(h, NULL, 0, label);
}

static void begin_keyed(hash *h, const uint8_t key[DT_KEY], const char *label) {
    start(h, key, DT_KEY, label);
}

static void put(hash *h, const void *bytes, size_t length) {
    crypto_generichash_update(h, bytes, length);
}

static void put_number(hash *h, uint64_t number) {
    put(h, &number, sizeof number);
}

/* What the library leaves of it on the stack lies below this function's frame. */
static void end(hash *h, uint8_t out[DT_KEY]) {
    crypto_generichash_final(h, out, DT_KEY);
    sodium_memzero(h, sizeof *h);
    sodium_stackzero(4096);
}

void dt_masks_hash(uint8_t out[DT_KEY], const char *label, const void *bytes, size_t length) {
    hash h;
    begin(&h, label);
    put(&h, bytes, length);
    end(&h, out);
}

void dt_masks_context(const dt_masks_round *round, uint8_t view[DT_KEY]) {
    hash h;
    begin(&h, "round");
    put_number(&h, round->recipe);
    put_number(&h, round->common);
    put_number(&h, (uint64_t)round->number);
    put_number(&h, (uint64_t)round->sites);
    put_number(&h, (uint64_t)round->threshold);
    put_number(&h, round->count);
    for (int i = 0; i < round->sites; i++) {
        put(&h, round->identities[i], DT_KEY);
        put_number(&h, round->takes_part[i]);
    }
    end(&h, view);
}

/* out = a key for `label` and `number` that nobody finds without `key`. */
static void derive(uint8_t out[DT_KEY], const uint8_t key[DT_KEY], const char *label, uint64_t number) {
    hash h;
    begin_keyed(&h, key, label);
    put_number(&h, number);
    end(&h, out);
}

/* Poly1305 goes over the words, five times as fast as BLAKE2b: with a key that nobody knows, two changes that were made
 * without it have the same tag with a probability of 2^-80 at a million words, and nobody sees the tag. */
void dt_masks_hash_change(dt_masks *masks) {
    dt_masks_secrets *own = masks->secrets;
    uint8_t *key = own->work[0], *tag = own->work[1];
    hash h;
    begin_keyed(&h, own->secret, "change key");
    put(&h, masks->view, DT_KEY);
    put_number(&h, (uint64_t)masks->round.me);
    end(&h, key);
    crypto_onetimeauth(tag, (const uint8_t *)masks->words, masks->round.count * sizeof *masks->words, key);
    begin_keyed(&h, key, "change");
    put_number(&h, masks->weight);
    put(&h, tag, crypto_onetimeauth_BYTES);
    end(&h, own->change);
    sodium_memzero(own->work, sizeof own->work);
}

void dt_masks_derive(dt_masks *masks) {
    dt_masks_secrets *own = masks->secrets;
    uint8_t *root = own->root;
    hash h;
    begin_keyed(&h, own->secret, "root");
    put(&h, masks->view, DT_KEY);
    put_number(&h, (uint64_t)masks->round.me);
    put(&h, own->change, DT_KEY);
    end(&h, root);
    derive(own->share_secret, root, "share key", 0);
    derive(own->mask_secret, root, "mask key", 0);
    derive(own->self, root, "self mask", 0);
    for (int k = 0; k < masks->round.threshold - 1; k++) {
        derive(own->coefficients[0][k], root, "shares of self", (uint64_t)k);
        derive(own->coefficients[1][k], root, "shares of mask", (uint64_t)k);
    }
    sodium_memzero(root, DT_KEY);
    masks->derived = true;
}

void dt_masks_look(dt_masks *masks) {
    hash h;
    begin(&h, dt_masks_phase_name(masks->phase));
    put(&h, masks->view, DT_KEY);
    for (int i = 0; i < masks->round.sites; i++) {
        bool counts = masks->in[masks->phase][i];
        put_number(&h, counts);
        if (counts && masks->phase <= DT_MASKS_SHARES) put(&h, masks->site[i].message[masks->phase], DT_KEY);
    }
    end(&h, masks->view);
    if (masks->phase == DT_MASKS_SHARES) memcpy(masks->seed_view, masks->view, DT_KEY);
}

/* out = the key from a secret key and a public one, bound to what it is for, a view and two sites. False: the public
 * one is of those few with which everybody would have it. */
static bool agree(uint8_t out[DT_KEY], const uint8_t secret[DT_KEY], const uint8_t public[DT_KEY], const char *label,
                  const uint8_t view[DT_KEY], int from, int to) {
    bool fits = crypto_scalarmult(out, secret, public) == 0;
    hash h;
    begin_keyed(&h, out, label);
    put(&h, view, DT_KEY);
    put_number(&h, (uint64_t)from);
    put_number(&h, (uint64_t)to);
    end(&h, out);
    return fits;
}

/* The key is for one direction and one plaintext: keys and shares of a site follow from the same root, and the view has
 * all public keys. So its nonce may be 0. */
static const uint8_t once[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];

bool dt_masks_seal(dt_masks *masks, int to, const dt_masks_pair *shares, uint8_t sealed[DT_SEALED]) {
    uint8_t *key = masks->secrets->work[0];
    bool fits =
        agree(key, masks->secrets->share_secret, masks->site[to].share_key, "share", masks->view, masks->round.me, to);
    crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, NULL, (const uint8_t *)shares, sizeof *shares, masks->view,
                                               DT_KEY, NULL, once, key);
    sodium_memzero(key, DT_KEY);
    return fits;
}

bool dt_masks_unseal(dt_masks *masks, int from, const uint8_t sealed[DT_SEALED], dt_masks_pair *shares) {
    uint8_t *key = masks->secrets->work[0];
    bool fits = agree(key, masks->secrets->share_secret, masks->site[from].share_key, "share", masks->view, from,
                      masks->round.me);
    fits = crypto_aead_xchacha20poly1305_ietf_decrypt((uint8_t *)shares, NULL, NULL, sealed, DT_SEALED, masks->view,
                                                      DT_KEY, once, key) == 0 &&
           fits;
    sodium_memzero(key, DT_KEY);
    return fits;
}

bool dt_masks_pair_seed(const dt_masks *masks, int i, int j, const uint8_t mask_secret[DT_KEY],
                        const uint8_t mask_key[DT_KEY], uint8_t seed[DT_KEY]) {
    return agree(seed, mask_secret, mask_key, "pair", masks->seed_view, i < j ? i : j, i < j ? j : i);
}

void dt_masks_self_seed(const dt_masks *masks, int i, const uint8_t self[DT_KEY], uint8_t seed[DT_KEY]) {
    hash h;
    begin_keyed(&h, self, "self");
    put(&h, masks->seed_view, DT_KEY);
    put_number(&h, (uint64_t)i);
    end(&h, seed);
}
