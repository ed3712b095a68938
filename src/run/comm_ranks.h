/* The ranks of a job as the room use/ sees them (use/ranks.h). */
#ifndef DTRAIN_COMM_RANKS_H
#define DTRAIN_COMM_RANKS_H

#include "comm/comm.h"
#include "use/ranks.h"

/* All ranks of `comm`, which outlives them. */
dt_ranks dt_ranks_of(dt_comm *comm);

#endif
