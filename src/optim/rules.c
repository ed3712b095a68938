/* Update rules: what each keeps, and how the recipe becomes the numbers its kernel needs. The arithmetic is in
 * compute/. With the mean gradient d (scaled, clipped, then d += l2 w) and the rate lr:
 *
 *   sgd       v = momentum v + d
 *             w -= lr v, or with nesterov w -= lr (d + momentum v)
 *             (Sutskever et al. 2013, in the form PyTorch uses: the rate multiplies v, it is not inside)
 *   adam      m = b1 m + (1 - b1) d
 *             v = b2 v + (1 - b2) d^2
 *             w -= lr m/(1 - b1^t) / (sqrt(v/(1 - b2^t)) + eps)
 *             (Kingma and Ba 2015)
 *   rmsprop   v = rho v + (1 - rho) d^2
 *             w -= lr d/(sqrt(v) + eps), or with momentum u = momentum u + d/(sqrt(v) + eps), w -= lr u
 *             (Tieleman and Hinton 2012)
 *   adagrad   s = s + d^2
 *             w -= lr d/(sqrt(s) + eps)
 *             (Duchi et al. 2011)
 *
 * Every rule then takes weight_decay from the weights, decoupled: w -= lr weight_decay w (Loshchilov and Hutter 2019),
 * and l2 through the gradient. So `adamw` is `adam`; the name is there because people look for it. Both kinds of decay
 * apply to tensors flagged for it, matrices and not biases. Clipping by norm scales d by min(1, clip_norm/norm)
 * (Pascanu et al. 2013); clip_value limits every element after that.
 *
 * Statistics (DT_TENSOR_STATISTIC) are no weights: none of this applies to them, they have no part in the norm, and
 * their one rule is w = keep w + (1 - keep) sum/samples. */
#include <math.h>
#include <stddef.h>

#include "optim/optim.h"

static void sgd_slots(const dt_recipe_optimizer *config, const char *names[DT_MAX_SLOTS + 1]) {
    names[0] = config->momentum > 0 ? "velocity" : NULL;
    names[1] = NULL;
}

static void sgd_apply(const dt_kernels *kernels, const dt_recipe_optimizer *config, dt_real *w,
                      dt_real *const slots[DT_MAX_SLOTS], const dt_real *g, int64_t n, const dt_update *update) {
    kernels->sgd(w, config->momentum > 0 ? slots[0] : NULL, g, n, update);
}

static void adam_slots(const dt_recipe_optimizer *config, const char *names[DT_MAX_SLOTS + 1]) {
    (void)config;
    names[0] = "m";
    names[1] = "v";
    names[2] = NULL;
}

static void adam_apply(const dt_kernels *kernels, const dt_recipe_optimizer *config, dt_real *w,
                       dt_real *const slots[DT_MAX_SLOTS], const dt_real *g, int64_t n, const dt_update *update) {
    (void)config;
    kernels->adam(w, slots[0], slots[1], g, n, update);
}

static void rmsprop_slots(const dt_recipe_optimizer *config, const char *names[DT_MAX_SLOTS + 1]) {
    names[0] = "v";
    names[1] = config->momentum > 0 ? "velocity" : NULL;
    names[2] = NULL;
}

static void rmsprop_apply(const dt_kernels *kernels, const dt_recipe_optimizer *config, dt_real *w,
                          dt_real *const slots[DT_MAX_SLOTS], const dt_real *g, int64_t n, const dt_update *update) {
    kernels->rmsprop(w, slots[0], config->momentum > 0 ? slots[1] : NULL, g, n, update);
}

static void adagrad_slots(const dt_recipe_optimizer *config, const char *names[DT_MAX_SLOTS + 1]) {
    (void)config;
    names[0] = "sum";
    names[1] = NULL;
}

static void adagrad_apply(const dt_kernels *kernels, const dt_recipe_optimizer *config, dt_real *w,
                          dt_real *const slots[DT_MAX_SLOTS], const dt_real *g, int64_t n, const dt_update *update) {
    (void)config;
    kernels->adagrad(w, slots[0], g, n, update);
}

static const dt_rule rules[] = {
    [DT_SGD] = {"sgd", sgd_slots, sgd_apply},
    [DT_ADAM] = {"adam", adam_slots, adam_apply},
    [DT_ADAMW] = {"adamw", adam_slots, adam_apply},
    [DT_RMSPROP] = {"rmsprop", rmsprop_slots, rmsprop_apply},
    [DT_ADAGRAD] = {"adagrad", adagrad_slots, adagrad_apply},
};

const dt_rule *dt_rule_of(const dt_recipe_optimizer *config) {
    return &rules[config->kind];
}

double dt_grad_squares(const dt_kernels *kernels, const dt_table *table, const dt_real *g, size_t begin, size_t end) {
    double sum = 0;
    for (int i = dt_table_at(table, begin); i < table->count && table->tensors[i].offset < end; i++) {
        const dt_tensor *tensor = &table->tensors[i];
        if (tensor->flags & DT_TENSOR_STATISTIC) continue;
        size_t first = tensor->offset > begin ? tensor->offset : begin;
        size_t last = tensor->offset + tensor->count < end ? tensor->offset + tensor->count : end;
        if (first < last) sum += kernels->sum_squares(g + (first - begin), (int64_t)(last - first));
    }
    return sum;
}

/* The numbers of one step; decay and l2 are the tensor's business. */
static dt_update update_of(const dt_recipe_optimizer *config, int64_t step, int64_t targets, double norm, double rate) {
    bool clips = config->clip_norm > 0 && norm > config->clip_norm;
    double scale = (clips ? config->clip_norm / norm : 1) / (double)targets;
    double t = (double)step + 1;
    return (dt_update){
        .lr = (dt_real)rate,
        .grad_scale = (dt_real)scale,
        .grad_limit = (dt_real)config->clip_value,
        .momentum = (dt_real)config->momentum,
        .beta1 = (dt_real)config->beta1,
        .beta2 = (dt_real)config->beta2,
        .rho = (dt_real)config->rho,
        .eps = (dt_real)config->eps,
        .correction1 = (dt_real)(1 / (1 - pow(config->beta1, t))),
        .correction2 = (dt_real)(1 / (1 - pow(config->beta2, t))),
        .nesterov = config->nesterov,
    };
}

void dt_optim_update(const dt_kernels *kernels, const dt_recipe_optimizer *config, const dt_table *table, dt_real *w,
                     dt_real *const slots[DT_MAX_SLOTS], const dt_real *g, size_t begin, size_t end, int64_t step,
                     int64_t samples, int64_t targets, double norm, double rate) {
    const dt_rule *rule = dt_rule_of(config);
    dt_update update = update_of(config, step, targets, norm, rate);
    for (int i = dt_table_at(table, begin); i < table->count && table->tensors[i].offset < end; i++) {
        const dt_tensor *tensor = &table->tensors[i];
        size_t first = tensor->offset > begin ? tensor->offset : begin;
        size_t last = tensor->offset + tensor->count < end ? tensor->offset + tensor->count : end;
        if (first >= last) continue;
        if (tensor->flags & DT_TENSOR_STATISTIC) {
            kernels->blend(w + first, g + (first - begin), (int64_t)(last - first), (dt_real)tensor->keep,
                           (dt_real)((1 - tensor->keep) / (double)samples));
            continue;
        }
        bool decays = tensor->flags & DT_TENSOR_DECAY;
        update.decay = decays ? (dt_real)config->weight_decay : 0;
        update.l2 = decays ? (dt_real)config->l2 : 0;
        dt_real *parts[DT_MAX_SLOTS];
        for (int s = 0; s < DT_MAX_SLOTS; s++) parts[s] = slots[s] ? slots[s] + first : NULL;
        rule->apply(kernels, config, w + first, parts, g + (first - begin), (int64_t)(last - first), &update);
    }
}
