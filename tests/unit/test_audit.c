/* What an audit draws, and with what probability that finds a wrong step: against enumeration. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "run/audit_plan.h"
#include "run/odds.h"
#include "suite.h"

/* Of all ways in which `wrong` of `steps` steps can be wrong, the share that has one among the first `again`. */
static double enumerate(int steps, int again, int wrong) {
    long all = 0, found = 0;
    for (unsigned set = 0; set < 1U << steps; set++) {
        if (__builtin_popcount(set) != wrong) continue;
        all++;
        found += (set & ((1U << again) - 1)) != 0;
    }
    return (double)found / (double)all;
}

START_TEST(chance_is_that_of_all_ways_steps_can_be_wrong) {
    for (int steps = 1; steps <= 12; steps++)
        for (int again = 0; again <= steps; again++)
            for (int wrong = 1; wrong <= steps; wrong++)
                ck_assert_double_eq_tol(dt_odds_of_chance(steps, again, wrong), enumerate(steps, again, wrong), 1e-12);
    ck_assert_double_eq_tol(dt_odds_of_chance(1000000, 10000, 1), 0.01, 1e-12);
    ck_assert_double_eq_tol(dt_odds_of_chance((int64_t)1 << 50, (int64_t)1 << 40, 1), 0x1p-10, 1e-15);
    ck_assert_double_eq(dt_odds_of_chance(100, 0, 5), 0);
    ck_assert_double_eq(dt_odds_of_chance(100, 10, 0), 0);
}
END_TEST

/* Every interval is as likely as any other, and any two are as likely together as without a preference. */
START_TEST(every_interval_is_drawn_as_often) {
    enum { COUNT = 7, WANTED = 3, SEEDS = 20000 };
    int drawn[COUNT] = {0}, together[COUNT][COUNT] = {{0}};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        bool chosen[COUNT];
        int number = 0;
        ck_assert_int_eq(dt_audit_draw(seed, COUNT, WANTED, chosen).code, DT_OK);
        for (int i = 0; i < COUNT; i++) {
            number += chosen[i];
            drawn[i] += chosen[i];
            for (int j = 0; j < i; j++) together[i][j] += chosen[i] && chosen[j];
        }
        ck_assert_int_eq(number, WANTED);
    }
    double expected = dt_odds_of_choice(COUNT, WANTED) * SEEDS;
    for (int i = 0; i < COUNT; i++) {
        ck_assert_double_eq_tol(drawn[i], expected, 5 * 70); /* five standard deviations */
        for (int j = 0; j < i; j++) ck_assert_double_eq_tol(together[i][j], SEEDS * 3.0 * 2 / (7 * 6), 5 * 50);
    }
}
END_TEST

START_TEST(a_draw_follows_from_its_seed) {
    bool one[100], same[100], other[100];
    ck_assert_int_eq(dt_audit_draw(7, 100, 10, one).code, DT_OK);
    ck_assert_int_eq(dt_audit_draw(7, 100, 10, same).code, DT_OK);
    ck_assert_int_eq(dt_audit_draw(8, 100, 10, other).code, DT_OK);
    ck_assert_mem_eq(one, same, sizeof one);
    ck_assert_mem_ne(one, other, sizeof one);
}
END_TEST

/* ---- plans ---- */

/* Digests at steps 10, 20, …, with checkpoints at some. */
static dt_claims claims_of(dt_claim *all, int count, dt_kept_checkpoint *kept, const int64_t *at, int kept_count) {
    for (int i = 0; i < count; i++) all[i] = (dt_claim){.step = 10 * i, .linked = i > 0, .kept = -1};
    for (int k = 0; k < kept_count; k++) {
        memset(&kept[k], 0, sizeof kept[k]);
        kept[k].step = at[k];
        kept[k].usable = true;
        snprintf(kept[k].path, sizeof kept[k].path, "of-%lld", (long long)at[k]);
        all[at[k] / 10].kept = k;
    }
    return (dt_claims){
        .run = "run", .kept = kept, .kept_count = kept_count, .usable = kept_count, .all = all, .count = count};
}

START_TEST(segments_begin_at_the_nearest_checkpoint) {
    dt_claim all[11];
    dt_kept_checkpoint kept[3];
    const int64_t at[] = {30, 60, 100};
    dt_claims claims = claims_of(all, 11, kept, at, 3);
    dt_audit_options options = {.share = 1, .most = 1, .to = -1};
    dt_audit_plan plan;
    ck_assert_int_eq(dt_audit_plan_make(&plan, &claims, &options).code, DT_OK);
    ck_assert_int_eq(plan.intervals, 10);
    ck_assert_int_eq(plan.count, 3);
    ck_assert_int_eq(plan.again, 100);
    ck_assert_str_eq(plan.segments[0].path, "");
    ck_assert_int_eq(plan.segments[0].end, 30);
    ck_assert_str_eq(plan.segments[1].path, "of-30");
    ck_assert_str_eq(plan.segments[2].path, "of-60");
    ck_assert_int_eq(plan.segments[2].last, 10);
    dt_audit_plan_close(&plan);
    kept[1].usable = false; /* of another recipe */
    options.from = 50, options.to = 90;
    ck_assert_int_eq(dt_audit_plan_make(&plan, &claims, &options).code, DT_OK);
    ck_assert_int_eq(plan.intervals, 4);
    ck_assert_int_eq(plan.count, 1);
    ck_assert_str_eq(plan.segments[0].path, "of-30");
    ck_assert_int_eq(plan.again, 60);
    ck_assert_int_eq(plan.steps, 40);
    dt_audit_plan_close(&plan);
}
END_TEST

/* Of a site whose others are elsewhere: from a claim that is lost nothing goes on, but the interval before it can be
 * drawn, unless there is nothing to compare with. */
START_TEST(behind_a_sum_that_is_lost_segments_begin_at_a_checkpoint) {
    enum { COUNT = 8 };
    dt_claim all[COUNT];
    dt_kept_checkpoint kept[1];
    const int64_t at[] = {50};
    dt_claims claims = claims_of(all, COUNT, kept, at, 1);
    const dt_audit_options options = {.share = 1, .to = -1, .most = 1};
    dt_audit_plan plan;
    for (int i = 3; i <= 6; i++) all[i].lost = true;
    all[6].unseen = true;
    ck_assert_int_eq(dt_audit_plan_make(&plan, &claims, &options).code, DT_OK);
    ck_assert_int_eq(plan.intervals, 3); /* 0 to 10, to 20, to 30; nothing leads to 40, and 60 shows nothing */
    ck_assert_int_eq(plan.count, 1);
    ck_assert(plan.segments[0].begin == 0 && plan.segments[0].end == 30);
    dt_audit_plan_close(&plan);
    all[6].unseen = false;
    ck_assert_int_eq(dt_audit_plan_make(&plan, &claims, &options).code, DT_OK);
    ck_assert_int_eq(plan.count, 2);
    ck_assert(plan.segments[1].begin == 50 && plan.segments[1].end == 60 && plan.intervals == 4);
    dt_audit_plan_close(&plan);
}
END_TEST

START_TEST(what_costs_more_than_allowed_is_refused_with_what_is_cheaper) {
    enum { COUNT = 1001 };
    dt_claim *all = calloc(COUNT, sizeof *all);
    dt_kept_checkpoint kept[2];
    const int64_t at[] = {9000, 10000};
    dt_claims claims = claims_of(all, COUNT, kept, at, 2);
    dt_audit_options options = {.share = 0.01, .to = -1, .seed = 3};
    dt_audit_plan plan;
    dt_status status = dt_audit_plan_make(&plan, &claims, &options);
    ck_assert_int_eq(status.code, DT_ERR_USAGE);
    ck_assert_ptr_nonnull(strstr(status.message, "no checkpoint between steps 0 and 9000"));
    ck_assert_ptr_nonnull(strstr(status.message, "--from 9000"));
    dt_audit_plan_close(&plan);
    options.from = 9000;
    ck_assert_int_eq(dt_audit_plan_make(&plan, &claims, &options).code, DT_OK);
    ck_assert_int_eq(plan.count, 1);
    dt_audit_plan_close(&plan);
    options.from = 10000;
    ck_assert_int_eq(dt_audit_plan_make(&plan, &claims, &options).code, DT_ERR_USAGE);
    dt_audit_plan_close(&plan);
    free(all);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("audit");
    TCase *tests = tcase_create("audit");
    tcase_add_test(tests, chance_is_that_of_all_ways_steps_can_be_wrong);
    tcase_add_test(tests, every_interval_is_drawn_as_often);
    tcase_add_test(tests, a_draw_follows_from_its_seed);
    tcase_add_test(tests, segments_begin_at_the_nearest_checkpoint);
    tcase_add_test(tests, behind_a_sum_that_is_lost_segments_begin_at_a_checkpoint);
    tcase_add_test(tests, what_costs_more_than_allowed_is_refused_with_what_is_cheaper);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
