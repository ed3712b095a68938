/* A round of secure aggregation, phase by phase (masks.h). */
#include "masks.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/append.h"
#include "base/memory.h"
#include "masks_internal.h"
#include "secret.h"

dt_status dt_masks_check(int sites, int *threshold) {
    if (sites < DT_MASKS_FEWEST)
        return dt_fail(DT_ERR_INPUT,
                       "masks need at least %d sites in a round, there are %d: of two sites, the sum gives each the "
                       "other's change",
                       DT_MASKS_FEWEST, sites);
    if (sites > DT_MASKS_MOST)
        return dt_fail(DT_ERR_INPUT, "masks are for at most %d sites, there are %d", DT_MASKS_MOST, sites);
    if (*threshold == 0) *threshold = sites / 2 + 1;
    if (2 * *threshold <= sites || *threshold > sites)
        return dt_fail(DT_ERR_INPUT,
                       "a threshold of %d of %d sites cannot be: it is more than half of them, %d to %d, or two halves "
                       "could open two sums, whose difference is a site's change",
                       *threshold, sites, sites / 2 + 1, sites);
    return dt_ok();
}

/* ---- begin and end ---- */

static dt_status check_round(dt_masks_round *round) {
    if (round->sites > DT_MASKS_MOST) return dt_masks_check(round->sites, &round->threshold);
    DT_TRY(dt_masks_check(dt_masks_count(round->takes_part, round->sites), &round->threshold));
    size_t most = ((size_t)1 << 36) - DT_WEIGHT_WORDS; /* ChaCha20 has 2^32 blocks of 16 words */
    if (round->count > most)
        return dt_fail(DT_ERR_INPUT, "a change of %zu words cannot be masked, at most %zu can", round->count, most);
    return dt_ok();
}

static dt_status make_sites(dt_masks *masks) {
    size_t sites = (size_t)masks->round.sites;
    masks->site = calloc(sites, sizeof *masks->site);
    if (!masks->site) return dt_fail_memory("the sites of a masked round", sites * sizeof *masks->site);
    for (size_t i = 0; i < sites; i++) {
        dt_masks_site *site = &masks->site[i];
        site->dealt = calloc(sites, sizeof *site->dealt);
        site->opened = calloc(sites, sizeof *site->opened);
        if (!site->dealt || !site->opened) return dt_fail_memory("what sites deal and open", sites * 3UL * DT_KEY);
    }
    return dt_ok();
}

static dt_status make(dt_masks *masks) {
    void *secrets;
    DT_TRY(dt_secret_alloc(&secrets, sizeof *masks->secrets));
    masks->secrets = secrets;
    sodium_memzero(masks->secrets, sizeof *masks->secrets);
    DT_TRY(make_sites(masks));
    masks->sum = dt_alloc(masks->round.count + DT_WEIGHT_WORDS, sizeof *masks->sum);
    if (!masks->sum) return dt_fail_memory("the sum of changes", masks->round.count * sizeof *masks->sum);
    return dt_ok();
}

/* A function of its own, so that what compilers leave of a secret in its frame lies below the caller's, and is wiped.
 */
__attribute__((noinline)) static void take_secret(dt_masks *masks, const uint8_t secret[DT_MASKS_SECRET]) {
    memcpy(masks->secrets->secret, secret, DT_MASKS_SECRET);
    if (!masks->words) return;
    dt_masks_hash_change(masks);
    dt_masks_derive(masks);
}

dt_status dt_masks_open(const dt_masks_round *round, const uint8_t secret[DT_MASKS_SECRET], const uint32_t *words,
                        uint64_t weight, dt_masks **out) {
    dt_masks_round checked = *round;
    DT_TRY(check_round(&checked));
    dt_masks *masks = calloc(1, sizeof *masks);
    if (!masks) return dt_fail_memory("a masked round", sizeof *masks);
    masks->round = checked;
    masks->words = words;
    masks->weight = weight;
    dt_status status = make(masks);
    if (status.code != DT_OK) {
        dt_masks_close(masks);
        return status;
    }
    dt_masks_context(&masks->round, masks->view);
    take_secret(masks, secret);
    sodium_stackzero(8192);
    *out = masks;
    return dt_ok();
}

void dt_masks_close(dt_masks *masks) {
    if (!masks) return;
    for (int i = 0; masks->site && i < masks->round.sites; i++) {
        free(masks->site[i].dealt);
        free(masks->site[i].opened);
    }
    free(masks->site);
    dt_free(masks->sum);
    dt_free(masks->message);
    dt_secret_free(masks->secrets);
    free(masks);
}

dt_masks_phase dt_masks_now(const dt_masks *masks) {
    return masks->phase;
}

const uint8_t *dt_masks_view(const dt_masks *masks) {
    return masks->view;
}

bool dt_masks_heard(const dt_masks *masks, int from) {
    return masks->site[from].heard[masks->phase];
}

/* ---- messages ---- */

static bool may_speak(const dt_masks *masks, int site) {
    switch (masks->phase) {
    case DT_MASKS_KEYS: return masks->round.takes_part[site];
    case DT_MASKS_SHARES: return masks->in[DT_MASKS_KEYS][site];
    default: return masks->in[DT_MASKS_SHARES][site]; /* who was lost since can help to open */
    }
}

bool dt_masks_speaks(const dt_masks *masks) {
    return may_speak(masks, masks->round.me);
}

static void begin_message(const dt_masks *masks, dt_masks_head *head) {
    memcpy(head->format, "dtmask1", 7);
    head->format[7] = (uint8_t)('0' + (int)masks->phase);
    memcpy(head->view, masks->view, DT_KEY);
}

dt_status dt_masks_say(dt_masks *masks, const void **bytes, size_t *length) {
    if (!dt_masks_speaks(masks))
        return dt_fail(DT_ERR_INPUT, "site %s is not in round %" PRId64 " any more",
                       masks->round.names[masks->round.me], masks->round.number);
    if (masks->said == 0 || masks->said_in != masks->phase) {
        dt_free(masks->message);
        masks->said = 0;
        size_t size = dt_masks_length(masks);
        masks->message = dt_alloc(size, 1);
        if (!masks->message) return dt_fail_memory("a message of a masked round", size);
        begin_message(masks, masks->message);
        DT_TRY(dt_masks_write(masks, masks->message));
        masks->said = size;
        masks->said_in = masks->phase;
    }
    *bytes = masks->message;
    *length = masks->said;
    return dt_ok();
}

/* Whether the message's form is that of the phase, and its writer saw what this site saw. */
static dt_status check_message(const dt_masks *masks, int from, const void *bytes, size_t length) {
    const char *name = masks->round.names[from], *phase = dt_masks_phase_name(masks->phase);
    long long number = masks->round.number;
    dt_masks_head head;
    size_t expected = dt_masks_length(masks);
    begin_message(masks, &head);
    if (!may_speak(masks, from))
        return dt_fail(DT_ERR_CORRUPT, "site %s: a message of %s in round %lld, in which it is not", name, phase,
                       number);
    if (length < sizeof head || memcmp(bytes, head.format, sizeof head.format) != 0)
        return dt_fail(DT_ERR_CORRUPT, "site %s: no message of %s in round %lld, by its first bytes", name, phase,
                       number);
    if (memcmp((const uint8_t *)bytes + sizeof head.format, head.view, DT_KEY) != 0)
        return dt_fail(DT_ERR_CORRUPT,
                       "site %s: its %s are of another round, recipe or state than round %lld here, or it saw other "
                       "messages before",
                       name, phase, number);
    if (length != expected)
        return dt_fail(DT_ERR_CORRUPT, "site %s: its %s of round %lld have %zu bytes instead of %zu", name, phase,
                       number, length, expected);
    return dt_ok();
}

/* What this site sent earlier must be what it would send now: one mask for two vectors would give both away. */
static dt_status compare_own(dt_masks *masks, const void *bytes, size_t length) {
    const void *own;
    size_t own_length;
    if (!masks->words && masks->phase == DT_MASKS_VECTOR) return dt_ok();
    if (!masks->derived && length == sizeof(dt_masks_keys)) { /* the change is not here; its hash is what it takes */
        memcpy(masks->secrets->change, ((const dt_masks_keys *)bytes)->change, DT_KEY);
        dt_masks_derive(masks);
    }
    DT_TRY(dt_masks_say(masks, &own, &own_length));
    if (own_length != length || memcmp(own, bytes, length) != 0)
        return dt_fail(DT_ERR_INPUT,
                       "site %s has sent other %s in round %" PRId64
                       " than it would send now: its change is not the one it began the round with, so it cannot go on "
                       "with this round",
                       masks->round.names[masks->round.me], dt_masks_phase_name(masks->phase), masks->round.number);
    return dt_ok();
}

/* A message that was heard already, again. */
static dt_status hear_again(const dt_masks *masks, int from, const void *bytes, size_t length) {
    uint8_t hash[DT_KEY];
    if (masks->phase == DT_MASKS_VECTOR) return dt_ok(); /* dt_masks_add takes one */
    dt_masks_hash(hash, "message", bytes, length);
    if (memcmp(hash, masks->site[from].message[masks->phase], DT_KEY) == 0) return dt_ok();
    return dt_fail(DT_ERR_CORRUPT, "site %s has sent two different messages of %s in round %" PRId64,
                   masks->round.names[from], dt_masks_phase_name(masks->phase), masks->round.number);
}

dt_status dt_masks_hear(dt_masks *masks, int from, const void *bytes, size_t length) {
    dt_masks_site *site = &masks->site[from];
    if (from == masks->round.me && dt_masks_speaks(masks)) DT_TRY(compare_own(masks, bytes, length));
    DT_TRY(check_message(masks, from, bytes, length));
    if (site->heard[masks->phase]) return hear_again(masks, from, bytes, length);
    DT_TRY(dt_masks_read(masks, from, bytes));
    if (masks->phase != DT_MASKS_VECTOR) dt_masks_hash(site->message[masks->phase], "message", bytes, length);
    site->heard[masks->phase] = true;
    return dt_ok();
}

/* ---- sets ---- */

int dt_masks_fewest(const dt_masks *masks) {
    bool sum = masks->phase < DT_MASKS_OPEN; /* else shares of one secret, whose number is the threshold's business */
    return sum && masks->round.threshold < DT_MASKS_FEWEST ? DT_MASKS_FEWEST : masks->round.threshold;
}

/* Members of a set that nothing was heard of, or that are not asked. */
static dt_status check_set(const dt_masks *masks, const bool *set) {
    char missing[200] = "";
    for (int i = 0; i < masks->round.sites; i++) {
        if (!set[i]) continue;
        if (!may_speak(masks, i))
            return dt_fail(DT_ERR_CORRUPT, "site %s cannot be among those whose %s count in round %" PRId64,
                           masks->round.names[i], dt_masks_phase_name(masks->phase), masks->round.number);
        if (!masks->site[i].heard[masks->phase]) dt_append(missing, sizeof missing, " %s", masks->round.names[i]);
    }
    if (!missing[0]) return dt_ok();
    return dt_fail(DT_ERR_STOPPED, "%s of round %" PRId64 " are missing of:%s", dt_masks_phase_name(masks->phase),
                   masks->round.number, missing);
}

dt_status dt_masks_agree(dt_masks *masks, const bool *set, int signers) {
    size_t sites = (size_t)masks->round.sites;
    int have = dt_masks_count(set, masks->round.sites);
    if (masks->phase == DT_MASKS_OPEN)
        return dt_fail(DT_ERR_INPUT,
                       "it is agreed already whose vectors are in the sum of round %" PRId64 ", and stays so",
                       masks->round.number);
    DT_TRY(check_set(masks, set));
    if (have < dt_masks_fewest(masks))
        return dt_fail(DT_ERR_STOPPED, "%s of round %" PRId64 " are there of %d sites, %d are needed with masks",
                       dt_masks_phase_name(masks->phase), masks->round.number, have, dt_masks_fewest(masks));
    if (masks->phase == DT_MASKS_VECTOR && signers < masks->round.threshold)
        return dt_fail(DT_ERR_STOPPED,
                       "%d sites have signed whose vectors are in the sum of round %" PRId64
                       ", %d are needed to open it",
                       signers, masks->round.number, masks->round.threshold);
    memcpy(masks->in[masks->phase], set, sites * sizeof *set);
    dt_masks_look(masks);
    masks->phase++;
    return dt_ok();
}
