/* Optimizers: update rules, learning-rate schedules and clipping, on flat arrays. */
#ifndef DTRAIN_OPTIM_H
#define DTRAIN_OPTIM_H

#include "base/table.h"
#include "compute/compute.h"
#include "config/recipe.h"

#define DT_MAX_SLOTS 2

/* One update rule. */
typedef struct dt_rule {
    const char *name;
    /* Names of the state arrays it keeps for this recipe (for example "m", "v"), NULL-terminated. */
    void (*slots)(const dt_recipe_optimizer *config, const char *names[DT_MAX_SLOTS + 1]);
    void (*apply)(const dt_kernels *kernels, const dt_recipe_optimizer *config, dt_real *w,
                  dt_real *const slots[DT_MAX_SLOTS], const dt_real *g, int64_t n, const dt_update *update);
} dt_rule;

/* The rule of a recipe (dt_optimizer). */
const dt_rule *dt_rule_of(const dt_recipe_optimizer *config);

/* The learning rate of update number `step` (0-based) of `total`: schedule times optimizer.lr. Formulas in schedule.c.
 */
double dt_schedule_rate(const dt_recipe_schedule *schedule, double lr, int64_t step, int64_t total);

/* The sum of the squares of elements [begin, end) of a gradient, statistics left out; g[0] is element `begin`. Summed
 * in double, tensor by tensor, in an order that depends on begin and end alone. */
double dt_grad_squares(const dt_kernels *kernels, const dt_table *table, const dt_real *g, size_t begin, size_t end);

/* One update of elements [begin, end) of the arena (whole tensors or parts); g[0] is element `begin` of the global
 * batch's summed gradient. `step` is the 0-based number of this update, `samples` the size of that batch (a
 * statistic's divisor), `targets` how many of its targets count (the gradient's), `norm` the gradient's Euclidean norm
 * (of the mean; used when clip_norm is on), `rate` the learning rate. */
void dt_optim_update(const dt_kernels *kernels, const dt_recipe_optimizer *config, const dt_table *table, dt_real *w,
                     dt_real *const slots[DT_MAX_SLOTS], const dt_real *g, size_t begin, size_t end, int64_t step,
                     int64_t samples, int64_t targets, double norm, double rate);

#endif
