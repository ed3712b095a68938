/* Gradient descent, with or without momentum:
 *
 *   v = momentum v + d
 *   w -= lr v, or with nesterov w -= lr (d + momentum v)
 *
 * Sutskever et al. 2013, in the form PyTorch uses: the rate multiplies v, it is not inside. */
#include "optim/optim.h"

static int slots(const dt_recipe_optimizer *config, dt_slot slots[DT_MAX_SLOTS]) {
    slots[0].name = "velocity";
    return config->momentum > 0;
}

static void apply(const dt_part *p, const dt_update *update, const double *sums) {
    (void)sums;
    p->kernels->sgd(p->w, p->slots[0], p->g, p->n, update);
}

const dt_rule dt_rule_sgd = {.slots = slots, .apply = apply};
