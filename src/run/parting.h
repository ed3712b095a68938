/* Where two runs part (parting.c): by the digests they claim, and tensor by tensor. Not collective. */
#ifndef DTRAIN_PARTING_H
#define DTRAIN_PARTING_H

#include "claims.h"
#include "store/datasets.h"

typedef struct dt_parting {
    int64_t common; /* steps of which both claim a digest that can be compared */
    int64_t same;   /* the last before they part of which it is the same; 0: none, but both begin at 0 */
    int64_t parted; /* the first of which it is another; -1: none */
} dt_parting;
dt_parting dt_claims_part(const dt_claims *a, const dt_claims *b);

/* A state to compare: that of a checkpoint, or one in memory. */
typedef struct dt_seen_state {
    const char *path;
    const dt_state *state; /* where path is NULL */
} dt_seen_state;

typedef struct dt_difference {
    char name[192]; /* of the first dataset that differs, in the digest's order; "": none does */
    int64_t element, elements, differing;
    char values[2][64];          /* of that element: as bits and as a number; "-": it is not there */
    int64_t datasets, different; /* of the first state; of them that are another in the second */
} dt_difference;
dt_status dt_states_differ(const dt_seen_state sides[2], dt_difference *out);

#endif
