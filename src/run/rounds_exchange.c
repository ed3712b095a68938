/* The way of changes between sites of one job: words are added up by each group as it trains them, and then over the
 * ranks, modulo 2^32. */
#include <string.h>

#include "base/memory.h"
#include "rounds.h"

typedef struct here {
    dt_comm *comm;
    bool leads;
    dt_round round;
    uint32_t *words; /* [room] the sum, or the changes one after the other */
    size_t room;
    int64_t *weights;  /* [sites], of them as many as take part */
    uint64_t *of_site; /* [sites] */
    dt_change *each;   /* [chosen]; NULL: the sum is asked for */
    int *place;        /* [sites] of those that take part, in the order of sites */
} here;

static void forget(here *h) {
    dt_free(h->words);
    dt_free(h->weights);
    dt_free(h->of_site);
    dt_free(h->each);
    dt_free(h->place);
    h->words = NULL;
    h->weights = NULL;
    h->of_site = NULL;
    h->each = NULL;
    h->place = NULL;
    h->room = 0;
}

static dt_status take_memory(here *h, const dt_round *round, bool each) {
    size_t room = (each ? (size_t)round->chosen : 1) * round->count;
    if (h->words && room == h->room) return dt_ok();
    forget(h);
    h->words = dt_alloc(room, sizeof *h->words);
    h->weights = dt_alloc((size_t)round->sites, sizeof *h->weights);
    h->of_site = dt_alloc((size_t)round->sites, sizeof *h->of_site);
    h->place = dt_alloc((size_t)round->sites, sizeof *h->place);
    if (each) h->each = dt_alloc((size_t)round->sites, sizeof *h->each);
    h->room = room;
    bool complete = h->words && h->weights && h->of_site && h->place && (!each || h->each);
    return complete ? dt_ok() : dt_fail_memory("the changes of the sites", room * sizeof *h->words);
}

static dt_status begin(void *own, const dt_round *round, bool each) {
    here *h = own;
    DT_TRY(dt_comm_agree(h->comm, take_memory(h, round, each)));
    h->round = *round;
    memset(h->words, 0, h->room * sizeof *h->words);
    memset(h->weights, 0, (size_t)round->chosen * sizeof *h->weights);
    for (int site = 0, place = 0; site < round->sites; site++) {
        h->place[site] = place;
        place += round->takes_part[site];
    }
    return dt_ok();
}

static dt_status add(void *own, const dt_change *change) {
    here *h = own;
    if (!h->leads) return dt_ok();
    int place = h->place[change->site];
    uint32_t *to = h->words + (h->each ? (size_t)place * h->round.count : 0);
    for (size_t i = 0; i < h->round.count; i++) to[i] += change->words[i];
    h->weights[place] = (int64_t)change->weight;
    return dt_ok();
}

static dt_status finish(void *own, dt_exchanged *out) {
    here *h = own;
    const dt_round *round = &h->round;
    DT_TRY(dt_comm_sum_u32(h->comm, h->words, h->room));
    DT_TRY(dt_comm_sum_i64(h->comm, h->weights, (size_t)round->chosen));
    *out = (dt_exchanged){.words = h->each ? NULL : h->words,
                          .each = h->each,
                          .each_count = h->each ? round->chosen : 0,
                          .weights = h->of_site,
                          .took_part = round->takes_part};
    for (int place = 0; place < round->chosen; place++) out->weight += (uint64_t)h->weights[place];
    for (int site = 0; site < round->sites; site++)
        h->of_site[site] = round->takes_part[site] ? (uint64_t)h->weights[h->place[site]] : 0;
    for (int site = 0; h->each && site < round->sites; site++)
        if (round->takes_part[site])
            h->each[h->place[site]] = (dt_change){.site = site,
                                                  .words = h->words + (size_t)h->place[site] * round->count,
                                                  .weight = (uint64_t)h->weights[h->place[site]]};
    out->bytes = (uint64_t)round->chosen * ((round->count * (size_t)round->bits + 7) / 8 + sizeof(uint64_t));
    return dt_ok();
}

static void close_here(void *own) {
    forget(own);
    dt_free(own);
}

dt_status dt_exchange_here(dt_exchange *out, dt_comm *comm, bool leads) {
    here *h = dt_alloc(1, sizeof *h);
    DT_TRY(dt_comm_agree(comm, h ? dt_ok() : dt_fail_memory("the exchange of changes", sizeof *h)));
    *h = (here){.comm = comm, .leads = leads};
    *out = (dt_exchange){.own = h, .begin = begin, .add = add, .finish = finish, .close = close_here};
    return dt_ok();
}
