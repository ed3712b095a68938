/* The accountant of differential privacy, against published values and against quadrature. */
#include <check.h>
#include <math.h>

#include "site/accountant.h"
#include "suite.h"

/* The least ε over orders of the publisher's choice. */
static double epsilon_over(const double *orders, int count, double rate, double noise, double steps, double delta) {
    double epsilon = INFINITY;
    for (int i = 0; i < count; i++)
        epsilon = fmin(epsilon, dt_rdp_epsilon(steps * dt_rdp(rate, noise, orders[i]), orders[i], delta));
    return epsilon;
}

/* Opacus: orders 1.1 to 10.9 by 0.1, then 12 to 63. Its series ends where terms are below e^-30, which leaves its last
 * two digits 5e-11 below what quadrature gives. */
START_TEST(epsilon_is_opacus_s) {
    double orders[151];
    for (int i = 0; i < 151; i++) orders[i] = dt_rdp_order(i);
    double epsilon = epsilon_over(orders, 151, 0.04, 1.5, 2250, 1e-5);
    ck_assert_double_eq_tol(epsilon, 7.32911117143, 1e-10);
    ck_assert_double_eq_tol(epsilon, 7.32911117148417410, 1e-11);
}
END_TEST

/* TensorFlow Privacy, with the orders of its script. */
START_TEST(epsilon_is_tensorflow_privacy_s) {
    double orders[72] = {1.25, 1.5, 1.75, 2, 2.25, 2.5, 3, 3.5, 4, 4.5};
    for (int i = 0; i < 59; i++) orders[10 + i] = 5 + i;
    orders[69] = 128;
    orders[70] = 256;
    orders[71] = 512;
    ck_assert_double_eq_tol(epsilon_over(orders, 72, 150.0 / 60000, 1.3, 6000, 1e-5), 0.7242234026, 5e-11);
    ck_assert_double_eq_tol(epsilon_over(orders, 72, 100.0 / 100000, 1.0, 30000, 1e-7), 1.4154988495, 5e-11);
}
END_TEST

/* TensorFlow Federated's tutorial on user-level privacy: 3383 clients, 100 rounds, δ 1e-5, noise 0.01 times the clients
 * expected in a round. It finds that (2, 1e-5) needs 120 of them, with noise 1.2, and so more than 119. */
START_TEST(rounds_of_clients_are_tensorflow_federated_s) {
    double orders[72] = {1.25, 1.5, 1.75, 2, 2.25, 2.5, 3, 3.5, 4, 4.5};
    for (int i = 0; i < 59; i++) orders[10 + i] = 5 + i;
    orders[69] = 128;
    orders[70] = 256;
    orders[71] = 512;
    ck_assert_double_le(epsilon_over(orders, 72, 120.0 / 3383, 1.2, 100, 1e-5), 2);
    ck_assert_double_gt(epsilon_over(orders, 72, 119.0 / 3383, 1.19, 100, 1e-5), 2);
    dt_spent spent = {0}, less = {0};
    for (int i = 0; i < 100; i++) assert_ok(dt_spend(&spent, 120.0 / 3383, 1.2));
    for (int i = 0; i < 100; i++) assert_ok(dt_spend(&less, 119.0 / 3383, 1.19));
    ck_assert(dt_epsilon(&spent, 1e-5) <= 2 && dt_epsilon(&less, 1e-5) > 2);
}
END_TEST

START_TEST(whole_orders_are_the_published_ones) {
    ck_assert_double_eq_tol(50 * dt_rdp(0.01, 2.5, 5), 2.18075656e-3, 5e-12);
    ck_assert_double_eq_tol(50 * dt_rdp(0.01, 2.5, 50), 2.38460375e-2, 5e-11);
    ck_assert_double_eq_tol(50 * dt_rdp(0.01, 2.5, 100), 167.416308, 5e-7);
}
END_TEST

/* The definition, summed over a fine grid: A - 1 = E[ratio^order - 1]. */
static double rdp_by_quadrature(double q, double sigma, double order) {
    const double step = sigma / 2000, first = -12 * sigma,
                 last = order + 12 * sigma; /* the ratio is large at the order */
    const int points = (int)((last - first) / step);
    double sum = 0;
    for (int i = 0; i < points; i++) {
        double z = first + i * step, density = exp(-z * z / (2 * sigma * sigma)) / (sqrt(2 * M_PI) * sigma);
        sum += density * expm1(order * log1p(q * expm1((2 * z - 1) / (2 * sigma * sigma)))) * step;
    }
    return log1p(sum) / (order - 1);
}

START_TEST(whole_and_other_orders_are_the_definition) {
    const double rates[] = {0.001, 0.0085, 0.2, 0.9}, noises[] = {0.8, 1.23, 6}, orders[] = {1.1, 2, 2.5, 8.7, 9, 10.9};
    for (int q = 0; q < COUNT(rates); q++)
        for (int s = 0; s < COUNT(noises); s++)
            for (int o = 0; o < COUNT(orders); o++) {
                double want = rdp_by_quadrature(rates[q], noises[s], orders[o]);
                double got = dt_rdp(rates[q], noises[s], orders[o]);
                ck_assert_msg(fabs(got - want) <= 1e-7 * want + 1e-13, "q %g sigma %g order %g: %.12g, want %.12g",
                              rates[q], noises[s], orders[o], got, want);
            }
}
END_TEST

START_TEST(limits_are_those_of_the_plain_mechanism) {
    ck_assert_double_eq(dt_rdp(0, 1, 8), 0);
    ck_assert_double_eq(dt_rdp(1, 2, 8), 1);
    ck_assert(isinf(dt_rdp(0.5, 0, 8)));
    ck_assert_double_eq_tol(dt_rdp(1 - 1e-9, 2, 8), 1, 1e-6);
}
END_TEST

static dt_spent spend(double rate, double noise, int64_t steps) {
    dt_spent spent = {0};
    for (int64_t i = 0; i < steps; i++) assert_ok(dt_spend(&spent, rate, noise));
    return spent;
}

START_TEST(nothing_spent_is_nothing_and_no_noise_is_everything) {
    dt_spent none = {0}, bare = spend(0.01, 0, 1);
    ck_assert_double_eq(dt_epsilon(&none, 1e-5), 0);
    ck_assert(isinf(dt_epsilon(&bare, 1e-5)));
}
END_TEST

START_TEST(epsilon_grows_with_every_step_and_with_less_noise) {
    double before = 0;
    for (int steps = 1; steps < 2000; steps += 137) {
        dt_spent spent = spend(0.01, 1.1, steps), quieter = spend(0.01, 1.0, steps), oftener = spend(0.02, 1.1, steps);
        double epsilon = dt_epsilon(&spent, 1e-5);
        ck_assert(epsilon > before);
        ck_assert(dt_epsilon(&quieter, 1e-5) > epsilon);
        ck_assert(dt_epsilon(&oftener, 1e-5) > epsilon);
        ck_assert(dt_epsilon(&spent, 1e-6) > epsilon);
        before = epsilon;
    }
}
END_TEST

/* Steps of changing mechanisms add up order by order, whatever their sequence. */
START_TEST(mechanisms_compose) {
    dt_spent spent = spend(0.01, 1.1, 100);
    for (int i = 0; i < 50; i++) assert_ok(dt_spend(&spent, 0.02, 1.5));
    for (int i = 0; i < 10; i++) assert_ok(dt_spend(&spent, 0.01, 1.1));
    double want = INFINITY;
    for (int i = 0; i < DT_RDP_ORDERS; i++) {
        double order = dt_rdp_order(i), rdp = 110 * dt_rdp(0.01, 1.1, order) + 50 * dt_rdp(0.02, 1.5, order);
        want = fmin(want, dt_rdp_epsilon(rdp, order, 1e-5));
    }
    ck_assert_double_eq_tol(dt_epsilon(&spent, 1e-5), want, 1e-12);
    ck_assert_double_eq(spent.of[0].steps, 100);
    ck_assert_double_eq(spent.of[1].steps, 50);
    ck_assert_double_eq(spent.of[2].steps, 10);
}
END_TEST

START_TEST(a_budget_holds_as_many_steps_as_fit) {
    dt_spent spent = spend(0.01, 1.1, 500);
    int64_t fits = dt_steps_within(&spent, 0.01, 1.1, 1e-5, 2, 1000000);
    dt_spent all = spend(0.01, 1.1, 500 + fits), more = spend(0.01, 1.1, 501 + fits);
    ck_assert_int_gt(fits, 0);
    ck_assert_double_le(dt_epsilon(&all, 1e-5), 2);
    ck_assert_double_gt(dt_epsilon(&more, 1e-5), 2);
    ck_assert_int_eq(dt_steps_within(&spent, 0.01, 1.1, 1e-5, 2, 7), 7);
    ck_assert_int_eq(dt_steps_within(&spent, 0.01, 1.1, 1e-5, 0.1, 7), 0);
    ck_assert_int_eq(dt_steps_within(&spent, 0.01, 0, 1e-5, 2, 7), 0);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused) {
    dt_spent spent = spend(0.01, 1.1, 3);
    assert_ok(dt_spent_check(&spent));
    const dt_mechanism wrong[] = {{0.01, 1, 0.5}, {2, 1, 1}, {0.1, -1, 1}, {0.1, NAN, 1}, {0.1, 1, -1}, {0, 1, 1}};
    for (int i = 0; i < COUNT(wrong); i++) {
        dt_spent bad = spent;
        bad.of[1] = wrong[i];
        ck_assert_int_eq(dt_spent_check(&bad).code, DT_ERR_CORRUPT);
    }
    spent.of[2] = spent.of[0]; /* behind an unused row */
    ck_assert_int_eq(dt_spent_check(&spent).code, DT_ERR_CORRUPT);
}
END_TEST

START_TEST(too_many_changes_are_refused) {
    dt_spent spent = {0};
    for (int i = 0; i < DT_MECHANISMS; i++) assert_ok(dt_spend(&spent, 0.01, 1 + i));
    ck_assert_int_eq(dt_spend(&spent, 0.01, 99).code, DT_ERR_INPUT);
    assert_ok(dt_spend(&spent, 0.01, DT_MECHANISMS));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("accountant");
    TCase *tests = tcase_create("accountant");
    tcase_add_test(tests, epsilon_is_opacus_s);
    tcase_add_test(tests, epsilon_is_tensorflow_privacy_s);
    tcase_add_test(tests, rounds_of_clients_are_tensorflow_federated_s);
    tcase_add_test(tests, whole_orders_are_the_published_ones);
    tcase_add_test(tests, whole_and_other_orders_are_the_definition);
    tcase_add_test(tests, limits_are_those_of_the_plain_mechanism);
    tcase_add_test(tests, nothing_spent_is_nothing_and_no_noise_is_everything);
    tcase_add_test(tests, epsilon_grows_with_every_step_and_with_less_noise);
    tcase_add_test(tests, mechanisms_compose);
    tcase_add_test(tests, a_budget_holds_as_many_steps_as_fit);
    tcase_add_test(tests, what_makes_no_sense_is_refused);
    tcase_add_test(tests, too_many_changes_are_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
