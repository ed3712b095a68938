/* Adam (Kingma and Ba 2015):
 *
 *   m = b1 m + (1 - b1) d
 *   v = b2 v + (1 - b2) d^2
 *   w -= lr m/(1 - b1^t) / (sqrt(v/(1 - b2^t)) + eps)
 *
 * With decoupled decay, as every rule has it here, this is AdamW; the name is there because people look for it. */
#include "optim/optim.h"

static int slots(const dt_recipe_optimizer *config, dt_slot slots[DT_MAX_SLOTS]) {
    (void)config;
    slots[0].name = "m";
    slots[1].name = "v";
    return 2;
}

static void apply(const dt_part *p, const dt_update *update, const double *sums) {
    (void)sums;
    p->kernels->adam(p->w, p->slots[0], p->slots[1], p->g, p->n, update);
}

const dt_rule dt_rule_adam = {.slots = slots, .apply = apply};
const dt_rule dt_rule_adamw = {.slots = slots, .apply = apply};
