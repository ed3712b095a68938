/* Update rules and schedules against PyTorch's numbers (tests/golden/optimizers.py) and against closed forms. Compiled
 * for float, the program's arithmetic, and for double, where agreement must be to rounding. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "optim/optim.h"
#include "reference.h"
#include "suite.h"

#include "../golden/optimizers.h"

#define TOLERANCE (sizeof(dt_real) == sizeof(double) ? 1e-13 : 4e-6)

/* The golden tensors as an arena: a matrix [3, 5] that decays, a vector [4] that does not, padding between. */
typedef struct arena {
    dt_table table;
    dt_real *w, *g, *slots[DT_MAX_SLOTS];
} arena;

static const dt_kernels *kernels;

static void setup(void) {
    ck_assert_int_eq(dt_compute_open(&kernels, DT_ISA_AUTO, 1).code, DT_OK);
}

static dt_real *new_array(const arena *a) {
    dt_real *array = dt_alloc(a->table.total, sizeof *array);
    ck_assert_ptr_nonnull(array);
    return array;
}

static void arena_init(arena *a, const dt_recipe_optimizer *config) {
    memset(a, 0, sizeof *a);
    ck_assert_int_eq(dt_table_add(&a->table, "dense1/w", &(dt_shape){2, {3, 5}}, DT_TENSOR_DECAY).code, DT_OK);
    ck_assert_int_eq(dt_table_add(&a->table, "dense1/b", &(dt_shape){1, {GOLDEN_BIAS}}, 0).code, DT_OK);
    a->w = new_array(a);
    a->g = new_array(a);
    const char *names[DT_MAX_SLOTS + 1];
    dt_rule_of(config)->slots(config, names);
    for (int i = 0; names[i]; i++) a->slots[i] = new_array(a);
}

static void arena_finish(arena *a) {
    dt_table_finish(&a->table);
    dt_free(a->w);
    dt_free(a->g);
    for (int i = 0; i < DT_MAX_SLOTS; i++) dt_free(a->slots[i]);
}

static size_t position(const arena *a, int element) {
    int tensor = element >= GOLDEN_MATRIX;
    return a->table.tensors[tensor].offset + (size_t)(element - tensor * GOLDEN_MATRIX);
}

static void scatter(const arena *a, dt_real *to, const double *from, double scale) {
    for (int i = 0; i < GOLDEN_MATRIX + GOLDEN_BIAS; i++) to[position(a, i)] = (dt_real)(from[i] * scale);
}

/* One golden step: the summed gradient of 7 targets, of 3 samples. */
static void take_step(arena *a, const dt_recipe_optimizer *config, int step, size_t begin, size_t end) {
    const int64_t targets = 7;
    scatter(a, a->g, golden_grads[step], (double)targets);
    double norm = sqrt(dt_grad_squares(kernels, &a->table, a->g, 0, a->table.total)) / (double)targets;
    dt_optim_update(kernels, config, &a->table, a->w, a->slots, a->g + begin, begin, end, step, 3, targets, norm,
                    golden_rate[step]);
}

START_TEST(every_rule_walks_the_path_pytorch_walks) {
    const dt_recipe_optimizer *config = &golden_rules[_i].config;
    arena a;
    arena_init(&a, config);
    scatter(&a, a.w, golden_start, 1);
    for (int step = 0, kept = 0; step < GOLDEN_STEPS; step++) {
        take_step(&a, config, step, 0, a.table.total);
        if (step + 1 != golden_keep[kept]) continue;
        const double *want = golden_rules[_i].w[kept++];
        for (int i = 0; i < GOLDEN_MATRIX + GOLDEN_BIAS; i++) {
            double got = (double)a.w[position(&a, i)], error = fabs(got - want[i]) / fmax(1, fabs(want[i]));
            ck_assert_msg(error <= TOLERANCE * (step + 1), "%s, step %d, element %d: %.17g, PyTorch has %.17g",
                          golden_rules[_i].name, step + 1, i, got, want[i]);
        }
    }
    arena_finish(&a);
}
END_TEST

START_TEST(updating_in_slices_gives_the_same_bits_and_leaves_padding_zero) {
    const dt_recipe_optimizer *config = &golden_rules[_i].config;
    for (size_t cut = 0; cut <= 32; cut += 5) {
        arena whole, sliced;
        arena_init(&whole, config);
        arena_init(&sliced, config);
        size_t total = whole.table.total, bytes = total * sizeof(dt_real);
        ck_assert_uint_eq(total, 32);
        scatter(&whole, whole.w, golden_start, 1);
        memcpy(sliced.w, whole.w, bytes);
        for (int step = 0; step < GOLDEN_STEPS; step++) {
            take_step(&whole, config, step, 0, total);
            take_step(&sliced, config, step, cut, total);
            take_step(&sliced, config, step, 0, cut);
        }
        ck_assert_int_eq(memcmp(whole.w, sliced.w, bytes), 0);
        for (int s = 0; s < DT_MAX_SLOTS && whole.slots[s]; s++)
            ck_assert_int_eq(memcmp(whole.slots[s], sliced.slots[s], bytes), 0);
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
        const char *names[3];
    } cases[] = {
        {{.kind = DT_SGD}, {NULL}},      {{.kind = DT_SGD, .momentum = 0.9}, {"velocity"}},
        {{.kind = DT_ADAM}, {"m", "v"}}, {{.kind = DT_ADAMW}, {"m", "v"}},
        {{.kind = DT_RMSPROP}, {"v"}},   {{.kind = DT_RMSPROP, .momentum = 0.9}, {"v", "velocity"}},
        {{.kind = DT_ADAGRAD}, {"sum"}},
    };
    for (int c = 0; c < COUNT(cases); c++) {
        const char *names[DT_MAX_SLOTS + 1] = {"x", "x", "x"};
        dt_rule_of(&cases[c].config)->slots(&cases[c].config, names);
        for (int i = 0; i == 0 || cases[c].names[i - 1]; i++) ck_assert_pstr_eq(names[i], cases[c].names[i]);
    }
}
END_TEST

/* Clipping by norm must only shorten: a gradient within the bound is left alone to the bit. */
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
        dt_optim_update(kernels, &config, &a.table, a.w, a.slots, a.g, 0, a.table.total, 0, 1, 1, used, 1);
        for (int i = 0; i < GOLDEN_MATRIX; i++) ck_assert(a.w[i] == -a.g[i] * (dt_real)(big ? 0.25 : 1));
    }
    arena_finish(&a);
}
END_TEST

/* Whatever the rule, its decay and its clipping. */
START_TEST(statistics_are_running_means_and_have_no_part_in_the_norm) {
    dt_recipe_optimizer config = golden_rules[_i].config;
    config.l2 = config.weight_decay = 0.5;
    config.clip_value = 1e-3;
    arena a = {.w = NULL};
    ck_assert_int_eq(dt_table_add(&a.table, "n/running_mean", &(dt_shape){1, {3}}, DT_TENSOR_STATISTIC).code, DT_OK);
    ck_assert_int_eq(dt_table_add(&a.table, "n/scale", &(dt_shape){1, {2}}, 0).code, DT_OK);
    ck_assert_int_eq(dt_table_add(&a.table, "n/running_var", &(dt_shape){1, {1}}, DT_TENSOR_STATISTIC).code, DT_OK);
    a.table.tensors[0].keep = 0.75;
    a.w = new_array(&a);
    a.g = new_array(&a);
    const char *names[DT_MAX_SLOTS + 1];
    dt_rule_of(&config)->slots(&config, names);
    for (int i = 0; names[i]; i++) a.slots[i] = new_array(&a);
    for (int i = 0; i < 3; i++) a.w[i] = (dt_real)i, a.g[i] = (dt_real)(5 * (i + 10)); /* 5 samples, a mean of i + 10 */
    a.g[16] = 3, a.g[17] = 4;
    a.w[32] = 8, a.g[32] = 10; /* keep is 0 */
    double norm = sqrt(dt_grad_squares(kernels, &a.table, a.g, 0, a.table.total));
    ck_assert_double_eq_tol(norm, 5, 1e-6);
    dt_optim_update(kernels, &config, &a.table, a.w, a.slots, a.g, 0, a.table.total, 0, 5, 9, norm, 0.1);
    for (int i = 0; i < 3; i++) ck_assert_double_eq_tol((double)a.w[i], 0.75 * i + 0.25 * (i + 10), 1e-5);
    ck_assert_double_eq_tol((double)a.w[32], 2, 1e-6);
    ck_assert(a.w[16] != 0 && a.w[3] == 0 && a.w[33] == 0);
    for (int s = 0; s < DT_MAX_SLOTS && a.slots[s]; s++)
        for (int i = 0; i < 3; i++) ck_assert(a.slots[s][i] == 0 && a.slots[s][32] == 0);
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
    tcase_add_loop_test(rules, every_rule_walks_the_path_pytorch_walks, 0, COUNT(golden_rules));
    tcase_add_loop_test(rules, updating_in_slices_gives_the_same_bits_and_leaves_padding_zero, 0, COUNT(golden_rules));
    tcase_add_loop_test(rules, statistics_are_running_means_and_have_no_part_in_the_norm, 0, COUNT(golden_rules));
    tcase_add_test(rules, rules_keep_the_slots_they_need_and_no_others);
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
