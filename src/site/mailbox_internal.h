/* What the files of a mailbox share (mailbox.h). */
#ifndef DTRAIN_MAILBOX_INTERNAL_H
#define DTRAIN_MAILBOX_INTERNAL_H

#include "mailbox.h"

struct dt_mailbox {
    dt_mailbox_options options;
    char directory[4096], records[4096];
    int me;
    /* mailbox_past.c: of each member the last round that it signed something in, as far as was looked; -1: none */
    int64_t reached[DT_MOST_MEMBERS];
    int64_t passed, removed; /* rounds before these, as the records have it; -1: not yet read */
    bool looked;             /* at all rounds there are */
};

/* Rounds before this one are removed: nothing is signed in them. */
dt_status dt_mailbox_removed(dt_mailbox *box, int64_t *round);

/* Which members have signed something in the last rounds of the mailbox, behind `round`; the newest of these. */
dt_status dt_mailbox_ahead(dt_mailbox *box, int64_t round, bool ahead[DT_MOST_MEMBERS], int64_t *newest);

#endif
