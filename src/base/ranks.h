/* The ranks that work together, as far as rooms without MPI know them. One process alone has nobody to ask; where there
 * are more, whoever starts the work says how they agree and add up (comm/comm_ranks.c). The library (include/dtrain)
 * works alone. */
#ifndef DTRAIN_RANKS_H
#define DTRAIN_RANKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* All are called by every rank, in the same order. */
typedef struct dt_ranks {
    int rank, size;
    int node_rank;    /* among those of this machine */
    const char *host; /* this machine, in messages */
    void *context;
    /* The failure of the lowest rank that has one, on all of them. */
    dt_status (*agree)(void *context, dt_status status);
    /* Element-wise sums over the ranks, in place. */
    dt_status (*sum)(void *context, int64_t *values, size_t count);
    /* Element-wise minima, in place. */
    dt_status (*least)(void *context, int64_t *values, size_t count);
    /* Rank `root`'s bytes everywhere. */
    dt_status (*broadcast)(void *context, void *bytes, size_t count, int root);
    /* The bytes of each machine's first rank, on the others of that machine. */
    dt_status (*node_broadcast)(void *context, void *bytes, size_t count);
} dt_ranks;

/* This process and no other. */
dt_ranks dt_ranks_alone(void);

static inline dt_status dt_ranks_agree(const dt_ranks *ranks, dt_status status) {
    return ranks->agree(ranks->context, status);
}
static inline dt_status dt_ranks_sum(const dt_ranks *ranks, int64_t *values, size_t count) {
    return ranks->sum(ranks->context, values, count);
}
static inline dt_status dt_ranks_least(const dt_ranks *ranks, int64_t *values, size_t count) {
    return ranks->least(ranks->context, values, count);
}
static inline dt_status dt_ranks_broadcast(const dt_ranks *ranks, void *bytes, size_t count, int root) {
    return ranks->broadcast(ranks->context, bytes, count, root);
}
static inline dt_status dt_ranks_node_broadcast(const dt_ranks *ranks, void *bytes, size_t count) {
    return ranks->node_broadcast(ranks->context, bytes, count);
}
/* Collective. Whether a flag is raised on any rank. */
bool dt_ranks_any(const dt_ranks *ranks, bool flag);

#endif
