#include "site/outer.h"

#include <math.h>

void dt_outer_plan(dt_outer *out, const dt_recipe_outer *config) {
    *out = (dt_outer){.config = config};
    if (config->kind == DT_OUTER_ADAM) {
        out->names[out->slot_count++] = "m";
        out->names[out->slot_count++] = "v";
    } else if (config->momentum > 0) {
        out->names[out->slot_count++] = "m";
    }
}

/* What a mean change adds to a weight. The slots of element i move. */
static double step_of(const dt_outer *outer, size_t i, double d) {
    const dt_recipe_outer *config = outer->config;
    dt_real *const *slot = outer->slots;
    if (config->kind == DT_OUTER_ADAM) {
        slot[0][i] = (dt_real)(config->beta1 * (double)slot[0][i] + (1 - config->beta1) * d);
        slot[1][i] = (dt_real)(config->beta2 * (double)slot[1][i] + (1 - config->beta2) * (d * d));
        return config->lr * (double)slot[0][i] / (sqrt((double)slot[1][i]) + config->eps);
    }
    if (outer->slot_count == 0) return config->lr * d;
    slot[0][i] = (dt_real)(config->momentum * (double)slot[0][i] + d);
    if (config->kind == DT_OUTER_NESTEROV) return config->lr * (d + config->momentum * (double)slot[0][i]);
    return config->lr * (double)slot[0][i];
}

static double mean_of(const dt_round_sum *sum, size_t word, double scale) {
    return (double)(int32_t)sum->words[word] / scale;
}

void dt_outer_apply(const dt_outer *outer, const dt_change_plan *plan, const dt_round_sum *sum, int64_t first,
                    int64_t end, dt_real *weights, dt_real *control) {
    for (int64_t u = first; u < end; u++) {
        const dt_change_unit *unit = &plan->units[u];
        const double scale = dt_change_scale(sum->exponents[u], unit->control ? (uint64_t)sum->sites : sum->weight);
        const double share = (double)sum->sites / (double)sum->all;
        for (size_t i = 0; i < unit->count; i++) {
            const size_t at = unit->offset + i;
            const double d = mean_of(sum, unit->word + i, scale);
            if (unit->control)
                control[at] = (dt_real)((double)control[at] + share * d);
            else
                weights[at] = (dt_real)((double)weights[at] + (unit->statistic ? d : step_of(outer, at, d)));
        }
    }
}

double dt_outer_norm(const dt_change_plan *plan, const dt_round_sum *sum) {
    double squares = 0;
    for (int64_t u = 0; u < plan->unit_count; u++) {
        const dt_change_unit *unit = &plan->units[u];
        if (unit->control || unit->statistic) continue;
        const double scale = dt_change_scale(sum->exponents[u], sum->weight);
        for (size_t i = 0; i < unit->count; i++) {
            double d = mean_of(sum, unit->word + i, scale);
            squares += d * d;
        }
    }
    return sqrt(squares);
}
