/* Whether the nodes' replicas are still the same (replicas.c). */
#ifndef DTRAIN_REPLICAS_H
#define DTRAIN_REPLICAS_H

#include "ledger.h"
#include "session.h"

typedef struct dt_replicas {
    uint64_t *hashes; /* [count], the node's: of each block of what its ranks share; NULL where there is one node */
    size_t count;
} dt_replicas;

/* Collective. For the arrays of `state`, in memory that goes with session->node. */
dt_status dt_replicas_open(dt_replicas *replicas, const dt_session *session, const dt_state *state);
/* Collective. Compares `state` on all ranks, of which `shared`, an extra of it or NULL, is the node's as the sections
 * are. A failure names the ranks whose replica differs; `newest` is the step of the newest checkpoint. */
dt_status dt_replicas_compare(const dt_replicas *replicas, const dt_session *session, const dt_state *state,
                              const dt_extra *shared, int64_t newest);

#endif
