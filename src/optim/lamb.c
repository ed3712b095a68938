/* LAMB (You et al. 2020, algorithm 2): Adam's step, with the decay in it, made as long as the tensor's weights allow.
 *
 *   m, v, and with them r = m/(1 - b1^t) / (sqrt(v/(1 - b2^t)) + eps), as in Adam
 *   u = r + weight_decay w
 *   w -= lr ||w||/||u|| u
 *
 * The norms are of whole tensors: the first phase updates the moments and measures them, the second makes u anew from
 * the moments, which is cheaper than to keep it. phi of the paper is the identity, and the ratio 1 where a norm is 0.
 * As in the authors' program, tensors that do not decay (biases, gains of norms) have no ratio either. Ratios are kept,
 * a number for each tensor, for those who look into a checkpoint: what LAMB did to a layer is otherwise hard to see. */
#include <math.h>

#include "optim/optim.h"

enum { M, V, RATIO, SLOTS };
enum { WEIGHTS, STEP, MEASURES };

static dt_shape one_number(const dt_tensor *weights) {
    (void)weights;
    return (dt_shape){1, {1}};
}

static int slots(const dt_recipe_optimizer *config, dt_slot slots[DT_MAX_SLOTS]) {
    (void)config;
    slots[M].name = "m";
    slots[V].name = "v";
    slots[RATIO].name = "trust_ratio";
    slots[RATIO].shape = one_number;
    return SLOTS;
}

static bool has_ratio(const dt_tensor *tensor) {
    return tensor->flags & DT_TENSOR_DECAY;
}

static void measure(const dt_part *p, const dt_update *update, double sums[DT_MAX_MEASURES]) {
    dt_real u[DT_TABLE_BLOCK];
    p->kernels->adam_moments(p->slots[M], p->slots[V], p->w, p->g, p->n, update);
    if (!has_ratio(p->tensor)) return;
    p->kernels->adam_direction(u, p->slots[M], p->slots[V], p->w, p->n, update);
    sums[WEIGHTS] = p->kernels->sum_squares(p->w, p->n);
    sums[STEP] = p->kernels->sum_squares(u, p->n);
}

static void apply(const dt_part *p, const dt_update *update, const double *sums) {
    dt_real u[DT_TABLE_BLOCK];
    bool scales = has_ratio(p->tensor) && sums[WEIGHTS] > 0 && sums[STEP] > 0;
    double ratio = scales ? sqrt(sums[WEIGHTS]) / sqrt(sums[STEP]) : 1;
    p->kernels->adam_direction(u, p->slots[M], p->slots[V], p->w, p->n, update);
    p->kernels->blend(p->w, u, p->n, 1, (dt_real)(-ratio * (double)update->lr));
    if (p->first) p->slots[RATIO][0] = (dt_real)ratio;
}

const dt_rule dt_rule_lamb = {.slots = slots, .measures = MEASURES, .measure = measure, .apply = apply};
