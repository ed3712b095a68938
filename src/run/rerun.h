/* A run that is computed again from what its directory has (rerun.c): its recipe, its data, and when it evaluated. */
#ifndef DTRAIN_RERUN_H
#define DTRAIN_RERUN_H

#include "again.h"
#include "claims.h"
#include "site/key.h"

/* What is told of a rerun that did not get to a step. */
typedef enum dt_rerun_end {
    DT_RERUN_THERE,
    DT_RERUN_DIFFERS, /* a site's part is not what it signed */
    DT_RERUN_LOST     /* it is, as far as that is known, but the sum of all is not to be had */
} dt_rerun_end;

typedef struct dt_rerun {
    char site[DT_SITE_NAME]; /* where the others are elsewhere */
    dt_recipe recipe;
    dt_train_options options;
    dt_run run;
    bool opened;
    int64_t *steps;     /* [count]: of the claims */
    int64_t *evaluated; /* [evaluations], by their order */
    int64_t count, evaluations;
} dt_rerun;

/* Collective. The run of `claims`, which rank 0 has (others may have NULL), at its recipe's beginning; `data`: where
 * its data is here, or NULL. DT_ERR_USAGE where it cannot be computed again: its data is not there or another's, or its
 * sums are of no one order. To be closed, also after a failure. */
dt_status dt_rerun_open(dt_rerun *rerun, dt_comm *comm, const dt_claims *claims, const char *data);
/* rerun_site.c. Rank 0. The recipe is of a run whose other sites are elsewhere: of which member its directory is. */
dt_status dt_rerun_find_site(dt_rerun *rerun, const dt_claims *claims);
/* Not collective. What of the claims of such a run can be computed again, and compared; else nothing happens. */
dt_status dt_rerun_mark_rounds(dt_claims *claims);
/* Collective. How dt_rerun_to failed. */
dt_status dt_rerun_why(dt_rerun *rerun, dt_rerun_end *end);
void dt_rerun_close(dt_rerun *rerun);
/* Collective. Steps up to `step`, which is later than the present one, and its digests. */
dt_status dt_rerun_to(dt_rerun *rerun, int64_t step, dt_again_digests *digests);

#endif
