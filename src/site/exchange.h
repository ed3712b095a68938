/* How the changes of a round travel between sites: the seam between the loop over rounds (run/rounds.h) and the ways
 * there are (inside one job, or files in a mailbox).
 *
 * A site's change is what its training of a round made of the common weights: integer words, as site/change.h makes
 * them, times its weight. Their sum over the sites modulo 2^32 is exact and the same in every order, so every site gets
 * the same sum from the same changes, and masks that cancel in it change nothing.
 *
 * All functions are collective over the ranks of the job unless they say otherwise, and all ranks get the same status.
 * DT_ERR_STOPPED is no failure of the run: it ends with exit code 75, and the same command goes on later; the message
 * says what is waited for, such as the sites that are missing. */
#ifndef DTRAIN_EXCHANGE_H
#define DTRAIN_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* What all sites know of a round before it, alike. */
typedef struct dt_round {
    int64_t number;         /* from 0 */
    uint64_t common;        /* digest of the common state it begins from */
    uint64_t recipe;        /* hash of what must be alike in all sites' recipes */
    int sites;              /* members, in the order of the recipe */
    const bool *takes_part; /* [sites] chosen for this round; the same function of seed and number everywhere */
    int chosen;             /* how many those are; words are made so that the sum of as many cannot wrap */
    size_t count;           /* words of a change */
    int bits;               /* 32, 8 or 4: every word of a change, taken as signed, fits so many, and may travel so */
} dt_round;

/* Of one site, in one round. */
typedef struct dt_change {
    int site;
    const uint32_t *words; /* [round.count] two's complement, times the weight */
    uint64_t weight;       /* what it counts for: samples, or 1 */
} dt_change;

/* What came of a round, the same at every site. Borrowed until the exchange's next call. */
typedef struct dt_exchanged {
    const uint32_t *words; /* [round.count] the sum modulo 2^32; NULL where `each` was asked for */
    const dt_change *each; /* [each_count] in the order of sites; NULL where the sum alone is there */
    int each_count;
    uint64_t weight;         /* the sum of those that took part */
    const uint64_t *weights; /* [sites] of those that took part, others 0; NULL where masks hide them */
    const bool *took_part;   /* [sites] whose changes are in it; at least one */
    uint64_t bytes;          /* that the sites sent in all: for the records */
} dt_exchanged;

/* A way changes travel: a table of functions and what they work on. */
typedef struct dt_exchange {
    void *own;
    /* A round begins. `each`: the changes one by one are wanted instead of their sum (robust sums). */
    dt_status (*begin)(void *own, const dt_round *round, bool each);
    /* A change of a site that was trained here; its words are complete on every rank of the group that trained it
     * (collective over that group alone), and borrowed for the call. */
    dt_status (*add)(void *own, const dt_change *change);
    /* All that were trained here are added. */
    dt_status (*finish)(void *own, dt_exchanged *out);
    /* Not collective. */
    void (*close)(void *own);
} dt_exchange;

#endif
