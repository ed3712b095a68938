/* The way of changes through a mailbox: this job is one site, the others are elsewhere. */
#ifndef DTRAIN_EXCHANGE_MAILBOX_H
#define DTRAIN_EXCHANGE_MAILBOX_H

#include "base/ranks.h"
#include "exchange.h"
#include "replay.h"

/* `ranks` are those of the site, and kept. The first of them has the mailbox, which is closed with the exchange; the
 * others give NULL. Collective. */
dt_status dt_exchange_mailbox(dt_exchange *out, const dt_ranks *ranks, dt_mailbox *box);
/* Of rounds that are computed again: what was sent is compared and read, and nothing is sent. Likewise. */
dt_status dt_exchange_again(dt_exchange *out, const dt_ranks *ranks, dt_replay *replay);

#endif
