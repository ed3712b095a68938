/* The first rank of a site writes, waits and reads; the sum, or the changes one by one, are then sent to the others. */
#include "exchange_mailbox.h"

#include <string.h>

#include "base/memory.h"
#include "words.h"

/* What the first rank learned, for the others. */
typedef struct learned {
    bool in[DT_MOST_MEMBERS];
    uint64_t weight[DT_MOST_MEMBERS];
    uint64_t bytes;
} learned;

typedef struct through_mailbox {
    dt_ranks ranks;
    dt_mailbox *box;   /* of the first rank; or, of rounds that are computed again, */
    dt_replay *replay; /* what it kept of them */
    dt_round round;
    bool wants_each;
    uint32_t *words; /* [room] the sum, or the changes that are in one after the other */
    size_t room;
    uint8_t *own; /* the site's change as it travels; NULL: it has none in this round */
    size_t own_bytes;
    uint64_t weight;
    learned learned;
    dt_change each[DT_MOST_MEMBERS];
} through_mailbox;

static dt_status begin(void *own, const dt_round *round, bool each) {
    through_mailbox *t = own;
    t->round = *round;
    t->wants_each = each;
    t->own_bytes = dt_words_bytes(round->count, round->bits);
    dt_free(t->own);
    t->own = NULL;
    return dt_ok();
}

static dt_status pack(through_mailbox *t, const dt_change *change) {
    t->own = dt_alloc(t->own_bytes ? t->own_bytes : 1, 1);
    if (!t->own) return dt_fail_memory("a site's change", t->own_bytes);
    t->weight = change->weight;
    if (dt_words_pack(t->own, change->words, t->round.count, t->round.bits)) return dt_ok();
    return dt_fail(DT_ERR_DIVERGED, "a word of the change of round %lld does not fit %d bits",
                   (long long)t->round.number, t->round.bits);
}

static dt_status add(void *own, const dt_change *change) {
    through_mailbox *t = own;
    return dt_ranks_agree(&t->ranks, t->ranks.rank == 0 ? pack(t, change) : dt_ok());
}

/* Parts into words, in the order of the members: of the first rank, or the whole room of the others. */
static dt_status read_parts(through_mailbox *t, const dt_gather *gather, const dt_gathered *gathered) {
    uint32_t *to = t->words;
    for (int i = 0; i < t->round.sites; i++) {
        void *part;
        if (!gathered->in[i]) continue;
        DT_TRY(t->box ? dt_mailbox_fetch(t->box, gather, gathered, i, &part)
                      : dt_replay_fetch(t->replay, gather, gathered, i, &part));
        dt_words_add(to, part, t->round.count, t->round.bits);
        dt_free(part);
        if (t->wants_each) to += t->round.count;
    }
    return dt_ok();
}

static dt_gather what_is_wanted(const through_mailbox *t) {
    return (dt_gather){.round = t->round.number,
                       .common = t->round.common,
                       .recipe = t->round.recipe,
                       .expected = t->round.takes_part,
                       .bits = (uint32_t)t->round.bits,
                       .count = t->round.count,
                       .least = t->own_bytes,
                       .most = t->own_bytes,
                       .own = t->own,
                       .own_bytes = t->own ? t->own_bytes : 0,
                       .weight = t->weight};
}

static dt_status gather_all(through_mailbox *t, const dt_gather *gather, dt_gathered *out) {
    DT_TRY(t->box ? dt_mailbox_gather(t->box, gather, out) : dt_replay_gather(t->replay, gather, out));
    memcpy(t->learned.in, out->in, sizeof out->in);
    memcpy(t->learned.weight, out->weight, sizeof out->weight);
    t->learned.bytes = out->bytes;
    return dt_ok();
}

static int count_in(const through_mailbox *t) {
    int count = 0;
    for (int i = 0; i < t->round.sites; i++) count += t->learned.in[i];
    return count;
}

static dt_status take_room(through_mailbox *t) {
    size_t room = (t->wants_each ? (size_t)count_in(t) : 1) * t->round.count;
    if (room > t->room) {
        dt_free(t->words);
        t->words = dt_alloc(room, sizeof *t->words);
        t->room = t->words ? room : 0;
    } else if (t->words) {
        memset(t->words, 0, room * sizeof *t->words);
    }
    return t->words ? dt_ok() : dt_fail_memory("the changes of the sites", room * sizeof *t->words);
}

static void tell(through_mailbox *t, dt_exchanged *out) {
    *out = (dt_exchanged){.words = t->wants_each ? NULL : t->words,
                          .each = t->wants_each ? t->each : NULL,
                          .weights = t->learned.weight,
                          .took_part = t->learned.in,
                          .bytes = t->learned.bytes};
    for (int i = 0, place = 0; i < t->round.sites; i++) {
        if (!t->learned.in[i]) continue;
        out->weight += t->learned.weight[i];
        t->each[place] = (dt_change){.site = i,
                                     .words = t->words + (size_t)place * t->round.count * (t->wants_each ? 1 : 0),
                                     .weight = t->learned.weight[i]};
        place++;
        out->each_count = t->wants_each ? place : 0;
    }
}

static dt_status finish(void *own, dt_exchanged *out) {
    through_mailbox *t = own;
    const dt_ranks *ranks = &t->ranks;
    dt_gather gather = what_is_wanted(t);
    dt_gathered gathered;
    memset(&gathered, 0, sizeof gathered);
    DT_TRY(dt_ranks_agree(ranks, t->ranks.rank == 0 ? gather_all(t, &gather, &gathered) : dt_ok()));
    DT_TRY(dt_ranks_broadcast(ranks, &t->learned, sizeof t->learned, 0));
    DT_TRY(dt_ranks_agree(ranks, take_room(t)));
    DT_TRY(dt_ranks_agree(ranks, t->ranks.rank == 0 ? read_parts(t, &gather, &gathered) : dt_ok()));
    DT_TRY(dt_ranks_agree(ranks, t->box ? dt_mailbox_tidy(t->box) : dt_ok()));
    size_t words = (t->wants_each ? (size_t)count_in(t) : 1) * t->round.count;
    DT_TRY(dt_ranks_broadcast(ranks, t->words, words * sizeof *t->words, 0));
    tell(t, out);
    return dt_ok();
}

static void close_it(void *own) {
    through_mailbox *t = own;
    dt_mailbox_close(t->box);
    dt_replay_close(t->replay);
    dt_free(t->own);
    dt_free(t->words);
    dt_free(t);
}

static dt_status open_it(dt_exchange *out, const dt_ranks *ranks, dt_mailbox *box, dt_replay *replay) {
    through_mailbox *t = dt_alloc(1, sizeof *t);
    dt_status status = dt_ranks_agree(ranks, t ? dt_ok() : dt_fail_memory("the exchange of changes", sizeof *t));
    if (status.code != DT_OK) {
        dt_free(t);
        dt_mailbox_close(box);
        dt_replay_close(replay);
        return status;
    }
    t->ranks = *ranks;
    t->box = box;
    t->replay = replay;
    *out = (dt_exchange){.own = t, .begin = begin, .add = add, .finish = finish, .close = close_it};
    return dt_ok();
}

dt_status dt_exchange_mailbox(dt_exchange *out, const dt_ranks *ranks, dt_mailbox *box) {
    return open_it(out, ranks, box, NULL);
}

dt_status dt_exchange_again(dt_exchange *out, const dt_ranks *ranks, dt_replay *replay) {
    return open_it(out, ranks, NULL, replay);
}
