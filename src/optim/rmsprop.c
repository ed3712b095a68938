/* RMSprop (Tieleman and Hinton 2012):
 *
 *   v = rho v + (1 - rho) d^2
 *   w -= lr d/(sqrt(v) + eps), or with momentum u = momentum u + d/(sqrt(v) + eps), w -= lr u */
#include "optim/optim.h"

static int slots(const dt_recipe_optimizer *config, dt_slot slots[DT_MAX_SLOTS]) {
    slots[0].name = "v";
    slots[1].name = "velocity";
    return config->momentum > 0 ? 2 : 1;
}

static void apply(const dt_part *p, const dt_update *update, const double *sums) {
    (void)sums;
    p->kernels->rmsprop(p->w, p->slots[0], p->slots[1], p->g, p->n, update);
}

const dt_rule dt_rule_rmsprop = {.slots = slots, .apply = apply};
