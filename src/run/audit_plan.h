/* What an audit computes again (audit_plan.c). */
#ifndef DTRAIN_AUDIT_PLAN_H
#define DTRAIN_AUDIT_PLAN_H

#include "audit.h"
#include "claims.h"

/* Steps computed in one go, from a state that is there to the end of an interval that was drawn. */
typedef struct dt_segment {
    char path[4096];     /* the checkpoint it begins with; "": the recipe's own beginning */
    int64_t begin, end;  /* steps */
    int64_t claim, last; /* claims: the first behind `begin`, and that of `end` */
    int64_t drawn;       /* intervals that were drawn within it */
} dt_segment;

typedef struct dt_audit_plan {
    dt_segment *segments; /* [count], by their steps */
    int64_t count;
    int64_t intervals, drawn; /* that could have been drawn, and were */
    int64_t steps, again;     /* of the range that is audited, and computed in all */
} dt_audit_plan;

/* Which of `count` intervals are drawn: those with the `wanted` smallest draws, a function of the seed and the interval
 * alone; chosen[count]. DT_ERR_MEMORY. */
dt_status dt_audit_draw(uint64_t seed, int64_t count, int64_t wanted, bool *chosen);

/* Not collective. DT_ERR_USAGE where there is nothing to draw from, or it would cost more than options->most. To be
 * closed, also after a failure. */
dt_status dt_audit_plan_make(dt_audit_plan *plan, const dt_claims *claims, const dt_audit_options *options);
void dt_audit_plan_close(dt_audit_plan *plan);

#endif
