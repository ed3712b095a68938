/* The outer rule: what the mean change of a round makes of the common weights. With d the mean change, in double and
 * rounded once an element:
 *
 *   sgd       m = momentum m + d, w += lr m
 *   nesterov  m = momentum m + d, w += lr (d + momentum m)
 *   adam      m = beta1 m + (1 - beta1) d, v = beta2 v + (1 - beta2) d², w += lr m/(√v + eps)
 *
 * sgd with lr 1 and no momentum is FedAvg (McMahan et al. 2017), with momentum FedAvgM; nesterov is DiLoCo's (Douillard
 * et al. 2023), adam FedAdam (Reddi et al. 2021). A statistic, such as batch_norm's running mean, is no weight: it
 * moves by d alone. Control variates move by the share of all sites that took part: c += sites/all d (SCAFFOLD:
 * Karimireddy et al. 2020). */
#ifndef DTRAIN_OUTER_H
#define DTRAIN_OUTER_H

#include "site/change.h"

#define DT_OUTER_SLOTS 2

typedef struct dt_outer {
    const dt_recipe_outer *config;
    int slot_count;
    const char *names[DT_OUTER_SLOTS]; /* "m" is /outer/m in checkpoints */
    dt_real *slots[DT_OUTER_SLOTS];    /* [table->total], zeros before the first round; the memory is the caller's */
} dt_outer;

/* Which slots there are. */
void dt_outer_plan(dt_outer *out, const dt_recipe_outer *config);

/* What came of a round. */
typedef struct dt_round_sum {
    const uint32_t *words; /* [plan->count] */
    const int32_t *exponents;
    uint64_t weight;
    int sites;   /* that took part, */
    int64_t all; /* of so many */
} dt_round_sum;

/* Units [first, end) of the common weights and, where there are any, control variates: arenas of the model. */
void dt_outer_apply(const dt_outer *outer, const dt_change_plan *plan, const dt_round_sum *sum, int64_t first,
                    int64_t end, dt_real *weights, dt_real *control);
/* The norm of the mean change of the weights. */
double dt_outer_norm(const dt_change_plan *plan, const dt_round_sum *sum);

#endif
