/* When a job with a time limit stops: what still has to fit, by what things were seen to take. */
#include <check.h>
#include <math.h>

#include "base/clock.h"
#include "run/limit.h"
#include "suite.h"

/* Of a long limit: five seconds are for the end. */
static dt_limit ends_in(double seconds) {
    return (dt_limit){.end = dt_clock_now() + seconds, .length = 7200, .whose = "test", .publish = 30, .told = true};
}

START_TEST(a_checkpoint_and_another_step_have_to_fit) {
    dt_limit limit = ends_in(0);
    dt_run_clock clock = {.longest_step = 2};
    dt_limit_work work = {.batch = 10};
    ck_assert_double_eq(dt_limit_needs(&limit, &clock, &work), 1.5 * (2 * 2 + 30) + 5); /* of none it is a guess */
    clock.budget.duration = 8;
    ck_assert_double_eq(dt_limit_needs(&limit, &clock, &work), 1.5 * (2 * 2 + 8) + 5);
    work.publishes = true; /* and the one that is due now */
    ck_assert_double_eq(dt_limit_needs(&limit, &clock, &work), 1.5 * (2 * 2 + 2 * 8) + 5);
}
END_TEST

START_TEST(an_evaluation_has_to_fit_where_one_is_due) {
    dt_limit limit = ends_in(0);
    dt_run_clock clock = {.longest_step = 2, .budget = {.duration = 8}};
    dt_limit_work work = {.evaluates = true, .samples = 1000, .batch = 10};
    ck_assert_double_eq(dt_limit_needs(&limit, &clock, &work),
                        1.5 * (2 * 2 + 8 + 200) + 5); /* as if they were trained on */
    clock.longest[DT_PHASE_EVALUATE] = 60;
    ck_assert_double_eq(dt_limit_needs(&limit, &clock, &work), 1.5 * (2 * 2 + 8 + 60) + 5);
    work.evaluates = false;
    ck_assert_double_eq(dt_limit_needs(&limit, &clock, &work), 1.5 * (2 * 2 + 8) + 5);
}
END_TEST

START_TEST(a_short_limit_keeps_a_share_for_the_end) {
    dt_limit limit = ends_in(0);
    limit.length = 20;
    dt_run_clock clock = {.longest_step = 2, .budget = {.duration = 8}};
    dt_limit_work work = {.batch = 10};
    ck_assert_double_eq_tol(dt_limit_needs(&limit, &clock, &work), 1.5 * (2 * 2 + 8) + 1, 1e-9);
}
END_TEST

/* The margins are an hour: time does not decide. */
START_TEST(the_last_step_is_the_one_after_which_no_other_fits) {
    dt_run_clock clock = {.longest_step = 3600, .budget = {.duration = 3600}};
    dt_limit_work work = {.batch = 10};
    dt_limit far = ends_in(1.5 * 3 * 3600 + 5 + 3600), near = ends_in(1.5 * 3 * 3600 + 5 - 3600),
             never = {.end = INFINITY};
    ck_assert(!dt_limit_is_near(&far, &clock, &work));
    ck_assert(dt_limit_is_near(&near, &clock, &work));
    ck_assert(!dt_limit_is_near(&never, &clock, &work));
    ck_assert(!dt_limit_is_due(&far, &clock));
    near = ends_in(1.5 * 2 * 3600);
    ck_assert(dt_limit_is_due(&near, &clock));
}
END_TEST

START_TEST(what_took_long_is_forgotten_by_and_by) {
    dt_run_clock clock;
    dt_run_clock_begin(&clock);
    dt_run_clock_step(&clock, dt_clock_now() - 1000, false);
    ck_assert_double_ge(clock.longest_step, 1000);
    for (int i = 0; i < 10; i++) dt_run_clock_step(&clock, dt_clock_now(), false);
    ck_assert_double_ge(clock.longest_step, 700);
    for (int i = 0; i < 400; i++) dt_run_clock_step(&clock, dt_clock_now(), false);
    ck_assert_double_le(clock.longest_step, 100);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("limit");
    TCase *tests = tcase_create("limit");
    tcase_add_test(tests, a_checkpoint_and_another_step_have_to_fit);
    tcase_add_test(tests, an_evaluation_has_to_fit_where_one_is_due);
    tcase_add_test(tests, a_short_limit_keeps_a_share_for_the_end);
    tcase_add_test(tests, the_last_step_is_the_one_after_which_no_other_fits);
    tcase_add_test(tests, what_took_long_is_forgotten_by_and_by);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
