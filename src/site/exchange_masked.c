/* The first rank of a site says and hears all; the others get the sum. */
#include "exchange_masked.h"

#include <string.h>

#include "base/memory.h"
#include "replay.h"

/* What the first rank learned, for the others. */
typedef struct learned {
    bool in[DT_MOST_MEMBERS];
    uint64_t weight, bytes;
} learned;

typedef struct under_masks {
    dt_ranks ranks;
    dt_masked_sites sites; /* the box of the first rank */
    dt_round round;
    uint32_t *own; /* [count] the site's change; NULL: it has none in this round */
    uint64_t weight;
    uint32_t *words; /* [count] the sum */
    learned learned;
} under_masks;

static dt_status begin(void *own, const dt_round *round, bool each) {
    under_masks *u = own;
    u->round = *round;
    dt_free(u->own);
    u->own = NULL;
    if (!each) return dt_ok();
    return dt_fail(DT_ERR_INPUT, "sites.masks hide the changes that sites.robust looks at one by one: use one of them");
}

static dt_status keep(under_masks *u, const dt_change *change) {
    u->own = dt_alloc(u->round.count, sizeof *u->own);
    if (!u->own) return dt_fail_memory("a site's change", u->round.count * sizeof *u->own);
    memcpy(u->own, change->words, u->round.count * sizeof *u->own);
    u->weight = change->weight;
    return dt_ok();
}

static dt_status add(void *own, const dt_change *change) {
    under_masks *u = own;
    return dt_ranks_agree(&u->ranks, u->sites.box ? keep(u, change) : dt_ok());
}

static dt_status sum_up(under_masks *u) {
    dt_masked sum;
    dt_change change = {.words = u->own, .weight = u->weight};
    const dt_replay_change note = {u->round.number, u->own, u->round.count, u->round.bits, u->weight};
    if (u->own) DT_TRY(dt_replay_note(u->sites.box, &note));
    DT_TRY(dt_masked_sum(&u->sites, &u->round, u->own ? &change : NULL, &sum));
    dt_free(u->words);
    u->words = sum.words;
    u->learned = (learned){.weight = sum.weight, .bytes = sum.bytes};
    memcpy(u->learned.in, sum.in, sizeof sum.in);
    return dt_mailbox_tidy(u->sites.box);
}

static dt_status take_room(under_masks *u) {
    if (!u->words) u->words = dt_alloc(u->round.count, sizeof *u->words); /* as large in every round */
    return u->words ? dt_ok() : dt_fail_memory("a sum of changes", u->round.count * sizeof *u->words);
}

static dt_status finish(void *own, dt_exchanged *out) {
    under_masks *u = own;
    const dt_ranks *ranks = &u->ranks;
    DT_TRY(dt_ranks_agree(ranks, u->sites.box ? sum_up(u) : take_room(u)));
    DT_TRY(dt_ranks_broadcast(ranks, &u->learned, sizeof u->learned, 0));
    DT_TRY(dt_ranks_broadcast(ranks, u->words, u->round.count * sizeof *u->words, 0));
    *out = (dt_exchanged){
        .words = u->words, .weight = u->learned.weight, .took_part = u->learned.in, .bytes = u->learned.bytes};
    return dt_ok();
}

static void close_it(void *own) {
    under_masks *u = own;
    dt_mailbox_close(u->sites.box);
    dt_free(u->own);
    dt_free(u->words);
    dt_free(u);
}

dt_status dt_exchange_masked(dt_exchange *out, const dt_ranks *ranks, const dt_masked_sites *sites) {
    under_masks *u = dt_alloc(1, sizeof *u);
    dt_status status = dt_ranks_agree(ranks, u ? dt_ok() : dt_fail_memory("the exchange of changes", sizeof *u));
    if (status.code != DT_OK) {
        dt_free(u);
        dt_mailbox_close(sites->box);
        return status;
    }
    u->ranks = *ranks;
    u->sites = *sites;
    *out = (dt_exchange){.own = u, .begin = begin, .add = add, .finish = finish, .close = close_it};
    return dt_ok();
}
