/* Secure aggregation: the sum of the sites' changes, and of no site its own (Bonawitz et al. 2017, CCS, figure 4).
 *
 * Every site sends its change under masks that cancel in the sum, modulo 2^32, so the sum has the bits it has without.
 * Four phases, in each of which every site sends one message that all can read; the set of those whose message counts
 * is agreed before the next (site/mailbox.h has how):
 *
 * - keys: two X25519 keys, made for this round: one to send shares to, one that masks come from.
 * - shares: of the secret b of the own mask and of the secret key s of the pairwise masks, `threshold` of which give it
 *   back: one of each for every site, encrypted to it (XChaCha20-Poly1305), and BLAKE2b of each, by which whoever reads
 *   a share later knows it for what was dealt.
 * - vector: y_i = x_i + PRG(b_i) + sum over j>i PRG(s_ij) - sum over j<i PRG(s_ij), of words, with j over those whose
 *   shares count, s_ij = X25519(s_i, s_j·G) and PRG = ChaCha20; the weight is four words more.
 * - open: for each whose vector counts, its share of b; for each that was lost after its shares, its share of s: never
 *   both of one. With those of `threshold` sites everybody takes the masks from the sum.
 *
 * Who learns what. n sites take part, the threshold is t, m of them share with each other and with whoever carries the
 * messages all that they know; nobody can forge a signature.
 *
 * Fewer than t know nothing of a secret: they have m shares, and of t-1 shares every secret is as likely as any other.
 *
 * Both secrets of one site would open its vector. But a site opens for one set of vectors only, and only once t sites
 * have signed that set. Two sets would have 2t signatures, of which the m can give both and the n-m others one: with
 * 2t > n + m there is no second set. So t > n/2 is asked for, which holds against a courier who withholds, delays and
 * shows different things to different sites (m = 0), and against a site alone that only looks; t > (n+m)/2 holds
 * against m sites that lie, too. The more are needed, the fewer may be lost: n-t. What a site signed it keeps
 * (mailbox.h: records): who repeats a round without that, with other sites in it, gives away the difference of two
 * sums.
 *
 * What is opened is the sum over at least max(t, 3) sites. m of them know their own part of it, so what they learn is
 * the sum of the others: of two sites it would be the other's change, so less than three are refused, and n-1 sites
 * that share what they have learn the last one's change from any sum, masked or not. Opened sums are as public as the
 * messages are. What a sum says of one who is in it is for differential privacy to bound.
 *
 * A site whose vector comes after the set was agreed is lost: shares of its s are out, its b stays with it, and PRG(b)
 * covers what it sent. It can help to open, and takes part again in the next round.
 *
 * No mask covers two vectors. All secrets of a round come by a keyed hash from the site's long-term secret, from all
 * that sites know of the round, and from the change itself: a site that was killed and computes the same change makes
 * the same messages; with any other change, recipe or round it has other keys. The streams depend besides on all keys
 * and shares that count, so if somebody brings it to mask its change for two sets, no stream is used for both. And what
 * it sent before must be what it would send (dt_masks_hear of its own).
 *
 * Nothing here keeps a liar from spoiling a sum or a round: a false message is named and does not count, a false vector
 * changes the sum, as a false change would.
 *
 * No files, no clock, no random numbers: messages in, messages out. Secrets are in memory that is locked where the
 * system allows, left out of core dumps, and wiped. */
#ifndef DTRAIN_MASKS_H
#define DTRAIN_MASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { DT_MASKS_SECRET = 32, DT_MASKS_FEWEST = 3 /* sites in a sum */, DT_MASKS_MOST = 255 /* sites (shares.h) */ };

typedef enum dt_masks_phase {
    DT_MASKS_KEYS,
    DT_MASKS_SHARES,
    DT_MASKS_VECTOR,
    DT_MASKS_OPEN,
    DT_MASKS_PHASES,
} dt_masks_phase;

/* What all sites know of a round before it, alike, and who this site is. */
typedef struct dt_masks_round {
    uint64_t recipe, common; /* as in dt_round (exchange.h) */
    int64_t number;
    int sites;                       /* in the order of the recipe */
    int me;                          /* this one's number */
    int threshold;                   /* sites that are needed to open; 0: the smallest majority */
    size_t count;                    /* words of a change */
    const bool *takes_part;          /* [sites] */
    const uint8_t (*identities)[32]; /* [sites] their public keys for signatures */
    const char *const *names;        /* [sites] for messages */
} dt_masks_round;

typedef struct dt_masks dt_masks;

/* "keys", "shares", …: also the kind of part a message travels as. */
const char *dt_masks_phase_name(dt_masks_phase phase);

/* Whether a round of so many sites can be masked with this threshold; the failure says why not. Sets *threshold where
 * it is 0. */
dt_status dt_masks_check(int sites, int *threshold);

/* Begins a round with this site's change, words[round->count], each so small that the sum over all sites does not wrap,
 * and its weight. A site that was killed after it had sent its vector needs the change no more: words may be NULL, its
 * own message of keys then has what all else follows from. `secret` is long-term, the site's alone, and uniformly
 * random. `round` and `words` are kept and must outlive it. */
dt_status dt_masks_open(const dt_masks_round *round, const uint8_t secret[DT_MASKS_SECRET], const uint32_t *words,
                        uint64_t weight, dt_masks **out);

/* Wipes it. Accepts NULL. */
void dt_masks_close(dt_masks *masks);

/* The phase that is on, and whether this site has something to say in it: one that was not in an earlier phase listens.
 */
dt_masks_phase dt_masks_now(const dt_masks *masks);
bool dt_masks_speaks(const dt_masks *masks);

/* Bytes of a message of the phase that is on. */
size_t dt_masks_length(const dt_masks *masks);

/* Fewest messages that must count for it to be over. */
int dt_masks_fewest(const dt_masks *masks);

/* This site's message of the phase that is on: *bytes[*length] until the next call. */
dt_status dt_masks_say(dt_masks *masks, const void **bytes, size_t *length);

/* Takes a message of the phase that is on, of a site whose signature under it holds. A failure names the site and what
 * is wrong; the message then does not count, and nothing has changed. The same again is nothing new; of this site's
 * own, it must be what dt_masks_say has. Of vectors the form is looked at alone (dt_masks_add has the rest). */
dt_status dt_masks_hear(dt_masks *masks, int from, const void *bytes, size_t length);

bool dt_masks_heard(const dt_masks *masks, int from);

/* The phase (but the last) is over: the messages of `set` [sites] count, all of which have been heard. `signers` sites,
 * this one included, have signed just that set; of vectors it takes the threshold. Fewer than are needed is a failure
 * with DT_ERR_STOPPED, after which more may be heard; another set than was agreed is refused for ever. */
dt_status dt_masks_agree(dt_masks *masks, const bool *set, int signers);

/* What a site knows of the round so far, as a hash: equal where all messages and sets were. */
const uint8_t *dt_masks_view(const dt_masks *masks);

/* Adds the vector of a site of the agreed set to the sum, once; after dt_masks_agree, any order. */
dt_status dt_masks_add(dt_masks *masks, int from, const void *bytes, size_t length);

/* The sum, sum[round->count], and of the weights, from all vectors of the set and what the threshold of sites opened;
 * DT_ERR_STOPPED, and what is missing, while there is less. */
dt_status dt_masks_finish(dt_masks *masks, uint32_t *sum, uint64_t *weight);

#endif
