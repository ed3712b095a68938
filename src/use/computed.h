/* What the ranks computed, put together (computed.c). */
#ifndef DTRAIN_COMPUTED_H
#define DTRAIN_COMPUTED_H

#include "base/ranks.h"
#include "compute/compute.h"

/* Collective. *tally becomes the sum of all ranks' tallies. */
dt_status dt_tally_gather(const dt_ranks *ranks, dt_tally *tally);
/* Collective. Success when no product of any rank has failed since it was last asked; else on all ranks what failed on
 * the lowest of them, which is named. */
dt_status dt_computed_everywhere(const dt_ranks *ranks);

#endif
