/* The way of changes through a mailbox under masks: this job is one site, the others are elsewhere, and no file says
 * what a site learned (masks.h). The sum has the bits it has without masks. */
#ifndef DTRAIN_EXCHANGE_MASKED_H
#define DTRAIN_EXCHANGE_MASKED_H

#include "base/ranks.h"
#include "masked.h"

/* As dt_exchange_mailbox: `sites->box` is the first rank's, NULL on the others, and closed with the exchange. Changes
 * one by one (robust sums) are refused. Collective. */
dt_status dt_exchange_masked(dt_exchange *out, const dt_ranks *ranks, const dt_masked_sites *sites);

#endif
