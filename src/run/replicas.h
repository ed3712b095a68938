/* Whether the nodes' replicas are still the same (replicas.c). */
#ifndef DTRAIN_REPLICAS_H
#define DTRAIN_REPLICAS_H

#include "snapshot.h"

/* Collective. A failure names the ranks whose replica differs. */
dt_status dt_check_replicas(const dt_session *session, dt_trainee *trainee, dt_snapshot *snapshot,
                            const dt_ledger *ledger);

#endif
