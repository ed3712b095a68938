/* Adagrad (Duchi et al. 2011):
 *
 *   s = s + d^2
 *   w -= lr d/(sqrt(s) + eps) */
#include "optim/optim.h"

static int slots(const dt_recipe_optimizer *config, dt_slot slots[DT_MAX_SLOTS]) {
    (void)config;
    slots[0].name = "sum";
    return 1;
}

static void apply(const dt_part *p, const dt_update *update, const double *sums) {
    (void)sums;
    p->kernels->adagrad(p->w, p->slots[0], p->g, p->n, update);
}

const dt_rule dt_rule_adagrad = {.slots = slots, .apply = apply};
