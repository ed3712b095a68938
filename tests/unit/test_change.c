/* A site's change as words, and the outer rules, by values worked out by hand: what they say in change.h and outer.h.
 */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "folder.h"
#include "site/change.h"
#include "site/outer.h"

enum { WIDE = 1500, SITES = 3 };

static dt_table table;
static dt_recipe_sites sites;
static dt_change_plan plan;

static void add(const char *name, int64_t count, unsigned flags) {
    const dt_shape shape = {1, {count}};
    assert_ok(dt_table_add(&table, name, &shape, flags));
}

static void begin(void) {
    memset(&table, 0, sizeof table);
    memset(&sites, 0, sizeof sites);
    memset(&plan, 0, sizeof plan);
    add("dense1/w", WIDE, 0);
    add("dense1/b", 4, 0);
    add("norm/mean", 2, DT_TENSOR_STATISTIC);
    sites.weights = DT_SITE_WEIGHTS_EQUAL;
}

static void make(void) {
    assert_ok(dt_change_plan_make(&plan, &table, &sites, SITES));
}

static void end(void) {
    dt_change_plan_finish(&plan);
    dt_table_finish(&table);
}

/* ---- which words there are ---- */

START_TEST(words_of_few_bits_have_an_exponent_for_every_1024) {
    make();
    ck_assert_int_eq(plan.unit_count, 3);
    ck_assert_uint_eq(plan.count, WIDE + 6);
    dt_change_plan_finish(&plan);
    sites.wire = DT_SITE_WIRE_I8;
    make();
    ck_assert_int_eq(plan.unit_count, 4);
    ck_assert_uint_eq(plan.units[0].count, 1024);
    ck_assert_uint_eq(plan.units[1].count, WIDE - 1024);
    ck_assert_uint_eq(plan.units[1].offset, 1024);
    ck_assert_uint_eq(plan.units[2].offset, table.tensors[1].offset); /* of a tensor of its own */
    ck_assert_uint_eq(plan.units[2].word, WIDE);
    ck_assert(plan.units[3].statistic && !plan.units[2].statistic);
    ck_assert_int_eq(dt_change_bits(&plan, 0), 32); /* nothing is known of the first change */
    ck_assert_int_eq(dt_change_bits(&plan, 1), 8);
}
END_TEST

START_TEST(local_tensors_have_no_words_and_statistics_no_control) {
    snprintf(sites.local, sizeof sites.local, "[\"*/b\"]");
    sites.control = true;
    make();
    ck_assert_uint_eq(plan.local, 4);
    ck_assert_uint_eq(plan.weights, WIDE + 2);
    ck_assert_uint_eq(plan.count, 2 * WIDE + 2);
    ck_assert(plan.units[2].control && plan.units[2].word == WIDE + 2 && plan.units[2].offset == 0);
    dt_change_plan_finish(&plan);
    snprintf(sites.local, sizeof sites.local, "convolution*");
    assert_fails(dt_change_plan_make(&plan, &table, &sites, SITES), DT_ERR_INPUT, "no tensor of the model fits",
                 "convolution*");
    dt_change_plan_finish(&plan);
    snprintf(sites.local, sizeof sites.local, "*");
    assert_fails(dt_change_plan_make(&plan, &table, &sites, SITES), DT_ERR_INPUT, "leaves nothing", "in common");
}
END_TEST

/* ---- exponents ---- */

/* floor((2^31 - 1)/3) = 715827882 is the largest word; over 2 it is between 2^28 and 2^29, over 64 between 2^23 and
 * 2^24. */
START_TEST(the_first_exponents_follow_from_bounds_alone) {
    int32_t exponents[8];
    sites.control = true;
    make();
    dt_change_exponents_begin(&plan, exponents);
    ck_assert_int_eq(exponents[0], 28);
    ck_assert_int_eq(exponents[3], 23); /* of a control variate */
    dt_change_plan_finish(&plan);
    sites.weights = DT_SITE_WEIGHTS_SAMPLES; /* a weight may be 2^17 */
    make();
    dt_change_exponents_begin(&plan, exponents);
    ck_assert_int_eq(exponents[0], 28 - 17);
    ck_assert_int_eq(exponents[3], 23);
}
END_TEST

/* The next exponent, from 5, after a sum whose largest word is this. */
static int next_exponent(int64_t round, int32_t largest, int count) {
    static uint32_t sum[4 * WIDE];
    int32_t exponents[8] = {5, 5, 5, 5, 5, 5, 5, 5};
    memset(sum, 0, sizeof sum);
    sum[7] = (uint32_t)(largest / 2);
    sum[1] = (uint32_t)-largest;
    dt_change_exponents_next(&plan, round, sum, count, 0, plan.unit_count, exponents);
    ck_assert_int_eq(exponents[1], 5); /* of a unit that was zero it stays */
    return exponents[0];
}

START_TEST(the_next_exponents_follow_from_the_sum) {
    make();
    /* 715827882/2^6 · sqrt(3)/1000 = 19372.7: 2^14 is below */
    ck_assert_int_eq(next_exponent(4, 1000, 3), 5 + 14);
    /* ·sqrt(3)/1e9 = 0.01937: 2^-6; half of what three can come to is passed only at 1.07e9 */
    ck_assert_int_eq(next_exponent(4, 1000000000, 3), 5 - 6);
    ck_assert_int_eq(next_exponent(4, 1100000000, 3), 5 - 6 - 4);
    dt_change_plan_finish(&plan);
    sites.wire = DT_SITE_WIRE_I8;
    make();
    /* 127/2 · sqrt(3)/100 = 1.0999: 2^0; after the first round, whose words have 32 bits, the same by 127 */
    ck_assert_int_eq(next_exponent(4, 100, 3), 5);
    ck_assert_int_eq(next_exponent(4, 200, 3), 5 - 1 - 4);
    ck_assert_int_eq(next_exponent(0, 200, 3), 5 - 1);
}
END_TEST

/* ---- one site's words ---- */

static dt_real now[4 * WIDE], before[4 * WIDE], common_control[4 * WIDE], own_control[4 * WIDE];
static float kept[4 * WIDE], lost[4 * WIDE];
static uint32_t words[4 * WIDE];
static int32_t exponents[8];

static bool encode(int64_t round, uint64_t weight, int exponent) {
    for (int i = 0; i < 8; i++) exponents[i] = exponent;
    const dt_change_from from = {.now = now,
                                 .before = before,
                                 .control = common_control,
                                 .own = own_control,
                                 .rates = 0.5,
                                 .weight = weight,
                                 .kept = kept,
                                 .lost = lost};
    return dt_change_encode(&plan, round, exponents, &from, 0, plan.unit_count, words);
}

static void clear(void) {
    memset(now, 0, sizeof now);
    memset(before, 0, sizeof before);
    memset(kept, 0, sizeof kept);
    memset(lost, 0, sizeof lost);
}

START_TEST(a_word_is_the_change_times_weight_and_power_rounded_to_even) {
    clear();
    make();
    before[0] = 1.0F, now[0] = 1.25F; /* 0.25 · 10 · 2^3 = 20 */
    now[1] = 0x1p-5F;                 /* 2.5, to 2 */
    now[2] = -3 * 0x1p-5F;            /* -7.5, to -8 */
    kept[3] = 0x1p-4F;                /* of rounds before: 5 */
    ck_assert(encode(1, 10, 3));
    const int32_t expected[] = {20, 2, -8, 5, 0};
    for (int i = 0; i < 5; i++) ck_assert_int_eq((int32_t)words[i], expected[i]);
    ck_assert(lost[0] == 0 && lost[1] == (float)(0x1p-5 - 2 / 80.0) && lost[3] == 0);
    ck_assert(dt_change_scale(3, 30) == 240); /* so that the mean of three such sites is (3 · 20)/240 = 0.25 */
}
END_TEST

START_TEST(words_are_clipped_so_that_no_sum_wraps) {
    clear();
    make();
    now[0] = 1e30F, now[1] = -1e30F;
    ck_assert(encode(1, 1, 20));
    ck_assert_int_eq((int32_t)words[0], 715827882);
    ck_assert_int_eq((int32_t)words[1], -715827882);
    ck_assert_int_le((int64_t)SITES * 715827882, INT32_MAX);
    dt_change_plan_finish(&plan);
    sites.wire = DT_SITE_WIRE_I4;
    make();
    ck_assert(encode(1, 1, 20));
    ck_assert_int_eq((int32_t)words[0], 7);
    ck_assert_int_eq((int32_t)words[1], -7);
}
END_TEST

START_TEST(a_change_that_is_no_number_is_told_and_travels_nowhere) {
    for (int i = 0; i < 3; i++) {
        clear();
        make();
        kept[5] = 0.5F;
        now[5] = (dt_real[]){NAN, INFINITY, -INFINITY}[i];
        ck_assert(!encode(1, 1, 3));
        ck_assert_uint_eq(words[5], 0);
        ck_assert(lost[5] == 0.5F);
        dt_change_plan_finish(&plan);
    }
    make();
}
END_TEST

/* Changes of 20 rounds, some far beyond the range of words, some far below one: what was sent and what is still kept is
 * what was learned, to the last bit, for all of it is multiples of 2^-12. */
START_TEST(with_error_feedback_nothing_is_lost) {
    enum { ROUNDS = 20 };
    static double learned[WIDE + 6], sent[WIDE + 6];
    int clipped = 0, rounded = 0;
    clear();
    sites.wire = DT_SITE_WIRE_I4;
    make();
    memset(learned, 0, sizeof learned);
    memset(sent, 0, sizeof sent);
    for (int64_t round = 1; round <= ROUNDS; round++) {
        for (int64_t u = 0; u < plan.unit_count; u++)
            for (size_t i = 0; i < plan.units[u].count; i++) {
                double normal[4];
                const size_t at = plan.units[u].offset + i, word = plan.units[u].word + i;
                dt_stream_normal4(normal, dt_stream_at(7, DT_RANDOM_TEST, (uint64_t)round, 0), at, 0);
                now[at] = (dt_real)(rint(normal[0] * 4096 * (at % 7 == 0 ? 3 : 0.1)) / 4096);
                learned[word] += (double)now[at];
            }
        ck_assert(encode(round, 1, 2));
        for (size_t i = 0; i < plan.count; i++) {
            const int32_t word = (int32_t)words[i];
            ck_assert_int_le(word, 7);
            ck_assert_int_ge(word, -7);
            sent[i] += word / 4.0;
            clipped += word == 7 || word == -7;
            rounded += word == 0 && lost[i] != 0;
            ck_assert(sent[i] + (double)lost[i] == learned[i]);
        }
        memcpy(kept, lost, sizeof kept);
    }
    ck_assert_int_gt(clipped, 100);
    ck_assert_int_gt(rounded, 100);
}
END_TEST

/* Option II: c_i+ = c_i - c + (x - y)/(Σ rates), and the change is c_i+ - c_i. */
START_TEST(control_variates_change_by_scaffolds_second_option) {
    static dt_real after[4 * WIDE];
    clear();
    sites.control = true;
    make();
    before[3] = 1.0F, now[3] = 0.75F; /* (1 - 0.75)/0.5 = 0.5 */
    common_control[3] = 0.125F, own_control[3] = 2.0F;
    ck_assert(encode(0, 1000, 3));
    ck_assert_int_eq((int32_t)words[plan.weights + 3], 3); /* (0.5 - 0.125) · 2^3, not times the weight */
    const dt_change_from from = {
        .now = now, .before = before, .control = common_control, .own = own_control, .rates = 0.5};
    dt_change_own_control(&plan, &from, 0, plan.unit_count, after);
    ck_assert(after[3] == 2.375F);
    ck_assert(after[4] == 0.0F);
}
END_TEST

/* ---- the outer rule ---- */

static dt_real weights[4 * WIDE], first[4 * WIDE], second[4 * WIDE];
static dt_outer outer;
static dt_recipe_outer rule;

static void begin_rule(dt_recipe_outer config) {
    memset(weights, 0, sizeof weights);
    memset(first, 0, sizeof first);
    memset(second, 0, sizeof second);
    rule = config;
    dt_outer_plan(&outer, &rule);
    outer.slots[0] = first;
    outer.slots[1] = second;
}

/* Applies a mean change of `d`, of two of three sites with weights of 6 in all, to all elements. */
static void apply(double d, dt_real *control) {
    for (size_t i = 0; i < plan.count; i++) words[i] = (uint32_t)(int32_t)(d * 6 * 8);
    for (size_t i = plan.weights; i < plan.count; i++) words[i] = (uint32_t)(int32_t)(d * 2 * 8);
    for (int i = 0; i < 8; i++) exponents[i] = 3;
    const dt_round_sum sum = {.words = words, .exponents = exponents, .weight = 6, .sites = 2, .all = 3};
    dt_outer_apply(&outer, &plan, &sum, 0, plan.unit_count, weights, control);
}

static void assert_weight(double expected) {
    ck_assert_double_eq_tol((double)weights[0], expected, 1e-6);
    ck_assert_double_eq_tol((double)weights[WIDE - 1], expected, 1e-6);
}

START_TEST(fedavg_adds_the_mean_change) {
    make();
    begin_rule((dt_recipe_outer){.kind = DT_OUTER_SGD, .lr = 1});
    ck_assert_int_eq(outer.slot_count, 0);
    apply(1.5, NULL);
    apply(-0.25, NULL);
    assert_weight(1.25);
    ck_assert(weights[WIDE] == 0); /* padding is no weight */
}
END_TEST

START_TEST(fedavgm_adds_a_sum_that_fades) {
    make();
    begin_rule((dt_recipe_outer){.kind = DT_OUTER_SGD, .lr = 0.1, .momentum = 0.5});
    apply(1, NULL); /* m = 1 */
    assert_weight(0.1);
    apply(1, NULL); /* m = 1.5 */
    assert_weight(0.25);
    apply(-2, NULL); /* m = -1.25 */
    assert_weight(0.125);
}
END_TEST

START_TEST(nesterov_looks_ahead) {
    make();
    begin_rule((dt_recipe_outer){.kind = DT_OUTER_NESTEROV, .lr = 0.1, .momentum = 0.5});
    apply(1, NULL); /* m = 1, 0.1 (1 + 0.5) */
    assert_weight(0.15);
    apply(1, NULL); /* m = 1.5, 0.1 (1 + 0.75) */
    assert_weight(0.325);
    apply(-2, NULL); /* m = -1.25, 0.1 (-2 - 0.625) */
    assert_weight(0.0625);
}
END_TEST

START_TEST(fedadam_divides_by_the_root_of_squares_without_correction) {
    make();
    begin_rule((dt_recipe_outer){.kind = DT_OUTER_ADAM, .lr = 0.1, .beta1 = 0.9, .beta2 = 0.99, .eps = 0.1});
    ck_assert_int_eq(outer.slot_count, 2);
    apply(2, NULL); /* m = 0.2, v = 0.04: 0.1 · 0.2/(0.2 + 0.1) */
    assert_weight(0.0666667);
    apply(2, NULL); /* m = 0.38, v = 0.0796: 0.1 · 0.38/(0.282135 + 0.1) */
    assert_weight(0.1661080);
}
END_TEST

START_TEST(statistics_move_by_the_mean_alone_and_control_by_the_share_that_took_part) {
    static dt_real control[4 * WIDE];
    memset(control, 0, sizeof control);
    sites.control = true;
    make();
    begin_rule((dt_recipe_outer){.kind = DT_OUTER_NESTEROV, .lr = 0.1, .momentum = 0.5});
    apply(1.5, control);
    ck_assert(weights[table.tensors[2].offset] == 1.5F);
    ck_assert_double_eq_tol((double)weights[0], 0.225, 1e-6);
    ck_assert_double_eq_tol((double)control[0], 2.0 / 3 * 1.5, 1e-6);
    ck_assert(control[table.tensors[2].offset] == 0);
}
END_TEST

START_TEST(the_norm_is_that_of_the_mean_change_of_weights) {
    sites.control = true;
    make();
    begin_rule((dt_recipe_outer){.kind = DT_OUTER_SGD, .lr = 1});
    memset(words, 0, sizeof words);
    for (int i = 0; i < 8; i++) exponents[i] = 3;
    words[0] = 3 * 48, words[1] = (uint32_t) - (4 * 48); /* 3 and -4 */
    words[WIDE + 4] = 480;                               /* a statistic */
    words[plan.weights] = 480;                           /* a control variate */
    const dt_round_sum sum = {.words = words, .exponents = exponents, .weight = 6, .sites = 2, .all = 3};
    ck_assert_double_eq_tol(dt_outer_norm(&plan, &sum), 5, 1e-12);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("change");
    TCase *tests = tcase_create("change");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, words_of_few_bits_have_an_exponent_for_every_1024);
    tcase_add_test(tests, local_tensors_have_no_words_and_statistics_no_control);
    tcase_add_test(tests, the_first_exponents_follow_from_bounds_alone);
    tcase_add_test(tests, the_next_exponents_follow_from_the_sum);
    tcase_add_test(tests, a_word_is_the_change_times_weight_and_power_rounded_to_even);
    tcase_add_test(tests, words_are_clipped_so_that_no_sum_wraps);
    tcase_add_test(tests, a_change_that_is_no_number_is_told_and_travels_nowhere);
    tcase_add_test(tests, with_error_feedback_nothing_is_lost);
    tcase_add_test(tests, control_variates_change_by_scaffolds_second_option);
    tcase_add_test(tests, fedavg_adds_the_mean_change);
    tcase_add_test(tests, fedavgm_adds_a_sum_that_fades);
    tcase_add_test(tests, nesterov_looks_ahead);
    tcase_add_test(tests, fedadam_divides_by_the_root_of_squares_without_correction);
    tcase_add_test(tests, statistics_move_by_the_mean_alone_and_control_by_the_share_that_took_part);
    tcase_add_test(tests, the_norm_is_that_of_the_mean_change_of_weights);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
