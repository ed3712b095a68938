/* The gradient of one rank computed by another, and compared: whether a processor computes wrongly (crosscheck.c).
 *
 * Once dt_reduce_finish has given sums, and before they are taken, a rank computes another's gradient aside
 * (dt_reduce_begin_aside), in words of the wire and by the exponents those of this step have. */
#ifndef DTRAIN_CROSSCHECK_H
#define DTRAIN_CROSSCHECK_H

#include "reduce.h"

typedef struct dt_crosscheck dt_crosscheck;

/* What two computations of one gradient differ in. */
typedef struct dt_disagreement {
    int whose, by,
        third;  /* ranks: whose gradient it is, who computed it again, who is to decide; third -1: nobody can */
    int tensor; /* the first that differs; -1: all agree */
} dt_disagreement;

/* Collective. `reducer` outlives it. */
dt_status dt_crosscheck_open(dt_crosscheck **out, dt_reducer *reducer, dt_node *node);
void dt_crosscheck_close(dt_crosscheck *check); /* accepts NULL */

/* Whose gradient this rank computes aside, where each computes that of the one `shift` behind it. */
int dt_crosscheck_whose(const dt_crosscheck *check, int shift);
/* Collective. Compares what each rank has aside with the message of whose it is: on one machine the words, else a hash
 * of each tensor's. *out is the same on all ranks: of several disagreements that of the lowest rank. No sum has been
 * taken by any rank before all have compared. */
dt_status dt_crosscheck_compare(dt_crosscheck *check, int shift, dt_disagreement *out);
/* Collective, once out->third, if there is one, has computed the gradient aside, too. DT_ERR_DIVERGED, which names the
 * rank that computes wrongly, or those of which one does. */
dt_status dt_crosscheck_judge(dt_crosscheck *check, const dt_disagreement *found);

#endif
