/* Optimizers: update rules, clipping and learning-rate schedules, over an arena of tensors. A rank updates the part of
 * the arena it owns, block by block, so a rule sees tensors cut at blocks. One that must know of a tensor as a whole (a
 * norm) has a phase before, in which it measures what it has of each: sums that are added up in the order of the
 * blocks, whoever measured them. */
#ifndef DTRAIN_OPTIM_H
#define DTRAIN_OPTIM_H

#include "base/table.h"
#include "compute/compute.h"
#include "config/groups.h"
#include "config/recipe.h"

#define DT_MAX_SLOTS 3
#define DT_MAX_MEASURES 2

/* An array of state that a rule keeps. */
typedef struct dt_slot {
    const char *name; /* "m" is /optimizer/m in checkpoints */
    /* What is kept of a tensor of the weights; NULL: an array of its own shape, at its own offset. */
    dt_shape (*shape)(const dt_tensor *weights);
    const dt_table *table; /* of data; has a tensor for each of the weights' that is trained, of the same name */
    dt_table own;          /* it, where there is a shape */
    dt_real *data;         /* [table->total], zeros before the first step; the memory is the caller's */
} dt_slot;

/* A part of a tensor, within a block. */
typedef struct dt_part {
    const dt_kernels *kernels;
    const dt_recipe_optimizer *config;
    const dt_tensor *tensor;
    bool first; /* the part the tensor begins with */
    int64_t n;  /* elements, at most DT_TABLE_BLOCK */
    dt_real *w;
    const dt_real *g;             /* of the summed gradient */
    dt_real *slots[DT_MAX_SLOTS]; /* the part's, but the tensor's where a slot has a shape of its own */
} dt_part;

/* One update rule. */
typedef struct dt_rule {
    /* Names and shapes of what it keeps for this recipe; returns how many. */
    int (*slots)(const dt_recipe_optimizer *config, dt_slot slots[DT_MAX_SLOTS]);
    /* What it measures of a tensor: so many sums, of which each part gives its own. May change slots, but not weights.
     * NULL and 0 where there is nothing to measure. */
    int measures;
    void (*measure)(const dt_part *part, const dt_update *update, double sums[DT_MAX_MEASURES]);
    /* Updates the weights of a part; `sums` are the whole tensor's. */
    void (*apply)(const dt_part *part, const dt_update *update, const double *sums);
} dt_rule;

#define DT_RULE_DECLARE(NAME, name) extern const dt_rule dt_rule_##name;
DT_OPTIMIZERS(DT_RULE_DECLARE)

/* The rule of a recipe. */
const dt_rule *dt_rule_of(const dt_recipe_optimizer *config);

typedef struct dt_optimizer {
    const dt_kernels *kernels;
    const dt_recipe_optimizer *config;
    dt_table table; /* of the weights what is trained: all there is for an optimizer */
    const dt_rule *rule;
    dt_slot slots[DT_MAX_SLOTS];
    int slot_count;
    dt_group *groups; /* of the recipe: [group_count] */
    int group_count;
    int *group_of;  /* [tensors]: which group a tensor is in; -1: none. NULL where there are no groups */
    double *sums;   /* [dt_optimizer_sums]: of the parts of tensors; the memory is the caller's */
    double *totals; /* [tensors, measures]: of the tensors */
} dt_optimizer;

/* Plans the state for the weights' table. `groups` is optimizer.groups of a recipe, or NULL. The caller then sets the
 * slots' data and sums, which all ranks that share the weights have in common. To be finished, also after a failure. */
dt_status dt_optimizer_plan(dt_optimizer *optimizer, const dt_kernels *kernels, const dt_recipe_optimizer *config,
                            const dt_yaml *groups, const dt_table *table);
/* `to` becomes it, and `from` zeros. */
void dt_optimizer_move(dt_optimizer *to, dt_optimizer *from);
void dt_optimizer_finish(dt_optimizer *optimizer);
size_t dt_optimizer_sums(const dt_optimizer *optimizer);  /* elements; 0 where the rule measures nothing */
size_t dt_optimizer_bytes(const dt_optimizer *optimizer); /* of all slots' data */

/* The numbers of one update, the same in all of its blocks. */
typedef struct dt_optimizer_step {
    dt_update update;
    double rate;
    int64_t samples;
} dt_optimizer_step;

/* `step` is the 0-based number of the update, `samples` the size of the batch (a statistic's divisor), `targets` how
 * many of its targets count (the gradient's), `norm` the Euclidean norm of the mean gradient (used when clip_norm is
 * on), `rate` the learning rate. */
dt_optimizer_step dt_optimizer_begin(const dt_optimizer *optimizer, int64_t step, int64_t samples, int64_t targets,
                                     double norm, double rate);
/* For a rule that measures, before any rank updates: elements [begin, end) of the arena, whole blocks; w is the arena,
 * g[0] element `begin` of the batch's summed gradient. */
void dt_optimizer_measure(const dt_optimizer *optimizer, const dt_optimizer_step *step, dt_real *w, const dt_real *g,
                          size_t begin, size_t end);
/* Once all blocks of the arena are measured. */
void dt_optimizer_total(const dt_optimizer *optimizer);
/* The update of elements [begin, end), any: whole tensors or parts. */
void dt_optimizer_apply(const dt_optimizer *optimizer, const dt_optimizer_step *step, dt_real *w, const dt_real *g,
                        size_t begin, size_t end);

/* The sum of the squares of elements [begin, end) of a gradient, statistics left out; g[0] is element `begin`. Summed
 * in double, tensor by tensor, in an order that depends on begin and end alone. */
double dt_grad_squares(const dt_kernels *kernels, const dt_table *table, const dt_real *g, size_t begin, size_t end);

/* The learning rate of update number `step` (0-based) of `total`: schedule times optimizer.lr. Formulas in schedule.c.
 */
double dt_schedule_rate(const dt_recipe_schedule *schedule, double lr, int64_t step, int64_t total);

#endif
