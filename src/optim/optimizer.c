/* An optimizer at work: how the recipe becomes a rule's numbers, and how the arena becomes the parts of tensors a rule
 * sees. The rules are a file each; with the mean gradient d (scaled, clipped, then d += l2 w) and the rate lr each says
 * its own formula.
 *
 * Every rule takes weight_decay from the weights, decoupled: w -= lr weight_decay w (Loshchilov and Hutter 2019), and
 * l2 through the gradient. Both kinds of decay apply to tensors flagged for it, matrices and not biases. Clipping by
 * norm scales d by min(1, clip_norm/norm) (Pascanu et al. 2013); clip_value limits every element after that.
 *
 * Tensors of a group (optimizer.groups) have a rate and decay of their own; of frozen ones (model.freeze)
 * nothing is known here.
 * Statistics (DT_TENSOR_STATISTIC) are no weights: none of this applies to them, they have no part in the norm, and
 * their one rule is w = keep w + (1 - keep) sum/samples. */
#include <string.h>

#include "base/memory.h"
#include "base/pattern.h"
#include "base/transcendental.h"
#include "optim/optim.h"

/* ---- planning ------------------------------------------------------------------------------------------------------
 */

/* The group of a tensor: the first that its name fits. */
static int find_group(const dt_optimizer *o, const char *name) {
    for (int g = 0; g < o->group_count; g++)
        if (dt_pattern_fits(o->groups[g].params, name)) return g;
    return -1;
}

/* That every group has a tensor of the model, if it be a frozen one. */
static dt_status check_groups(const dt_optimizer *o, const dt_table *weights) {
    for (int g = 0; g < o->group_count; g++) {
        int i = 0;
        while (i < weights->count && find_group(o, weights->tensors[i].name) != g) i++;
        if (i == weights->count)
            return dt_fail(DT_ERR_INPUT,
                           "optimizer.groups.%d: no tensor of the model that is in no group before it fits \"%s\"; the "
                           "first is %s",
                           g, o->groups[g].params, weights->tensors[0].name);
    }
    return dt_ok();
}

static dt_status plan_groups(dt_optimizer *o, const dt_yaml *groups, const dt_table *weights) {
    DT_TRY(dt_groups_decode(groups, &o->groups, &o->group_count));
    if (o->group_count == 0) return dt_ok();
    o->group_of = dt_alloc((size_t)o->table.count, sizeof *o->group_of);
    if (!o->group_of) return dt_fail_memory("the optimizer's groups", (size_t)o->table.count * sizeof *o->group_of);
    for (int i = 0; i < o->table.count; i++) o->group_of[i] = find_group(o, o->table.tensors[i].name);
    return check_groups(o, weights);
}

static dt_status plan_slot(dt_slot *slot, const dt_table *table) {
    slot->table = slot->shape ? &slot->own : table;
    for (int i = 0; slot->shape && i < table->count; i++) {
        const dt_tensor *tensor = &table->tensors[i];
        dt_shape shape = slot->shape(tensor);
        DT_TRY(dt_table_add(&slot->own, tensor->name, &shape, tensor->flags));
    }
    return dt_ok();
}

dt_status dt_optimizer_plan(dt_optimizer *o, const dt_kernels *kernels, const dt_recipe_optimizer *config,
                            const dt_yaml *groups, const dt_table *table) {
    *o = (dt_optimizer){.kernels = kernels, .config = config, .rule = dt_rule_of(config)};
    o->slot_count = o->rule->slots(config, o->slots);
    DT_TRY(dt_table_select_trained(table, &o->table));
    DT_TRY(plan_groups(o, groups, table));
    for (int i = 0; i < o->slot_count; i++) DT_TRY(plan_slot(&o->slots[i], &o->table));
    if (o->rule->measures == 0) return dt_ok();
    o->totals = dt_alloc((size_t)o->table.count * (size_t)o->rule->measures, sizeof *o->totals);
    return o->totals ? dt_ok() : dt_fail_memory("the optimizer", (size_t)o->table.count * sizeof *o->totals);
}

void dt_optimizer_move(dt_optimizer *to, dt_optimizer *from) {
    *to = *from;
    for (int i = 0; i < to->slot_count; i++) to->slots[i].table = to->slots[i].shape ? &to->slots[i].own : &to->table;
    memset(from, 0, sizeof *from);
}

void dt_optimizer_finish(dt_optimizer *o) {
    for (int i = 0; i < o->slot_count; i++) dt_table_finish(&o->slots[i].own);
    dt_table_finish(&o->table);
    dt_free(o->totals);
    dt_free(o->groups);
    dt_free(o->group_of);
    memset(o, 0, sizeof *o);
}

/* Parts are numbered by block + tensor: either rises from one part to the next. */
size_t dt_optimizer_sums(const dt_optimizer *o) {
    size_t parts = o->table.total / DT_TABLE_BLOCK + (size_t)o->table.count + 1;
    return parts * (size_t)o->rule->measures;
}

size_t dt_optimizer_bytes(const dt_optimizer *o) {
    size_t bytes = 0;
    for (int i = 0; i < o->slot_count; i++) bytes += o->slots[i].table->total * sizeof *o->slots[i].data;
    return bytes;
}

/* ---- a step --------------------------------------------------------------------------------------------------------
 */

dt_optimizer_step dt_optimizer_begin(const dt_optimizer *o, int64_t step, int64_t samples, int64_t targets, double norm,
                                     double rate) {
    const dt_recipe_optimizer *config = o->config;
    bool clips = config->clip_norm > 0 && norm > config->clip_norm;
    double scale = (clips ? config->clip_norm / norm : 1) / (double)targets;
    double t = (double)step + 1;
    dt_update update = {
        .lr = (dt_real)rate,
        .grad_scale = (dt_real)scale,
        .grad_limit = (dt_real)config->clip_value,
        .momentum = (dt_real)config->momentum,
        .beta1 = (dt_real)config->beta1,
        .beta2 = (dt_real)config->beta2,
        .rho = (dt_real)config->rho,
        .eps = (dt_real)config->eps,
        .correction1 = (dt_real)(1 / (1 - dt_pow(config->beta1, t))),
        .correction2 = (dt_real)(1 / (1 - dt_pow(config->beta2, t))),
        .nesterov = config->nesterov,
    };
    return (dt_optimizer_step){.update = update, .rate = rate, .samples = samples};
}

typedef struct walk {
    const dt_optimizer *optimizer;
    const dt_optimizer_step *step;
    dt_real *w;
    const dt_real *g;
    size_t begin, end; /* of what g has */
} walk;

/* What the rule sees of tensor i: elements [first, last) of the arena. */
static dt_part part_of(const walk *k, int i, size_t first, size_t last) {
    const dt_optimizer *o = k->optimizer;
    const dt_tensor *tensor = &o->table.tensors[i];
    dt_part part = {.kernels = o->kernels,
                    .config = o->config,
                    .tensor = tensor,
                    .first = first == tensor->offset,
                    .n = (int64_t)(last - first),
                    .w = k->w + first,
                    .g = k->g + (first - k->begin)};
    for (int s = 0; s < o->slot_count; s++)
        part.slots[s] = o->slots[s].data + (o->slots[s].shape ? o->slots[s].own.tensors[i].offset : first);
    return part;
}

/* The step's numbers for a tensor. */
static dt_update update_of(const walk *k, int i) {
    const dt_optimizer *o = k->optimizer;
    dt_update update = k->step->update;
    int group = o->group_of ? o->group_of[i] : -1;
    const dt_group *own = group >= 0 ? &o->groups[group] : NULL;
    bool decays = o->table.tensors[i].flags & DT_TENSOR_DECAY;
    double decay = own && own->has_weight_decay ? own->weight_decay : o->config->weight_decay;
    double l2 = own && own->has_l2 ? own->l2 : o->config->l2;
    update.decay = decays ? (dt_real)decay : 0;
    update.l2 = decays ? (dt_real)l2 : 0;
    if (own && own->has_lr) update.lr = (dt_real)(k->step->rate / o->config->lr * own->lr);
    return update;
}

static void measure_part(const walk *k, int i, size_t first, size_t last) {
    const dt_optimizer *o = k->optimizer;
    const dt_tensor *tensor = &o->table.tensors[i];
    if (tensor->flags & DT_TENSOR_STATISTIC) return;
    dt_part part = part_of(k, i, first, last);
    dt_update update = update_of(k, i);
    o->rule->measure(&part, &update, o->sums + (first / DT_TABLE_BLOCK + (size_t)i) * (size_t)o->rule->measures);
}

static void apply_part(const walk *k, int i, size_t first, size_t last) {
    const dt_optimizer *o = k->optimizer;
    const dt_tensor *tensor = &o->table.tensors[i];
    if (tensor->flags & DT_TENSOR_STATISTIC) {
        o->kernels->blend(k->w + first, k->g + (first - k->begin), (int64_t)(last - first), (dt_real)tensor->keep,
                          (dt_real)((1 - tensor->keep) / (double)k->step->samples));
        return;
    }
    dt_part part = part_of(k, i, first, last);
    dt_update update = update_of(k, i);
    o->rule->apply(&part, &update, o->totals ? o->totals + (size_t)i * (size_t)o->rule->measures : NULL);
}

/* visit(walk, tensor, first, last) for every part of a tensor there is in [begin, end). */
static void over_parts(const walk *k, void (*visit)(const walk *k, int i, size_t first, size_t last)) {
    const dt_table *table = &k->optimizer->table;
    for (int i = dt_table_at(table, k->begin); i < table->count && table->tensors[i].offset < k->end; i++) {
        const dt_tensor *tensor = &table->tensors[i];
        size_t last = tensor->offset + tensor->count < k->end ? tensor->offset + tensor->count : k->end;
        for (size_t at = tensor->offset > k->begin ? tensor->offset : k->begin, to; at < last; at = to) {
            to = (at / DT_TABLE_BLOCK + 1) * DT_TABLE_BLOCK;
            visit(k, i, at, to = to < last ? to : last);
        }
    }
}

void dt_optimizer_measure(const dt_optimizer *o, const dt_optimizer_step *step, dt_real *w, const dt_real *g,
                          size_t begin, size_t end) {
    over_parts(&(walk){o, step, w, g, begin, end}, measure_part);
}

void dt_optimizer_total(const dt_optimizer *o) {
    size_t measures = (size_t)o->rule->measures;
    for (size_t i = 0; i < (size_t)o->table.count; i++) {
        const dt_tensor *tensor = &o->table.tensors[i];
        double *total = o->totals + i * measures;
        memset(total, 0, measures * sizeof *total);
        if (tensor->flags & DT_TENSOR_STATISTIC || tensor->count == 0) continue;
        size_t end = (tensor->offset + tensor->count - 1) / DT_TABLE_BLOCK + 1;
        for (size_t block = tensor->offset / DT_TABLE_BLOCK; block < end; block++)
            for (size_t m = 0; m < measures; m++) total[m] += o->sums[(block + i) * measures + m];
    }
}

void dt_optimizer_apply(const dt_optimizer *o, const dt_optimizer_step *step, dt_real *w, const dt_real *g,
                        size_t begin, size_t end) {
    over_parts(&(walk){o, step, w, g, begin, end}, apply_part);
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
