/* What the files of secure aggregation share (masks.h). */
#ifndef DTRAIN_MASKS_INTERNAL_H
#define DTRAIN_MASKS_INTERNAL_H

#include "masks.h"
#include "shares.h"

enum {
    DT_KEY = 32, /* bytes of a key, a seed, a hash: all of libsodium's that are used here */
    DT_SEALED = 2 * DT_SECRET + 16,
    DT_WEIGHT_WORDS = 4,    /* a weight travels as 16 bits a word: sums over 2^16 sites do not wrap */
    DT_STREAM_WORDS = 4096, /* of a change at once: they stay in the first cache, whole groups of a stream */
};

/* A message begins with these, in all phases; numbers are little-endian. */
typedef struct dt_masks_head {
    uint8_t format[8];    /* "dtmask1" and the phase's digit */
    uint8_t view[DT_KEY]; /* dt_masks_view of who wrote it */
} dt_masks_head;

typedef struct dt_masks_keys {
    dt_masks_head head;
    uint8_t change[DT_KEY]; /* of what the sender sums, a hash that its secret goes into: it says nothing to others */
    uint8_t share_key[DT_KEY], mask_key[DT_KEY];
} dt_masks_keys;

/* What goes to one site: the message has one for each whose keys count, the sender's too, in their order. */
typedef struct dt_masks_dealt {
    uint8_t sealed[DT_SEALED]; /* of b, then of s; zeros for the sender */
    uint8_t hash[2][DT_KEY];   /* of the share of b, of that of s */
} dt_masks_dealt;

typedef struct dt_masks_shares {
    dt_masks_head head;
    uint8_t self_hash[DT_KEY]; /* of b */
    dt_masks_dealt dealt[];
} dt_masks_shares;

typedef struct dt_masks_vector {
    dt_masks_head head;
    uint32_t words[]; /* [count + DT_WEIGHT_WORDS] */
} dt_masks_vector;

typedef struct dt_masks_opened {
    dt_masks_head head;
    uint8_t share[]
                 [DT_SECRET]; /* of each whose shares count, in their order: of b where its vector counts, else of s */
} dt_masks_opened;

/* Shares of a site's b and s. */
typedef struct dt_masks_pair {
    uint8_t of[2][DT_SECRET];
} dt_masks_pair;

/* In sodium_malloc's memory. */
typedef struct dt_masks_secrets {
    uint8_t secret[DT_KEY], change[DT_KEY]; /* the site's; of the change as keys have it */
    uint8_t root[DT_KEY], share_secret[DT_KEY], mask_secret[DT_KEY], self[DT_KEY];
    uint8_t coefficients[2][DT_HOLDERS]
                        [DT_SECRET];      /* of the polynomials of b and of s, of which threshold-1 are there */
    dt_masks_pair held[DT_HOLDERS], pair; /* this site's shares of all sites; those at work */
    uint8_t seeds[DT_HOLDERS][DT_KEY];    /* of streams, while they are made */
    uint8_t work[DT_HOLDERS][DT_KEY];
} dt_masks_secrets;
_Static_assert(sizeof(dt_masks_secrets) % 64 == 0, "sodium_malloc aligns as the size is");

/* What is known of a site. */
typedef struct dt_masks_site {
    uint8_t share_key[DT_KEY], mask_key[DT_KEY], self_hash[DT_KEY];
    uint8_t message[DT_MASKS_PHASES][DT_KEY]; /* hashes of its messages, but of its vector */
    uint8_t (*dealt)[2][DT_KEY];              /* [sites] hashes of the shares it dealt */
    uint8_t (*opened)[DT_SECRET];             /* [sites] the shares of others that it opened */
    bool heard[DT_MASKS_PHASES], added;
} dt_masks_site;

struct dt_masks {
    dt_masks_round round;
    dt_masks_phase phase;
    bool in[DT_MASKS_PHASES]
           [DT_MASKS_MOST]; /* whose message counted, before the phase that is on; all that take part in it */
    uint8_t view[DT_KEY], seed_view[DT_KEY]; /* now, and once it was agreed whose shares count */
    uint64_t weight;
    const uint32_t *words; /* NULL: they are not known any more */
    bool derived;          /* this site's secrets of the round are there */
    dt_masks_site *site;   /* [sites] */
    dt_masks_secrets *secrets;
    uint32_t *sum; /* [count + DT_WEIGHT_WORDS] */
    bool finished; /* the sum has no masks any more */
    void *message; /* what this site said last, in which phase, and its length */
    dt_masks_phase said_in;
    size_t said;
};

static inline int dt_masks_count(const bool *set, int sites) {
    int count = 0;
    for (int i = 0; i < sites; i++) count += set[i];
    return count;
}

/* ---- keys (masks_keys.c) ---- */

/* The hash that a round begins with, of all that sites know of it. */
void dt_masks_context(const dt_masks_round *round, uint8_t view[DT_KEY]);

/* The hash of the change, into the secrets. */
void dt_masks_hash_change(dt_masks *masks);

/* All secrets this site makes in the round, which follow from that hash, the view at its beginning and the site's own.
 */
void dt_masks_derive(dt_masks *masks);

/* Hash of anything public, or of a secret that is not to be found from it. */
void dt_masks_hash(uint8_t out[DT_KEY], const char *label, const void *bytes, size_t length);

/* The view after a phase: of what was known before, who counts, and their messages. */
void dt_masks_look(dt_masks *masks);

/* The two shares of the site's own secrets for `to`, encrypted, and back. False: the key is none, or, when opening, the
 * bytes are not what `from` wrote. */
bool dt_masks_seal(dt_masks *masks, int to, const dt_masks_pair *shares, uint8_t sealed[DT_SEALED]);
bool dt_masks_unseal(dt_masks *masks, int from, const uint8_t sealed[DT_SEALED], dt_masks_pair *shares);

/* Seeds of streams, all from the view in which the shares that count are known: of the mask of sites i and j, with the
 * secret key of one and the public one of the other, and of a site's own. */
bool dt_masks_pair_seed(const dt_masks *masks, int i, int j, const uint8_t mask_secret[DT_KEY],
                        const uint8_t mask_key[DT_KEY], uint8_t seed[DT_KEY]);
void dt_masks_self_seed(const dt_masks *masks, int i, const uint8_t self[DT_KEY], uint8_t seed[DT_KEY]);

/* ---- messages of keys and shares, and opening (masks_messages.c) ---- */

static inline size_t dt_masks_vector_length(const dt_masks *masks) {
    return sizeof(dt_masks_vector) + (masks->round.count + DT_WEIGHT_WORDS) * sizeof(uint32_t);
}

dt_status dt_masks_write(dt_masks *masks, void *message);
/* Message and length are those of the phase, the head is looked at already. */
dt_status dt_masks_read(dt_masks *masks, int from, const void *message);

/* ---- sums (masks_sum.c) ---- */

/* A stream that is added to words or subtracted. */
typedef struct dt_masks_stream {
    const uint8_t *seed; /* [DT_KEY], on a boundary of 4 bytes */
    bool minus;
} dt_masks_stream;

void dt_masks_apply(uint32_t *words, size_t count, const dt_masks_stream *streams, int n);
dt_status dt_masks_write_vector(dt_masks *masks, dt_masks_vector *message);

#endif
