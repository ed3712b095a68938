/* An audit: random intervals of a run computed again, and compared with what the run claims (audit.c). */
#ifndef DTRAIN_AUDIT_H
#define DTRAIN_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "comm/comm.h"

typedef struct dt_audit_options {
    const char *run;  /* a run directory, of which the journal is told what was found, and nothing else is written to */
    const char *data; /* where its data is here; NULL: where the recipe says */
    double share;     /* of the intervals that is drawn, 0 … 1 */
    double most;   /* of the run's steps that may be computed, 0 … 1; 0: ten times the share, or a thousand steps */
    uint64_t seed; /* of the draw; the same on all ranks */
    int64_t from, to; /* steps the audit is about; to -1: the last */
    bool checkpoints; /* digests of checkpoints count, and no chain */
    bool given;       /* the run's checkpoint of step 0 is taken as it is, not the recipe's own beginning */
} dt_audit_options;

/* Collective. Prints what was found, and the last line. DT_ERR_DIVERGED: something differs, and what; DT_ERR_USAGE: the
 * run cannot be audited so, and how it can. */
dt_status dt_audit_run(dt_comm *comm, const dt_audit_options *options);

#endif
