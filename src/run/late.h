/* Ranks the others wait for: those that compute longest. */
#ifndef DTRAIN_LATE_H
#define DTRAIN_LATE_H

#include "comm/comm.h"

#define DT_LATE_RANKS 4

typedef struct dt_late {
    int count; /* 0: there is one rank alone */
    int rank[DT_LATE_RANKS];
    double busy[DT_LATE_RANKS]; /* seconds, the most first */
    double mean;                /* of all ranks */
} dt_late;

/* Collective. Of what the ranks say of themselves. */
dt_status dt_late_find(dt_comm *comm, double busy, dt_late *out);

#endif
