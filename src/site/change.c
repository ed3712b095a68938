#include "site/change.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/pattern.h"

#define BLOCK ((size_t)1024) /* elements of a unit of few bits */
#define FIRST_CHANGE 2.0     /* no element of the first change is larger, */
#define FIRST_WEIGHT 0x1p17  /* nor a weight of samples */
#define FIRST_CONTROL 64.0   /* nor an element of a mean gradient */
#define MOST_EXPONENT 100    /* 2^k stays a normal number, also times a weight */
#define NEAR_FULL 0.5        /* of the largest sum there can be: sites have clipped */

/* ---- the plan ---- */

/* The next pattern of sites.local, which is one or a list of them; names have neither commas nor quotes. False at the
 * end; *text moves behind it. */
static bool next_pattern(const char **text, char out[DT_TEXT_MAX]) {
    static const char around[] = " [],\"'";
    const char *begin = *text + strspn(*text, around);
    size_t length = strcspn(begin, ",\"']");
    *text = begin + length;
    while (length > 0 && begin[length - 1] == ' ') length--;
    snprintf(out, DT_TEXT_MAX, "%.*s", (int)length, begin);
    return length > 0;
}

/* Returns how many tensors fit that fitted none before. */
static int mark(dt_change_plan *plan, const char *pattern, bool *fits) {
    const dt_table *table = plan->table;
    int marked = 0;
    *fits = false;
    for (int i = 0; i < table->count; i++) {
        if (!dt_pattern_fits(pattern, table->tensors[i].name)) continue;
        *fits = true;
        marked += !plan->is_local[i];
        plan->is_local[i] = true;
    }
    return marked;
}

static dt_status mark_local(dt_change_plan *plan, const char *patterns) {
    const dt_table *table = plan->table;
    int marked = 0;
    char pattern[DT_TEXT_MAX];
    for (const char *at = patterns; next_pattern(&at, pattern);) {
        bool fits;
        marked += mark(plan, pattern, &fits);
        if (!fits)
            return dt_fail(
                DT_ERR_INPUT,
                "sites.local: no tensor of the model fits \"%s\"; they are %s to %s (dtrain inspect shows all)",
                pattern, table->tensors[0].name, table->tensors[table->count - 1].name);
    }
    if (marked == table->count) return dt_fail(DT_ERR_INPUT, "sites.local leaves nothing that sites have in common");
    return dt_ok();
}

/* Units of one tensor; NULL: they are only counted. */
static void add_units(dt_change_plan *plan, const dt_tensor *tensor, bool control, dt_change_unit *units) {
    size_t most = plan->wire == DT_SITE_WIRE_I32 || tensor->count == 0 ? tensor->count : BLOCK;
    for (size_t at = 0; at < tensor->count; at += most) {
        size_t left = tensor->count - at;
        if (units)
            units[plan->unit_count] = (dt_change_unit){.offset = tensor->offset + at,
                                                       .word = plan->count,
                                                       .count = left < most ? left : most,
                                                       .statistic = tensor->flags & DT_TENSOR_STATISTIC,
                                                       .control = control};
        plan->unit_count++;
        plan->count += left < most ? left : most;
    }
}

static void list_units(dt_change_plan *plan, bool control, dt_change_unit *units) {
    const dt_table *table = plan->table;
    plan->unit_count = 0;
    plan->count = plan->weights = plan->local = 0;
    for (int i = 0; i < table->count; i++) {
        if (plan->is_local[i])
            plan->local += table->tensors[i].count;
        else
            add_units(plan, &table->tensors[i], false, units);
    }
    plan->weights = plan->count;
    for (int i = 0; control && i < table->count; i++)
        if (!plan->is_local[i] && !(table->tensors[i].flags & DT_TENSOR_STATISTIC))
            add_units(plan, &table->tensors[i], true, units);
}

dt_status dt_change_plan_make(dt_change_plan *out, const dt_table *table, const dt_recipe_sites *sites, int chosen) {
    *out = (dt_change_plan){
        .table = table, .wire = sites->wire, .chosen = chosen, .weighed = sites->weights == DT_SITE_WEIGHTS_SAMPLES};
    out->is_local = dt_alloc((size_t)table->count, sizeof *out->is_local);
    if (!out->is_local) return dt_fail_memory("the plan of changes", (size_t)table->count);
    DT_TRY(mark_local(out, sites->local));
    list_units(out, sites->control, NULL);
    out->units = dt_alloc((size_t)out->unit_count, sizeof *out->units);
    if (!out->units) return dt_fail_memory("the plan of changes", (size_t)out->unit_count * sizeof *out->units);
    list_units(out, sites->control, out->units);
    return dt_ok();
}

void dt_change_plan_finish(dt_change_plan *plan) {
    dt_free(plan->units);
    dt_free(plan->is_local);
    memset(plan, 0, sizeof *plan);
}

/* ---- exponents ---- */

int dt_change_bits(const dt_change_plan *plan, int64_t round) {
    if (round == 0 || plan->wire == DT_SITE_WIRE_I32) return 32;
    return plan->wire == DT_SITE_WIRE_I8 ? 8 : 4;
}

/* No word of a site is larger. */
static double most_of(const dt_change_plan *plan, int64_t round) {
    switch (dt_change_bits(plan, round)) {
    case 8: return INT8_MAX;
    case 4: return 7;
    default: return floor((double)INT32_MAX / plan->chosen);
    }
}

static int32_t limited(double exponent) {
    return (int32_t)fmax(-MOST_EXPONENT, fmin(MOST_EXPONENT, exponent));
}

/* The exponent of the largest power of two that is not above x. A logarithm may be a bit off where machines differ. */
static int below(double x) {
    int exponent;
    frexp(x, &exponent);
    return exponent - 1;
}

void dt_change_exponents_begin(const dt_change_plan *plan, int32_t *exponents) {
    double most = most_of(plan, 0), weight = plan->weighed ? FIRST_WEIGHT : 1;
    for (int64_t i = 0; i < plan->unit_count; i++)
        exponents[i] = limited(below(most / (plan->units[i].control ? FIRST_CONTROL : FIRST_CHANGE * weight)));
}

static double largest_of(const dt_change_unit *unit, const uint32_t *sum) {
    double largest = 0;
    for (size_t i = unit->word; i < unit->word + unit->count; i++)
        largest = fmax(largest, fabs((double)(int32_t)sum[i]));
    return largest;
}

void dt_change_exponents_next(const dt_change_plan *plan, int64_t round, const uint32_t *sum, int sites, int64_t first,
                              int64_t end, int32_t *exponents) {
    const double target = most_of(plan, round + 1) * (plan->wire == DT_SITE_WIRE_I32 ? 0x1p-6 : 0x1p-1);
    for (int64_t i = first; i < end; i++) {
        double largest = largest_of(&plan->units[i], sum);
        if (largest == 0) continue;
        bool full = largest >= NEAR_FULL * most_of(plan, round) * sites;
        int step = below(target * sqrt((double)sites) / largest) - (full ? 4 : 0);
        exponents[i] = limited((double)exponents[i] + step);
    }
}

/* ---- one site ---- */

/* The change of element i of a unit, as it is to travel. */
static double change_of(const dt_change_unit *unit, const dt_change_from *from, size_t i) {
    size_t at = unit->offset + i;
    double change = (double)from->now[at] - (double)from->before[at];
    if (!unit->control) return change;
    return -change / from->rates - (double)from->control[at];
}

static bool encode_unit(const dt_change_unit *unit, const dt_change_from *from, double scale, double most,
                        uint32_t *words) {
    bool finite = true;
    for (size_t i = 0; i < unit->count; i++) {
        size_t word = unit->word + i;
        double kept = from->kept ? (double)from->kept[word] : 0, change = change_of(unit, from, i) + kept;
        if (!isfinite(change)) {
            finite = false;
            words[word] = 0;
            if (from->lost) from->lost[word] = (float)kept;
            continue;
        }
        double sent = fmin(fmax(rint(change * scale), -most), most);
        words[word] = (uint32_t)(int32_t)sent;
        if (from->lost) from->lost[word] = (float)(change - sent / scale);
    }
    return finite;
}

bool dt_change_encode(const dt_change_plan *plan, int64_t round, const int32_t *exponents, const dt_change_from *from,
                      int64_t first, int64_t end, uint32_t *words) {
    bool finite = true;
    for (int64_t i = first; i < end; i++) {
        const dt_change_unit *unit = &plan->units[i];
        double weight = unit->control ? 1 : (double)from->weight;
        finite = encode_unit(unit, from, ldexp(weight, exponents[i]), most_of(plan, round), words) && finite;
    }
    return finite;
}

void dt_change_own_control(const dt_change_plan *plan, const dt_change_from *from, int64_t first, int64_t end,
                           dt_real *out) {
    for (int64_t i = first; i < end; i++) {
        const dt_change_unit *unit = &plan->units[i];
        for (size_t at = unit->offset; unit->control && at < unit->offset + unit->count; at++)
            out[at] = (dt_real)((double)from->own[at] + change_of(unit, from, at - unit->offset));
    }
}

/* ---- all of them ---- */

double dt_change_scale(int32_t exponent, uint64_t weight) {
    return ldexp((double)weight, exponent);
}
