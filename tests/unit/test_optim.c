/* Update rules and schedules against PyTorch's numbers (tests/golden/optimizers.py), LAMB against the paper's formulas
 * in Python (lamb.py), and against closed forms. Compiled
 * for float, the program's arithmetic, and for double, where agreement must be to rounding. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "optim/optim.h"
#include "reference.h"
#include "suite.h"

#include "../golden/optimizers.h"
/* after them */
#include "../golden/lamb.h"

#define TOLERANCE (sizeof(dt_real) == sizeof(double) ? 1e-13 : 4e-6)

enum { GOLDEN_ALL = sizeof golden_rules / sizeof *golden_rules + sizeof golden_lamb / sizeof *golden_lamb };

/* PyTorch's rules, then those of lamb.py. */
typedef struct golden_row {
    const char *name;
    const dt_recipe_optimizer *config;
    const double (*w)[GOLDEN_MATRIX + GOLDEN_BIAS];
    const double *ratio; /* NULL where the rule has none */
} golden_row;

static golden_row row_of(int i) {
    if (i < COUNT(golden_rules))
        return (golden_row){golden_rules[i].name, &golden_rules[i].config, golden_rules[i].w, 0};
    i -= COUNT(golden_rules);
    return (golden_row){golden_lamb[i].name, &golden_lamb[i].config, golden_lamb[i].w, golden_lamb[i].ratio};
}

/* The golden tensors as an arena: a matrix [3, 5] that decays, a vector [4] that does not, padding between. */
typedef struct arena {
    dt_table table;
    dt_real *w, *g;
    const dt_yaml *groups; /* of the optimizer; NULL: none */
    dt_optimizer optimizer;
} arena;

static const dt_kernels *kernels;

static void setup(void) {
    ck_assert_int_eq(dt_compute_open(&kernels, DT_ISA_AUTO, 1).code, DT_OK);
}

static dt_real *new_array(size_t count) {
    dt_real *array = dt_alloc(count, sizeof *array);
    ck_assert_ptr_nonnull(array);
    return array;
}

/* Of what the table has. */
static void arena_open(arena *a, const dt_recipe_optimizer *config) {
    dt_optimizer *o = &a->optimizer;
    a->w = new_array(a->table.total);
    a->g = new_array(a->table.total);
    assert_ok(dt_optimizer_plan(o, kernels, config, a->groups, &a->table));
    for (int i = 0; i < o->slot_count; i++) o->slots[i].data = new_array(o->slots[i].table->total);
    o->sums = dt_alloc(dt_optimizer_sums(o) + 1, sizeof *o->sums);
    ck_assert_ptr_nonnull(o->sums);
}

static void arena_init(arena *a, const dt_recipe_optimizer *config) {
    memset(a, 0, sizeof *a);
    ck_assert_int_eq(dt_table_add(&a->table, "dense1/w", &(dt_shape){2, {3, 5}}, DT_TENSOR_DECAY).code, DT_OK);
    ck_assert_int_eq(dt_table_add(&a->table, "dense1/b", &(dt_shape){1, {GOLDEN_BIAS}}, 0).code, DT_OK);
    arena_open(a, config);
}

static void arena_finish(arena *a) {
    for (int i = 0; i < a->optimizer.slot_count; i++) dt_free(a->optimizer.slots[i].data);
    dt_free(a->optimizer.sums);
    dt_optimizer_finish(&a->optimizer);
    dt_table_finish(&a->table);
    dt_free(a->w);
    dt_free(a->g);
}

static bool measures(const arena *a) {
    return a->optimizer.rule->measures > 0;
}

/* A step of all of the arena, its update cut at `cut`. */
static void update(arena *a, const dt_optimizer_step *step, size_t cut) {
    if (measures(a)) {
        dt_optimizer_measure(&a->optimizer, step, a->w, a->g, 0, a->table.total);
        dt_optimizer_total(&a->optimizer);
    }
    dt_optimizer_apply(&a->optimizer, step, a->w, a->g + cut, cut, a->table.total);
    dt_optimizer_apply(&a->optimizer, step, a->w, a->g, 0, cut);
}

static size_t position(const arena *a, int element) {
    int tensor = element >= GOLDEN_MATRIX;
    return a->table.tensors[tensor].offset + (size_t)(element - tensor * GOLDEN_MATRIX);
}

static void scatter(const arena *a, dt_real *to, const double *from, double scale) {
    for (int i = 0; i < GOLDEN_MATRIX + GOLDEN_BIAS; i++) to[position(a, i)] = (dt_real)(from[i] * scale);
}

/* One golden step: the summed gradient of 7 targets, of 3 samples. */
static void take_step(arena *a, int step, size_t cut) {
    const int64_t targets = 7;
    scatter(a, a->g, golden_grads[step], (double)targets);
    double norm = sqrt(dt_grad_squares(kernels, &a->table, a->g, 0, a->table.total)) / (double)targets;
    dt_optimizer_step numbers = dt_optimizer_begin(&a->optimizer, step, 3, targets, norm, golden_rate[step]);
    update(a, &numbers, cut);
}

/* The trust ratios LAMB keeps: the matrix's, and 1 for the bias. */
static void expect_ratios(const arena *a, const char *name, double want) {
    const dt_slot *slot = &a->optimizer.slots[2];
    double got = (double)slot->data[slot->table->tensors[0].offset];
    ck_assert_msg(fabs(got - want) <= 10 * TOLERANCE * fmax(1, want), "%s: a ratio of %.17g, not %.17g", name, got,
                  want);
    ck_assert(slot->data[slot->table->tensors[1].offset] == 1 && slot->table->tensors[0].count == 1);
}

START_TEST(every_rule_walks_the_golden_path) {
    const golden_row row = row_of(_i);
    arena a;
    arena_init(&a, row.config);
    scatter(&a, a.w, golden_start, 1);
    for (int step = 0, kept = 0; step < GOLDEN_STEPS; step++) {
        take_step(&a, step, 0);
        if (step + 1 != golden_keep[kept]) continue;
        if (row.ratio) expect_ratios(&a, row.name, row.ratio[kept]);
        const double *want = row.w[kept++];
        for (int i = 0; i < GOLDEN_MATRIX + GOLDEN_BIAS; i++) {
            double got = (double)a.w[position(&a, i)], error = fabs(got - want[i]) / fmax(1, fabs(want[i]));
            ck_assert_msg(error <= TOLERANCE * (step + 1), "%s, step %d, element %d: %.17g, golden is %.17g", row.name,
                          step + 1, i, got, want[i]);
        }
    }
    arena_finish(&a);
}
END_TEST

START_TEST(updating_in_slices_gives_the_same_bits_and_leaves_padding_zero) {
    const dt_recipe_optimizer *config = row_of(_i).config;
    for (size_t cut = 0; cut <= 32; cut += 5) {
        arena whole, sliced;
        arena_init(&whole, config);
        arena_init(&sliced, config);
        size_t total = whole.table.total, bytes = total * sizeof(dt_real);
        ck_assert_uint_eq(total, 32);
        scatter(&whole, whole.w, golden_start, 1);
        memcpy(sliced.w, whole.w, bytes);
        for (int step = 0; step < GOLDEN_STEPS; step++) {
            take_step(&whole, step, 0);
            take_step(&sliced, step, cut);
        }
        ck_assert_int_eq(memcmp(whole.w, sliced.w, bytes), 0);
        for (int i = 0; i < whole.optimizer.slot_count; i++) {
            const dt_slot *a = &whole.optimizer.slots[i], *b = &sliced.optimizer.slots[i];
            ck_assert_int_eq(memcmp(a->data, b->data, a->table->total * sizeof *a->data), 0);
        }
        for (size_t i = 0; i < total; i++)
            if (i == 15 || i >= 20) ck_assert(whole.w[i] == 0);
        arena_finish(&whole);
        arena_finish(&sliced);
    }
}
END_TEST

START_TEST(rules_keep_the_slots_they_need_and_no_others) {
    static const struct {
        dt_recipe_optimizer config;
        const char *names[DT_MAX_SLOTS + 1];
    } cases[] = {
        {{.kind = DT_SGD}, {NULL}},      {{.kind = DT_SGD, .momentum = 0.9}, {"velocity"}},
        {{.kind = DT_ADAM}, {"m", "v"}}, {{.kind = DT_ADAMW}, {"m", "v"}},
        {{.kind = DT_RMSPROP}, {"v"}},   {{.kind = DT_RMSPROP, .momentum = 0.9}, {"v", "velocity"}},
        {{.kind = DT_ADAGRAD}, {"sum"}}, {{.kind = DT_LAMB}, {"m", "v", "trust_ratio"}},
    };
    for (int c = 0; c < COUNT(cases); c++) {
        dt_slot slots[DT_MAX_SLOTS] = {{.name = NULL}};
        int count = dt_rule_of(&cases[c].config)->slots(&cases[c].config, slots);
        for (int i = 0; i < count; i++) ck_assert_pstr_eq(slots[i].name, cases[c].names[i]);
        ck_assert_pstr_eq(cases[c].names[count], NULL);
    }
}
END_TEST

/* A tensor of several blocks, measured by two ranks in whatever order, has the sums of one. */
START_TEST(a_measured_tensor_is_the_same_whoever_measured_which_block) {
    const dt_recipe_optimizer config = {
        .kind = DT_LAMB, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-6, .weight_decay = 0.1};
    arena whole = {.w = NULL}, shared = {.w = NULL};
    arena *both[] = {&whole, &shared};
    for (int k = 0; k < 2; k++) {
        arena *a = both[k];
        const dt_shape shapes[] = {{1, {70}}, {2, {100, 97}}, {2, {50, 90}}};
        const char *names[] = {"a/b", "b/w", "c/w"};
        for (int t = 0; t < 3; t++)
            assert_ok(dt_table_add(&a->table, names[t], &shapes[t], t > 0 ? DT_TENSOR_DECAY : 0));
        arena_open(a, &config);
        for (int t = 0; t < 3; t++)
            for (size_t i = 0; i < a->table.tensors[t].count; i++)
                a->w[a->table.tensors[t].offset + i] = (dt_real)ref_uniform(9 + (uint64_t)t, i);
    }
    size_t total = whole.table.total, blocks = (total + DT_TABLE_BLOCK - 1) / DT_TABLE_BLOCK;
    ck_assert_uint_eq(blocks, 4);
    for (int step = 0; step < 3; step++) {
        for (size_t i = 0; i < total; i++)
            whole.g[i] = shared.g[i] = whole.w[i] == 0 ? 0 : (dt_real)ref_uniform(20 + (uint64_t)step, i);
        dt_optimizer_step numbers = dt_optimizer_begin(&whole.optimizer, step, 1, 1, 1, 0.01);
        update(&whole, &numbers, 0);
        for (size_t b = blocks; b-- > 0;) {
            size_t begin = b * DT_TABLE_BLOCK, end = b + 1 < blocks ? begin + DT_TABLE_BLOCK : total;
            dt_optimizer_measure(&shared.optimizer, &numbers, shared.w, shared.g + begin, begin, end);
        }
        dt_optimizer_total(&shared.optimizer);
        dt_optimizer_apply(&shared.optimizer, &numbers, shared.w, shared.g, 0, total);
        ck_assert_int_eq(memcmp(whole.w, shared.w, total * sizeof *whole.w), 0);
    }
    /* and they are the tensor's: the ratio kept is that of its norms */
    for (int t = 1; t < 3; t++) {
        const dt_tensor *tensor = &whole.table.tensors[t];
        double squares = kernels->sum_squares(whole.w + tensor->offset, (int64_t)tensor->count);
        dt_optimizer_step numbers = dt_optimizer_begin(&whole.optimizer, 3, 1, 1, 1, 0);
        dt_optimizer_measure(&whole.optimizer, &numbers, whole.w, whole.g, 0, total);
        dt_optimizer_total(&whole.optimizer);
        double *sums = whole.optimizer.totals + 2 * t;
        ck_assert_double_eq_tol(sums[0], squares, 1e-12 * squares);
        ck_assert(sums[1] > 0);
    }
    arena_finish(&whole);
    arena_finish(&shared);
}
END_TEST

/* Clipping by norm must only shorten: a gradient within the bound is left alone to the bit. */
/* Of three tensors one, the first, is frozen, and one has numbers of its own: the same as an optimizer made of those
 * for all. Of the frozen one nothing is kept or read. */
START_TEST(groups_have_their_own_numbers_and_frozen_tensors_stay) {
    dt_yaml *root;
    assert_ok(dt_yaml_parse_text(
        &root, "test.yaml", "groups: [{params: \"own*\", lr: 0.3, weight_decay: 0.5}, {params: \"*\", l2: 0.125}]"));
    dt_recipe_optimizer config = *row_of(_i).config; /* the golden ones have no rate */
    config.lr = 0.1;
    dt_recipe_optimizer other = config, rest = config;
    other.lr = 0.3;
    other.weight_decay = 0.5;
    rest.l2 = 0.125;
    arena all, own, left;
    arena *each[] = {&all, &own, &left};
    const dt_recipe_optimizer *configs[] = {&config, &other, &rest};
    dt_shape shape = {2, {2, 40}};
    for (int a = 0; a < 3; a++) {
        memset(each[a], 0, sizeof *each[a]);
        if (a == 0) assert_ok(dt_table_add(&each[a]->table, "still/w", &shape, DT_TENSOR_DECAY | DT_TENSOR_FROZEN));
        assert_ok(dt_table_add(&each[a]->table, "own/w", &shape, DT_TENSOR_DECAY));
        assert_ok(dt_table_add(&each[a]->table, "left/w", &shape, DT_TENSOR_DECAY));
        if (a > 0) assert_ok(dt_table_add(&each[a]->table, "still/w", &shape, DT_TENSOR_DECAY));
        dt_table_settle(&each[a]->table);
        each[a]->groups = a == 0 ? dt_yaml_get(root, "groups") : NULL;
        arena_open(each[a], configs[a]);
        for (size_t i = 0; i < all.table.total; i++) {
            each[a]->w[i] = (dt_real)ref_uniform(1, i);
            each[a]->g[i] = i < all.table.trained ? (dt_real)ref_uniform(2, i) : (dt_real)NAN;
        }
    }
    for (int step = 0; step < 3; step++)
        for (int a = 0; a < 3; a++) {
            double rate = (a == 1 ? other.lr : config.lr) * (step + 1);
            dt_optimizer_step numbers = dt_optimizer_begin(&each[a]->optimizer, step, 1, 1, 1, rate);
            update(each[a], &numbers, 0);
        }
    for (size_t i = 0; i < all.table.total; i++) {
        const dt_real still = (dt_real)ref_uniform(1, i);
        size_t tensor = i / left.table.tensors[1].offset;
        dt_real want = tensor == 0 ? own.w[i] : tensor == 1 ? left.w[i] : still;
        double tolerance = tensor == 0 ? 1e-6 : 1e-300; /* its rate is a product */
        ck_assert_double_eq_tol((double)all.w[i], (double)want, tolerance);
    }
    for (int i = 0; i < all.optimizer.slot_count; i++)
        ck_assert_int_eq(all.optimizer.slots[i].table->count, left.optimizer.slots[i].table->count - 1);
    for (int a = 0; a < 3; a++) arena_finish(each[a]);
    dt_yaml_destroy(root);
}
END_TEST

START_TEST(clipping_by_norm_scales_the_whole_gradient_or_nothing) {
    dt_recipe_optimizer config = {.kind = DT_SGD, .clip_norm = 2};
    arena a;
    arena_init(&a, &config);
    for (int i = 0; i < GOLDEN_MATRIX; i++) a.g[i] = (dt_real)ref_uniform(5, (uint64_t)i);
    double norm = sqrt(dt_grad_squares(kernels, &a.table, a.g, 0, a.table.total));
    ck_assert_double_gt(norm, 1);
    ck_assert_double_lt(norm, 4);
    for (int big = 0; big < 2; big++) {
        memset(a.w, 0, a.table.total * sizeof *a.w);
        double used = big ? 8 : 1.99;
        dt_optimizer_step numbers = dt_optimizer_begin(&a.optimizer, 0, 1, 1, used, 1);
        update(&a, &numbers, 0);
        for (int i = 0; i < GOLDEN_MATRIX; i++) ck_assert(a.w[i] == -a.g[i] * (dt_real)(big ? 0.25 : 1));
    }
    arena_finish(&a);
}
END_TEST

/* Whatever the rule, its decay and its clipping. */
START_TEST(statistics_are_running_means_and_have_no_part_in_the_norm) {
    dt_recipe_optimizer config = *row_of(_i).config;
    config.l2 = config.weight_decay = 0.5;
    config.clip_value = 1e-3;
    arena a = {.w = NULL};
    ck_assert_int_eq(dt_table_add(&a.table, "n/running_mean", &(dt_shape){1, {3}}, DT_TENSOR_STATISTIC).code, DT_OK);
    ck_assert_int_eq(dt_table_add(&a.table, "n/scale", &(dt_shape){1, {2}}, 0).code, DT_OK);
    ck_assert_int_eq(dt_table_add(&a.table, "n/running_var", &(dt_shape){1, {1}}, DT_TENSOR_STATISTIC).code, DT_OK);
    a.table.tensors[0].keep = 0.75;
    arena_open(&a, &config);
    for (int i = 0; i < 3; i++) a.w[i] = (dt_real)i, a.g[i] = (dt_real)(5 * (i + 10)); /* 5 samples, a mean of i + 10 */
    a.g[16] = 3, a.g[17] = 4;
    a.w[32] = 8, a.g[32] = 10; /* keep is 0 */
    double norm = sqrt(dt_grad_squares(kernels, &a.table, a.g, 0, a.table.total));
    ck_assert_double_eq_tol(norm, 5, 1e-6);
    dt_optimizer_step numbers = dt_optimizer_begin(&a.optimizer, 0, 5, 9, norm, 0.1);
    update(&a, &numbers, 0);
    for (int i = 0; i < 3; i++) ck_assert_double_eq_tol((double)a.w[i], 0.75 * i + 0.25 * (i + 10), 1e-5);
    ck_assert_double_eq_tol((double)a.w[32], 2, 1e-6);
    ck_assert(a.w[16] != 0 && a.w[3] == 0 && a.w[33] == 0);
    for (int s = 0; s < a.optimizer.slot_count; s++) {
        const dt_slot *slot = &a.optimizer.slots[s];
        for (int t = 0; t < 3; t += 2) {
            const dt_tensor *kept = &slot->table->tensors[t];
            for (size_t i = 0; i < kept->count; i++) ck_assert(slot->data[kept->offset + i] == 0);
        }
    }
    arena_finish(&a);
}
END_TEST

/* 3^2 + 4^2 = 5^2, in parts cut anywhere; and padding counts for nothing. */
START_TEST(the_norm_is_euclidean_over_parts_of_any_size) {
    static dt_real g[3 * 4096 + 96];
    dt_table table;
    memset(&table, 0, sizeof table);
    const dt_shape shapes[] = {{1, {4097}}, {2, {91, 90}}};
    ck_assert_int_eq(dt_table_add(&table, "a/w", &shapes[0], 0).code, DT_OK);
    ck_assert_int_eq(dt_table_add(&table, "b/w", &shapes[1], 0).code, DT_OK);
    ck_assert_uint_le(table.total, COUNT(g));
    g[1] = 3;
    g[4096] = -4;
    g[4097] = 100; /* padding */
    for (size_t cut = 0; cut <= table.total; cut += 1024) {
        double sum =
            dt_grad_squares(kernels, &table, g, 0, cut) + dt_grad_squares(kernels, &table, g + cut, cut, table.total);
        ck_assert_double_eq_tol(sum, 25, 1e-13);
    }
    ck_assert(dt_grad_squares(kernels, &table, g, 0, 0) == 0);
    double sum = 0;
    for (int t = 0; t < table.count; t++) {
        for (size_t i = 0; i < table.tensors[t].count; i++) {
            dt_real x = g[table.tensors[t].offset + i] = (dt_real)ref_uniform(6 + (uint64_t)t, i);
            sum += (double)x * (double)x;
        }
    }
    ck_assert_double_eq_tol(dt_grad_squares(kernels, &table, g, 0, table.total), sum, 1e-12 * sum);
    dt_table_finish(&table);
}
END_TEST

/* ---- schedules ---- */

START_TEST(schedules_follow_pytorch_s_after_any_warm_up) {
    dt_recipe_schedule schedule = golden_schedules[_i].schedule;
    for (int64_t warmup = 0; warmup <= 5; warmup += 5) {
        schedule.warmup = warmup;
        for (int s = 0; s < GOLDEN_TOTAL; s++) {
            double rate = dt_schedule_rate(&schedule, 0.1, s + warmup, GOLDEN_TOTAL + warmup);
            ck_assert_msg(fabs(rate - golden_schedules[_i].rate[s]) <= 1e-15, "schedule %d, step %d: %.17g, not %.17g",
                          (int)schedule.kind, s, rate, golden_schedules[_i].rate[s]);
        }
    }
}
END_TEST

START_TEST(warm_up_rises_in_equal_steps_to_the_whole_rate) {
    for (int kind = DT_SCHEDULE_CONSTANT; kind <= DT_SCHEDULE_ONE_CYCLE; kind++) {
        dt_recipe_schedule schedule = {
            .kind = kind, .warmup = 4, .period = 3, .factor = 0.5, .initial = 0.2, .peak = 0.5};
        static const double want[] = {0.25, 0.5, 0.75, 1};
        for (int step = 0; step < 4; step++)
            ck_assert_double_eq_tol(dt_schedule_rate(&schedule, 2, step, 20), 2 * want[step], 1e-15);
        /* a run shorter than its warm-up never leaves it */
        ck_assert_double_eq_tol(dt_schedule_rate(&schedule, 2, 1, 2), 1, 1e-15);
        schedule.warmup = 1;
        ck_assert_double_eq_tol(dt_schedule_rate(&schedule, 2, 0, 20), 2, 1e-15);
    }
}
END_TEST

START_TEST(the_first_and_the_last_step_use_the_rates_the_recipe_names) {
    static const int64_t totals[] = {2, 3, 10, 1000};
    for (int t = 0; t < COUNT(totals); t++) {
        for (int64_t warmup = 0; warmup < 3; warmup += 2) {
            int64_t total = totals[t] + warmup, last = total - 1;
            dt_recipe_schedule cosine = {.kind = DT_SCHEDULE_COSINE, .final = 0.125, .warmup = warmup};
            dt_recipe_schedule linear = {.kind = DT_SCHEDULE_LINEAR, .final = 0.125, .warmup = warmup};
            dt_recipe_schedule cycle = {
                .kind = DT_SCHEDULE_ONE_CYCLE, .initial = 0.25, .final = 0.125, .peak = 0.4, .warmup = warmup};
            ck_assert_double_eq_tol(dt_schedule_rate(&cosine, 1, warmup, total), 1, 1e-15);
            ck_assert_double_eq_tol(dt_schedule_rate(&linear, 1, warmup, total), 1, 1e-15);
            ck_assert_double_eq_tol(dt_schedule_rate(&cycle, 1, warmup, total), 0.25, 1e-15);
            ck_assert_double_eq_tol(dt_schedule_rate(&cosine, 1, last, total), 0.125, 1e-15);
            ck_assert_double_eq_tol(dt_schedule_rate(&linear, 1, last, total), 0.125, 1e-15);
            ck_assert_double_eq_tol(dt_schedule_rate(&cycle, 1, last, total), 0.125, 1e-15);
        }
    }
}
END_TEST

START_TEST(degenerate_schedules_give_finite_rates) {
    dt_recipe_schedule one_step = {.kind = DT_SCHEDULE_COSINE, .final = 0.1, .warmup = 3};
    ck_assert(dt_schedule_rate(&one_step, 1, 3, 4) == 1); /* not NaN, and not the last rate */
    one_step.kind = DT_SCHEDULE_LINEAR;
    ck_assert(dt_schedule_rate(&one_step, 1, 3, 4) == 1);
    for (int kind = DT_SCHEDULE_CONSTANT; kind <= DT_SCHEDULE_ONE_CYCLE; kind++) {
        for (int half = 0; half <= 2; half++) {
            double peak = 0.5 * half;
            dt_recipe_schedule schedule = {
                .kind = kind, .period = 1, .factor = 0.5, .initial = 0.2, .final = 0.1, .peak = peak};
            for (int64_t total = 0; total < 4; total++) {
                for (int64_t step = 0; step < total + 2; step++) {
                    double rate = dt_schedule_rate(&schedule, 1, step, total);
                    ck_assert_msg(rate > 0 && rate <= 1, "kind %d, peak %g, step %d of %d: %g", kind, peak, (int)step,
                                  (int)total, rate);
                }
            }
        }
    }
}
END_TEST

START_TEST(one_cycle_rises_to_its_peak_and_falls_after_it) {
    dt_recipe_schedule schedule = {.kind = DT_SCHEDULE_ONE_CYCLE, .initial = 0.1, .final = 0.01, .peak = 0.25};
    ck_assert_double_eq_tol(dt_schedule_rate(&schedule, 1, 25, 101), 1, 1e-15);
    for (int64_t step = 1; step < 101; step++) {
        double before = dt_schedule_rate(&schedule, 1, step - 1, 101), now = dt_schedule_rate(&schedule, 1, step, 101);
        ck_assert(step <= 25 ? now > before : now < before);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("optim");
    TCase *rules = tcase_create("rules");
    tcase_add_checked_fixture(rules, setup, NULL);
    tcase_add_loop_test(rules, every_rule_walks_the_golden_path, 0, GOLDEN_ALL);
    tcase_add_loop_test(rules, updating_in_slices_gives_the_same_bits_and_leaves_padding_zero, 0, GOLDEN_ALL);
    tcase_add_loop_test(rules, statistics_are_running_means_and_have_no_part_in_the_norm, 0, GOLDEN_ALL);
    tcase_add_loop_test(rules, groups_have_their_own_numbers_and_frozen_tensors_stay, 0, GOLDEN_ALL);
    tcase_add_test(rules, rules_keep_the_slots_they_need_and_no_others);
    tcase_add_test(rules, a_measured_tensor_is_the_same_whoever_measured_which_block);
    tcase_add_test(rules, clipping_by_norm_scales_the_whole_gradient_or_nothing);
    tcase_add_test(rules, the_norm_is_euclidean_over_parts_of_any_size);
    suite_add_tcase(suite, rules);
    TCase *schedules = tcase_create("schedules");
    tcase_add_loop_test(schedules, schedules_follow_pytorch_s_after_any_warm_up, 0, COUNT(golden_schedules));
    tcase_add_test(schedules, warm_up_rises_in_equal_steps_to_the_whole_rate);
    tcase_add_test(schedules, the_first_and_the_last_step_use_the_rates_the_recipe_names);
    tcase_add_test(schedules, degenerate_schedules_give_finite_rates);
    tcase_add_test(schedules, one_cycle_rises_to_its_peak_and_falls_after_it);
    suite_add_tcase(suite, schedules);
    return run_suite(suite);
}
