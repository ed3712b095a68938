/* The ranks that work together, as far as this room knows them. One process alone has nobody to ask; where there are
 * more, whoever starts the work says how they agree and add up (run/comm_ranks.c), and nothing here is MPI. */
#ifndef DTRAIN_RANKS_H
#define DTRAIN_RANKS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "compute/compute.h"

/* All three are called by every rank, in the same order. */
typedef struct dt_ranks {
    int rank, size;
    void *context;
    /* The failure of the lowest rank that has one, on all of them. */
    dt_status (*agree)(void *context, dt_status status);
    /* Element-wise sums over the ranks, in place. */
    dt_status (*sum)(void *context, int64_t *values, size_t count);
    /* Rank `root`'s bytes everywhere. */
    dt_status (*broadcast)(void *context, void *bytes, size_t count, int root);
} dt_ranks;

/* This process and no other. */
dt_ranks dt_ranks_alone(void);

static inline dt_status dt_ranks_agree(const dt_ranks *ranks, dt_status status) {
    return ranks->agree(ranks->context, status);
}

/* Collective. *tally becomes the sum of all ranks' tallies. */
dt_status dt_tally_gather(const dt_ranks *ranks, dt_tally *tally);
/* Collective. Success when no product of any rank has failed since it was last asked; else on all ranks what failed on
 * the lowest of them, which is named. */
dt_status dt_computed_everywhere(const dt_ranks *ranks);

#endif
