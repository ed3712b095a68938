/* The sum of a round under masks, through a mailbox: the four phases of masks.h as stages of the round, each of which
 * ends when the sites have agreed on whose messages count. The quorum of a mailbox is the signatures that masks.h asks
 * for, so the threshold is at most that: a set of vectors is opened when the quorum has signed it, and there is no
 * second one. */
#ifndef DTRAIN_MASKED_H
#define DTRAIN_MASKED_H

#include "exchange.h"
#include "mailbox.h"

typedef struct dt_masked {
    uint32_t *words; /* [round.count] the sum modulo 2^32; to dt_free */
    uint64_t weight; /* of those that are in */
    uint64_t bytes;  /* that the sites sent in all four stages */
    bool in[DT_MOST_MEMBERS];
} dt_masked;

typedef struct dt_masked_sites {
    dt_mailbox *box;
    const dt_members *members;
    const dt_site_key *key;
    int threshold; /* 0: the smallest majority of those that take part */
} dt_masked_sites;

/* Whether rounds of so many of the members can be masked; the failure names the field that forbids it. */
dt_status dt_masked_check(const dt_members *members, int chosen, int threshold);

/* One round. `change`, with all its words, is this site's; NULL where it does not take part. DT_ERR_STOPPED as in
 * dt_mailbox_gather: the same call may be made again, with the same change. */
dt_status dt_masked_sum(const dt_masked_sites *sites, const dt_round *round, const dt_change *change, dt_masked *out);

#endif
