/* What a run remembers of itself, and how far it goes: the ledger and the course. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "run/course.h"
#include "run/ledger.h"
#include "run/progress.h"
#include "suite.h"

/* ---- the ledger ---- */

static void count_loss(dt_tally *tally, double loss) {
    tally->samples++;
    dt_sum_add(&tally->loss, loss);
}

START_TEST(what_a_rank_counted_joins_the_epoch_once) {
    dt_ledger ledger = {0};
    dt_ranks alone = dt_ranks_alone();
    dt_tally interval;
    count_loss(&ledger.local, 2);
    assert_ok(dt_ledger_gather(&ledger, &alone, NULL));
    count_loss(&ledger.local, 4);
    assert_ok(dt_ledger_gather(&ledger, &alone, &interval));
    ck_assert_int_eq(interval.samples, 1);
    ck_assert_double_eq(dt_tally_loss(&interval), 4);
    ck_assert_int_eq(ledger.epoch.samples, 2);
    ck_assert_double_eq(dt_tally_loss(&ledger.epoch), 3);
    assert_ok(dt_ledger_gather(&ledger, &alone, &interval));
    ck_assert_int_eq(interval.samples, 0);
    dt_ledger_end_epoch(&ledger);
    ck_assert_int_eq(ledger.last.samples, 2);
    ck_assert_int_eq(ledger.epoch.samples, 0);
    ck_assert_int_eq(ledger.position.epoch, 1);
}
END_TEST

START_TEST(a_step_that_was_rolled_back_is_passed_over_from_then_on) {
    dt_ledger ledger = {.position = {.step = 7}};
    count_loss(&ledger.local, 1);
    for (int64_t step = 0; step < DT_MAX_SKIPS; step++) ck_assert(dt_ledger_skip(&ledger, 10 * step));
    ck_assert(!dt_ledger_skip(&ledger, 999));
    dt_skips known = ledger.skips;
    ledger.skips = (dt_skips){.count = 3}; /* as a checkpoint has it */
    dt_ledger_rolled_back(&ledger, &known);
    for (int64_t step = 0; step < 10 * DT_MAX_SKIPS; step++)
        ck_assert_int_eq(dt_ledger_skips(&ledger, step), step % 10 == 0);
    ck_assert_int_eq(ledger.skips.count, 3);
    ck_assert_int_eq(ledger.local.samples, 0);
    dt_ledger_step(&ledger, 5, true);
    dt_ledger_step(&ledger, 5, true);
    ck_assert_int_eq(ledger.skips.in_a_row, 2);
    dt_ledger_step(&ledger, 5, false);
    ck_assert_int_eq(ledger.skips.in_a_row, 0);
    ck_assert_int_eq(ledger.skips.count, 5);
    ck_assert_int_eq(ledger.position.step, 10);
    ck_assert_int_eq(ledger.position.sample, 15);
}
END_TEST

/* Told of an evaluation, whether it is the best; by loss smaller is better, and NaN never. */
START_TEST(the_best_evaluation_is_known_and_how_many_came_since) {
    const double losses[] = {(double)NAN, 3, 2, (double)NAN, 2.5, 1};
    const bool better[] = {false, true, true, false, false, true};
    const double since[] = {1, 0, 0, 1, 2, 0};
    dt_ledger ledger = {0};
    for (int i = 0; i < COUNT(losses); i++) {
        ledger.position.step = i + 1;
        ledger.test = (dt_tally){0};
        if (isnan(losses[i]))
            ledger.test.samples = 0; /* none was finite: accuracy is 0/0 */
        else
            count_loss(&ledger.test, losses[i]);
        dt_best by = isnan(losses[i]) ? DT_BEST_TEST_ACCURACY : DT_BEST_TEST_LOSS;
        ck_assert_int_eq(dt_ledger_judge(&ledger, by), better[i]);
        ck_assert_double_eq(ledger.best.since, since[i]);
    }
    ck_assert_double_eq(ledger.best.step, 6);
    ck_assert_double_eq(ledger.best_value, -1);
}
END_TEST

START_TEST(an_evaluation_is_owed_until_it_is_made_and_only_where_it_counts) {
    for (int64_t since = 0; since < 3; since++) {
        dt_ledger ledger = {.best = {.since = (double)since}};
        dt_ledger_owe_evaluation(&ledger, DT_BEST_NONE, true);
        ck_assert(!dt_ledger_owes_evaluation(&ledger));
        for (int twice = 0; twice < 2; twice++) {
            dt_ledger_owe_evaluation(&ledger, DT_BEST_TEST_LOSS, true);
            ck_assert(dt_ledger_owes_evaluation(&ledger));
        }
        dt_ledger_owe_evaluation(&ledger, DT_BEST_TEST_LOSS, false);
        ck_assert_double_eq(ledger.best.since, (double)since);
    }
}
END_TEST

/* Every byte that is put can be taken back, and nothing of the state is left out. */
START_TEST(what_a_checkpoint_has_of_it_is_all_of_it) {
    dt_ledger ledger = {.best = {.value = -2, .step = 4, .since = 1}, .best_value = -2.25, .skips = {.count = 6}}, back;
    count_loss(&ledger.epoch, 1.5);
    count_loss(&ledger.last, 0.25);
    dt_tally_carry(&ledger.epoch), dt_tally_carry(&ledger.last);
    dt_extra from[DT_LEDGER_EXTRAS], to[DT_LEDGER_EXTRAS];
    dt_beside from_beside[DT_LEDGER_BESIDE] = {0}, to_beside[DT_LEDGER_BESIDE] = {0};
    memset(&back, 0, sizeof back);
    dt_ledger_put(&ledger, from, from_beside);
    dt_ledger_put(&back, to, to_beside);
    for (int i = 0; i < DT_LEDGER_EXTRAS; i++)
        memcpy(to[i].data, from[i].data, (size_t)from[i].count * dt_dtype_size(from[i].dtype));
    for (int i = 0; i < DT_LEDGER_BESIDE; i++) {
        const dt_extra *array = &from_beside[i].array;
        memcpy(to_beside[i].array.data, array->data, (size_t)array->count * dt_dtype_size(array->dtype));
        to_beside[i].found = true;
    }
    assert_ok(dt_ledger_take(&back, to_beside, "x.h5"));
    ck_assert_int_eq(memcmp(&back, &ledger, sizeof back), 0);
    to_beside[2].found = false; /* an older file: what is rounded stands in */
    assert_ok(dt_ledger_take(&back, to_beside, "x.h5"));
    ck_assert_double_eq(back.best_value, -2);
    back.epoch.samples = -1;
    ck_assert_int_eq(dt_ledger_take(&back, to_beside, "x.h5").code, DT_ERR_CORRUPT);
}
END_TEST

/* ---- the course ---- */

static dt_course plan(int64_t batch, int64_t samples, int64_t epochs, int64_t steps, dt_position at) {
    dt_recipe recipe = {.train = {.batch = batch, .epochs = epochs, .steps = steps}};
    dt_source source = {.samples = samples};
    dt_course course = {0};
    dt_course_plan(&course, &recipe, &source, &at);
    return course;
}

/* Against walking: every epoch to its end, the last batch of each smaller. */
START_TEST(a_course_has_the_steps_that_walking_takes) {
    for (int64_t batch = 1; batch < 9; batch++)
        for (int64_t samples = 1; samples < 20; samples++) {
            dt_position at = {0};
            dt_course course = plan(batch, samples, 3, 0, at);
            int64_t steps = 0;
            for (; at.epoch < 3; steps++) {
                ck_assert_int_eq(plan(batch, samples, 3, 0, at).total_steps, course.total_steps);
                int64_t rows = dt_course_rows(&course, &at);
                ck_assert(rows > 0 && rows <= batch);
                at.step++;
                at.sample += rows;
                if (at.sample == samples) at.epoch++, at.sample = 0;
            }
            ck_assert_int_eq(course.total_steps, steps);
        }
    ck_assert_int_eq(plan(4, 100, 3, 50, (dt_position){.step = 20, .origin = 10}).total_steps, 60);
    ck_assert_int_eq(plan(1, INT64_MAX / 2, INT64_MAX / 2, 0, (dt_position){0}).total_steps, INT64_MAX / 4);
}
END_TEST

START_TEST(spans_in_steps_count_updates_and_those_in_epochs_what_was_used) {
    dt_course course = plan(10, 95, 4, 0, (dt_position){0}); /* ten steps an epoch */
    dt_span steps = {7, DT_SPAN_STEPS}, epochs = {0.5, DT_SPAN_EPOCHS}, seconds = {3, DT_SPAN_SECONDS};
    dt_position after_other_batches = {.step = 33, .epoch = 1, .sample = 50}; /* fifteen steps of this batch */
    ck_assert_int_eq(dt_course_span(&course, epochs), 5);
    ck_assert_int_eq(dt_course_span(&course, seconds), 0);
    ck_assert(dt_course_due(&course, epochs, &after_other_batches));
    ck_assert(!dt_course_due(&course, steps, &after_other_batches));
    after_other_batches.step = 35;
    ck_assert(dt_course_due(&course, steps, &after_other_batches));
    ck_assert(!dt_course_due(&course, seconds, &after_other_batches));
    ck_assert(!dt_course_due(&course, steps, &(dt_position){0}));
}
END_TEST

/* Ten steps a second for 100 hours, an interval each. */
START_TEST(the_log_of_a_job_of_days_has_lines_that_can_be_read) {
    const double every = 0.1, hours = 100;
    double logged = 0, longest = 0;
    int lines = 0, first_minute = 0;
    for (int i = 1; i < hours * 3600 / every; i++) {
        double age = i * every;
        if (!dt_progress_is_log_due(age, age - logged)) continue;
        lines++;
        first_minute += age <= 60;
        if (age - logged > longest) longest = age - logged;
        logged = age;
    }
    ck_assert_int_ge(first_minute, 598);
    ck_assert_int_lt(lines, 4000);
    ck_assert(longest < hours * 3600 / 250);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ledger");
    TCase *tests = tcase_create("ledger");
    tcase_add_test(tests, what_a_rank_counted_joins_the_epoch_once);
    tcase_add_test(tests, a_step_that_was_rolled_back_is_passed_over_from_then_on);
    tcase_add_test(tests, the_best_evaluation_is_known_and_how_many_came_since);
    tcase_add_test(tests, an_evaluation_is_owed_until_it_is_made_and_only_where_it_counts);
    tcase_add_test(tests, what_a_checkpoint_has_of_it_is_all_of_it);
    tcase_add_test(tests, a_course_has_the_steps_that_walking_takes);
    tcase_add_test(tests, spans_in_steps_count_updates_and_those_in_epochs_what_was_used);
    tcase_add_test(tests, the_log_of_a_job_of_days_has_lines_that_can_be_read);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
