/* A dispute: two runs of one recipe, and where they part (dispute.c). */
#ifndef DTRAIN_DISPUTE_H
#define DTRAIN_DISPUTE_H

#include <stdbool.h>

#include "comm/comm.h"

typedef struct dt_dispute_options {
    const char *sides[2]; /* run directories or checkpoints, which are not written to */
    const char *data;     /* where their data is here; NULL: where the recipe says */
    bool files;           /* nothing is computed; files are compared */
} dt_dispute_options;

/* Collective. Prints what differs, and the last line. DT_ERR_DIVERGED: something does; DT_ERR_USAGE: they cannot be
 * compared. */
dt_status dt_dispute_run(dt_comm *comm, const dt_dispute_options *options);

#endif
