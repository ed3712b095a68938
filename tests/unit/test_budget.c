/* What checkpoints cost, and how often they are made for it. */
#include <check.h>

#include "run/budget.h"
#include "suite.h"

/* `steps` steps of `seconds`, beside a checkpoint or not. */
static void walk(dt_budget *budget, int steps, double seconds, bool beside) {
    for (int i = 0; i < steps; i++) dt_budget_step(budget, seconds, beside);
}

/* One that stands still for `stood`, while `steps` steps take `seconds`. */
static void publish(dt_budget *budget, double stood, int steps, double seconds) {
    dt_budget_begin(budget, 1000);
    dt_budget_stood(budget, stood);
    walk(budget, steps, seconds, true);
    dt_budget_end(budget, 1000 + stood + steps * seconds, 0);
}

START_TEST(the_cost_is_what_stands_still_and_what_is_slower) {
    dt_budget budget = {0};
    walk(&budget, 100, 0.5, false);
    publish(&budget, 0.25, 10, 0.6);
    ck_assert_double_eq_tol(budget.cost, 0.25 + 10 * 0.1, 1e-9);
    ck_assert_double_eq_tol(dt_budget_duration(&budget), 6.25, 1e-9);
    ck_assert_double_eq_tol(dt_budget_interval(&budget, 1), 125, 1e-6);
    ck_assert_double_eq_tol(dt_budget_interval(&budget, 2), 62.5, 1e-6);
}
END_TEST

START_TEST(steps_that_are_faster_beside_one_pay_for_nothing) {
    dt_budget budget = {0};
    walk(&budget, 100, 0.5, false);
    publish(&budget, 0.25, 10, 0.1);
    ck_assert_double_eq_tol(budget.cost, 0.25, 1e-9);
}
END_TEST

START_TEST(what_helpers_take_from_ranks_counts_where_steps_do_not_show_it) {
    dt_budget budget = {0};
    walk(&budget, 100, 0.5, false);
    dt_budget_begin(&budget, 1000);
    dt_budget_stood(&budget, 0.25);
    walk(&budget, 10, 0.5, true);
    dt_budget_end(&budget, 1006, 0.5);
    ck_assert_double_eq_tol(budget.cost, 0.25 + 0.5, 1e-9);
    dt_budget_begin(&budget, 2000);
    walk(&budget, 10, 0.6, true);
    dt_budget_end(&budget, 2006, 0.5); /* the same seconds are not counted twice */
    ck_assert_double_eq_tol(budget.cost, (0.75 + 1) / 2, 1e-9);
}
END_TEST

START_TEST(one_is_not_counted_into_the_next) {
    dt_budget budget = {0};
    walk(&budget, 100, 0.5, false);
    for (int i = 0; i < 3; i++) publish(&budget, 2, 10, 0.6);
    ck_assert_double_eq_tol(budget.cost, 3, 1e-9);
}
END_TEST

START_TEST(a_disk_that_becomes_slow_counts_at_once) {
    dt_budget budget = {0};
    publish(&budget, 1, 0, 0);
    publish(&budget, 5, 0, 0);
    ck_assert_double_eq_tol(budget.cost, 3, 1e-9);
    publish(&budget, 5, 0, 0);
    ck_assert_double_eq_tol(budget.cost, 4, 1e-9);
}
END_TEST

START_TEST(the_interval_has_limits) {
    dt_budget budget = {0};
    ck_assert_double_eq(dt_budget_interval(&budget, 1), 30);
    publish(&budget, 1e-3, 0, 0);
    ck_assert_double_eq(dt_budget_interval(&budget, 1), 30);
    ck_assert(!dt_budget_exceeded(&budget, 1));
    publish(&budget, 100, 0, 0);
    ck_assert_double_eq(dt_budget_interval(&budget, 1), 600);
    ck_assert(dt_budget_exceeded(&budget, 1) && !dt_budget_exceeded(&budget, 20));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("budget");
    TCase *tests = tcase_create("budget");
    tcase_add_test(tests, the_cost_is_what_stands_still_and_what_is_slower);
    tcase_add_test(tests, steps_that_are_faster_beside_one_pay_for_nothing);
    tcase_add_test(tests, what_helpers_take_from_ranks_counts_where_steps_do_not_show_it);
    tcase_add_test(tests, one_is_not_counted_into_the_next);
    tcase_add_test(tests, a_disk_that_becomes_slow_counts_at_once);
    tcase_add_test(tests, the_interval_has_limits);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
