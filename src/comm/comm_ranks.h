/* The ranks of a job as rooms without MPI see them (base/ranks.h). */
#ifndef DTRAIN_COMM_RANKS_H
#define DTRAIN_COMM_RANKS_H

#include "base/ranks.h"
#include "comm/comm.h"

/* All ranks of `comm`, which outlives them. */
dt_ranks dt_ranks_of(dt_comm *comm);

#endif
