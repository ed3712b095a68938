/* What a run directory claims: digests of the trained state at steps, by links of its chain and by its checkpoints;
 * read from files that anybody may have written, and compared with each other (claims.c). */
#ifndef DTRAIN_CLAIMS_H
#define DTRAIN_CLAIMS_H

#include "store/checkpoint.h"
#include "store/links.h"

/* A checkpoint of the run that is still there. */
typedef struct dt_kept_checkpoint {
    char path[4096];
    int64_t step;
    uint64_t digest;
    dt_link chain;
    bool usable; /* of the newest one's recipe and data: steps behind it can be computed again */
} dt_kept_checkpoint;

/* The state at a step. */
typedef struct dt_claim {
    int64_t step;
    bool linked;
    dt_link_row link;
    int kept;    /* the checkpoint; -1: there is none */
    bool lost;   /* it cannot be computed from the one before: sums of sites elsewhere are not to be had, */
    bool unseen; /* nor is there anything to compare with (rerun_site.c) */
} dt_claim;

typedef struct dt_claims {
    const char *run;
    dt_kept_checkpoint *kept;       /* [kept_count], by their steps */
    int kept_count, usable, newest; /* newest: the last that is whole */
    char *recipe, *data;            /* of the newest; data NULL: it does not say */
    dt_claim *all;                  /* [count], by their steps; the first is of step 0, whether claimed or not */
    int64_t count;
    dt_links links;
    bool recorded;               /* metrics.jsonl is there, and says which steps were evaluated */
    int64_t missing;             /* links of the chain that metrics.jsonl lacks */
    int64_t unchecked;           /* links that could not be compared with the one before, which is missing */
    int contradictions;          /* between files; told as they were found */
    int64_t first_contradiction; /* the step of the first */
} dt_claims;

/* Which digests are to count. */
typedef enum dt_claimed_by { DT_CLAIMED_BY_CHAIN, DT_CLAIMED_BY_CHECKPOINTS, DT_CLAIMED_BY_EITHER } dt_claimed_by;

/* `run` is a run directory, or one checkpoint. Not collective. To be closed, also after a failure, which is
 * DT_ERR_USAGE where the run lacks what it takes. */
dt_status dt_claims_open(dt_claims *claims, const char *run, dt_claimed_by by);
void dt_claims_close(dt_claims *claims);

#endif
