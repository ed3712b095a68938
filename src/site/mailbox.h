/* A mailbox: a directory through which sites that share nothing else send each other signed files. Couriers of any kind
 * (a shared file system, rsync, an object store, a stick) copy what is in it to the mailboxes of the other sites, all
 * of it, also what came from others, in any order and at any time. No port, no server, no clock in common.
 *
 *     MAILBOX/round-00000012/north-3f1c….part    what a site gives (message.h); "round-…-1" where a round has stages
 *     MAILBOX/round-00000012/north-77ab….vote    who is in, by what it has (agreement.h)
 *     MAILBOX/round-00000012/north-93ab….state   that common-18d2….h5 there is the common state (vouch.h)
 *
 * Names are for people: what counts is inside, signed. Files of other names are passed over.
 *
 * A site keeps what it signed in a directory of its own, too, written before anything is sent, and sends it again where
 * a courier has lost it. A site that was killed
 * signs the same again or nothing: what it sends twice in one place has one hash, or the second is not signed.
 *
 * One process of a site works with a mailbox at a time; not collective. */
#ifndef DTRAIN_MAILBOX_H
#define DTRAIN_MAILBOX_H

#include <stdbool.h>

#include "base/status.h"
#include "message.h"

typedef struct dt_mailbox dt_mailbox;

typedef struct dt_mailbox_options {
    const char *directory;     /* the mailbox; it must be there */
    const char *records;       /* of this site alone, that stay; made where it is missing */
    const dt_members *members; /* kept */
    const dt_site_key *key;    /* kept; its name says which member this is */
    uint64_t recipe;           /* as in the gathers; for rounds that are over */
    int64_t keep;              /* rounds that are over and whose files stay; 0: all */
    int64_t forget;            /* rounds after which a member that signs nothing keeps none from being over; 0: never */
    double wait;               /* seconds before it gives up for now */
    double deadline; /* seconds from a round's beginning here until it goes on without who is late; 0: never */
    void (*waits)(void *context, const char *what); /* hears who is waited for long, or in vain; NULL: nobody does */
    void *context;
} dt_mailbox_options;

/* DT_ERR_INPUT: no member has this key, or there is no such directory. To be closed. */
dt_status dt_mailbox_open(dt_mailbox **out, const dt_mailbox_options *options);
void dt_mailbox_close(dt_mailbox *box); /* accepts NULL */
int dt_mailbox_me(const dt_mailbox *box);

/* Rounds that all members have behind them (mailbox_past.c): what is kept only to be sent again is removed, and with
 * `keep` the files of those before the last so many, of all members. The caller sees to it that nothing is signed in a
 * round (dt_mailbox_gather) before it could go on from there whatever happens. Within a round or between two. */
dt_status dt_mailbox_tidy(dt_mailbox *box);
/* What this site signed in rounds that others may be in, and the mailbox does not have, is sent again. */
dt_status dt_mailbox_send_again(dt_mailbox *box);

/* One stage of a round: each member that is expected gives a part, and all agree on whose are in. Alike at all members
 * but for the own part. */
typedef struct dt_gather {
    int64_t round;
    uint32_t stage;
    uint64_t common, recipe; /* as in exchange.h */
    const bool *expected;    /* [members] */
    uint32_t bits;           /* of a word; 0: parts are no words */
    uint64_t count;          /* of words */
    uint64_t least, most;    /* bytes of a part */
    int fewest;              /* parts that are needed whoever is late; more may be, by the quorum */
    const void *own;         /* this site's part, [own_bytes]; NULL: it gives none */
    size_t own_bytes;
    uint64_t weight;
    /* What else must be true of a part of `member` to count; NULL: nothing. The failure says what is wrong. */
    dt_status (*check)(void *context, int member, const void *part, size_t bytes);
    void *context;
} dt_gather;

typedef struct dt_gathered {
    bool in[DT_MOST_MEMBERS];
    uint64_t weight[DT_MOST_MEMBERS];
    uint64_t bytes; /* of the files of the parts that are in: the same everywhere */
    uint8_t id[DT_MOST_MEMBERS][DT_MESSAGE_ID];
    char file[DT_MOST_MEMBERS][DT_SITE_NAME + 24]; /* their names here */
} dt_gathered;

/* Sends the own part, and waits until it is agreed whose are in, and these are here. DT_ERR_STOPPED: a stop was asked
 * for, or the time to wait is over; the message says who is missing, and the same call may be made again, in another
 * process as well. DT_ERR_DIVERGED: this site has signed another part for this place before. */
dt_status dt_mailbox_gather(dt_mailbox *box, const dt_gather *gather, dt_gathered *out);

/* The part of a member that is in; to dt_free. Checked once more. */
dt_status dt_mailbox_fetch(dt_mailbox *box, const dt_gather *gather, const dt_gathered *gathered, int member,
                           void **part);

#endif
