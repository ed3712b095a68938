#include "masked.h"

#include <sodium.h>
#include <string.h>

#include "base/memory.h"
#include "masks.h"
#include "secret.h"

/* What a round works on. */
typedef struct masked {
    const dt_masked_sites *sites;
    const dt_round *round;
    dt_masks *masks;
    const char *names[DT_MOST_MEMBERS];
    uint8_t identities[DT_MOST_MEMBERS][32];
    bool expected[DT_MOST_MEMBERS];
    dt_gathered gathered[DT_MASKS_PHASES];
} masked;

dt_status dt_masked_check(const dt_members *members, int chosen, int threshold) {
    bool few = chosen < DT_MASKS_FEWEST;
    DT_TRY(dt_status_within(dt_masks_check(chosen, &threshold), few ? "sites.masks" : "sites.threshold"));
    if (threshold <= members->quorum) return dt_ok();
    return dt_fail(
        DT_ERR_INPUT,
        "sites.threshold: %d sites are to open a sum that %d have agreed on (sites.quorum); it is at most as many",
        threshold, members->quorum);
}

/* ---- a stage ---- */

/* The masks' opinion of a part; what they hear is part of what they know from then on. */
static dt_status hear(void *context, int member, const void *part, size_t bytes) {
    masked *m = context;
    return dt_masks_hear(m->masks, member, part, bytes);
}

static dt_gather stage_of(masked *m) {
    dt_masks_phase phase = dt_masks_now(m->masks);
    size_t bytes = dt_masks_length(m->masks);
    return (dt_gather){.round = m->round->number,
                       .stage = (uint32_t)phase,
                       .common = m->round->common,
                       .recipe = m->round->recipe,
                       .expected = m->expected,
                       .least = bytes,
                       .most = bytes,
                       .fewest = dt_masks_fewest(m->masks),
                       .check = hear,
                       .context = m};
}

/* All that are in, once more: the mailbox may have been satisfied by what it knew of them. */
static dt_status hear_all(masked *m, const dt_gather *gather, const dt_gathered *gathered, bool add) {
    for (int i = 0; i < m->round->sites; i++) {
        void *part;
        if (!gathered->in[i] || (!add && dt_masks_heard(m->masks, i))) continue;
        DT_TRY(dt_mailbox_fetch(m->sites->box, gather, gathered, i, &part));
        dt_status status = add ? dt_masks_add(m->masks, i, part, (size_t)gather->most)
                               : dt_masks_hear(m->masks, i, part, (size_t)gather->most);
        dt_free(part);
        DT_TRY(status);
    }
    return dt_ok();
}

/* A phase: what this site has to say, who is in, what they say, and the next. */
static dt_status one_phase(masked *m, bool speaks) {
    dt_masks_phase phase = dt_masks_now(m->masks);
    dt_gathered *gathered = &m->gathered[phase];
    dt_gather gather = stage_of(m);
    if (speaks && dt_masks_speaks(m->masks)) DT_TRY(dt_masks_say(m->masks, &gather.own, &gather.own_bytes));
    DT_TRY(dt_mailbox_gather(m->sites->box, &gather, gathered));
    DT_TRY(hear_all(m, &gather, gathered, false));
    memcpy(m->expected, gathered->in, sizeof m->expected);
    if (phase == DT_MASKS_OPEN) return dt_ok();
    DT_TRY(dt_masks_agree(m->masks, gathered->in, m->sites->members->quorum));
    return phase == DT_MASKS_VECTOR ? hear_all(m, &gather, gathered, true) : dt_ok();
}

/* ---- the round ---- */

static void describe(masked *m, dt_masks_round *out) {
    const dt_members *members = m->sites->members;
    for (int i = 0; i < members->count; i++) {
        m->names[i] = members->list[i].name;
        memcpy(m->identities[i], members->list[i].key.sign, sizeof m->identities[i]);
        m->expected[i] = m->round->takes_part[i];
    }
    *out = (dt_masks_round){.recipe = m->round->recipe,
                            .common = m->round->common,
                            .number = m->round->number,
                            .sites = m->round->sites,
                            .me = dt_mailbox_me(m->sites->box),
                            .threshold = m->sites->threshold,
                            .count = m->round->count,
                            .takes_part = m->round->takes_part,
                            .identities = (const uint8_t(*)[32])m->identities,
                            .names = m->names};
}

static dt_status begin(masked *m, const dt_masks_round *round, const dt_change *change) {
    void *secret;
    DT_TRY(dt_secret_alloc(&secret, DT_MASKS_SECRET));
    dt_site_key_secret(m->sites->key, "dtr-mask", secret);
    dt_status status =
        dt_masks_open(round, secret, change ? change->words : NULL, change ? change->weight : 0, &m->masks);
    dt_secret_free(secret);
    return status;
}

static dt_status finish(masked *m, dt_masked *out) {
    size_t count = m->round->count;
    out->words = dt_alloc(count, sizeof *out->words);
    if (!out->words) return dt_fail_memory("a sum of changes", count * sizeof *out->words);
    DT_TRY(dt_masks_finish(m->masks, out->words, &out->weight));
    memcpy(out->in, m->gathered[DT_MASKS_VECTOR].in, sizeof out->in);
    for (int phase = 0; phase < DT_MASKS_PHASES; phase++) out->bytes += m->gathered[phase].bytes;
    return dt_ok();
}

static dt_status run(masked *m, const dt_masks_round *round, const dt_change *change, dt_masked *out) {
    DT_TRY(begin(m, round, change));
    while (dt_masks_now(m->masks) < DT_MASKS_OPEN) DT_TRY(one_phase(m, change != NULL));
    DT_TRY(one_phase(m, change && m->gathered[DT_MASKS_VECTOR].in[round->me]));
    return finish(m, out);
}

dt_status dt_masked_sum(const dt_masked_sites *sites, const dt_round *round, const dt_change *change, dt_masked *out) {
    dt_masks_round described;
    *out = (dt_masked){0};
    masked *m = dt_alloc(1, sizeof *m);
    if (!m) return dt_fail_memory("a masked round", sizeof *m);
    m->sites = sites;
    m->round = round;
    describe(m, &described);
    dt_status status = run(m, &described, change, out);
    dt_masks_close(m->masks);
    dt_free(m);
    if (status.code == DT_OK) return status;
    dt_free(out->words);
    out->words = NULL;
    return status;
}
