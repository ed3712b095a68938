/* Exact sums: what is added comes out to the last bit, whatever came between, in any order, split in any way, and the
 * mean is the nearest double. Expectations are arithmetic of powers of two, or the definition of rounding itself. */
#include <float.h>
#include <math.h>

#include "base/sum.h"
#include "suite.h"

static uint64_t mixed(uint64_t seed, uint64_t i) { /* splitmix64, Steele et al. 2014 */
    uint64_t x = (seed << 32 ^ i) + 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

/* A float32 of any size, by its bits. */
static double any_float(uint64_t seed, uint64_t i) {
    for (uint64_t again = 0;; again++) {
        uint32_t bits = (uint32_t)(mixed(seed, 977 * i + again) >> 7);
        float value;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value)) return (double)value;
    }
}

static double value_of(const dt_sum *sum) {
    return dt_sum_mean(sum, 1);
}

static void expect_same(const dt_sum *a, const dt_sum *b) {
    for (int i = 0; i < DT_SUM_LIMBS; i++) ck_assert_int_eq(a->limb[i], b->limb[i]);
}

START_TEST(one_number_comes_out_as_it_went_in) {
    for (uint64_t i = 0; i < 20000; i++) {
        double x = any_float(1, i);
        dt_sum sum = {{0}};
        dt_sum_add(&sum, x);
        ck_assert_double_eq(value_of(&sum), x);
        dt_sum twice = sum;
        dt_sum_merge(&twice, &sum, 1);
        ck_assert_double_eq(value_of(&twice), 2 * x);
        ck_assert_double_eq(dt_sum_mean(&twice, 2), x);
    }
    static const double others[] = {
        0x1.fffffffffffffp283, -0x1.fffffffffffffp283, 0x1.8000000000001p-100, 1e76, 0, -0.0};
    for (int i = 0; i < COUNT(others); i++) {
        dt_sum sum = {{0}};
        dt_sum_add(&sum, others[i]);
        ck_assert_double_eq(value_of(&sum), others[i]);
    }
}
END_TEST

START_TEST(what_is_taken_away_again_leaves_nothing) {
    dt_sum sum = {{0}};
    dt_sum_add(&sum, 0x1p-149);
    for (uint64_t i = 0; i < 100000; i++) dt_sum_add(&sum, any_float(2, i));
    for (uint64_t i = 100000; i > 0; i--) dt_sum_add(&sum, -any_float(2, i - 1));
    ck_assert_double_eq(value_of(&sum), 0x1p-149);
}
END_TEST

START_TEST(order_and_split_change_no_bit) {
    enum { COUNT_OF = 5000, PARTS = 7 };
    dt_sum forward = {{0}}, backward = {{0}}, together = {{0}}, words = {{0}}, parts[PARTS];
    memset(parts, 0, sizeof parts);
    for (uint64_t i = 0; i < COUNT_OF; i++) {
        dt_sum_add(&forward, any_float(3, i));
        dt_sum_add(&backward, any_float(3, COUNT_OF - 1 - i));
        dt_sum_add(&parts[mixed(4, i) % PARTS], any_float(3, i));
        if (i % 100 == 0) dt_sum_carry(&backward);
    }
    for (int p = 0; p < PARTS; p++) {
        dt_sum_merge(&together, &parts[p], 1);
        dt_sum_carry(&parts[p]);
        for (int i = 0; i < DT_SUM_LIMBS; i++) words.limb[i] += parts[p].limb[i]; /* as MPI adds them */
    }
    dt_sum_carry(&forward);
    dt_sum_carry(&backward);
    dt_sum_carry(&words);
    ck_assert(dt_sum_sound(&forward));
    expect_same(&forward, &backward);
    expect_same(&forward, &together);
    expect_same(&forward, &words);
    for (int p = 0; p < PARTS; p++) dt_sum_merge(&together, &parts[p], -1);
    expect_same(&together, &(dt_sum){{0}});
}
END_TEST

START_TEST(no_limb_overflows_between_two_carries) {
    dt_sum sum = {{0}};
    const double largest = (double)FLT_MAX * (double)FLT_MAX / 2;
    for (int i = 0; i < DT_SUM_ADDS; i++) dt_sum_add(&sum, largest);
    for (int i = 0; i < DT_SUM_LIMBS; i++) ck_assert(llabs(sum.limb[i]) < (int64_t)1 << 54);
    for (int times = 0; times < 12; times++) dt_sum_merge(&sum, &sum, 1); /* 2^32 of them */
    ck_assert(dt_sum_sound(&sum));
    ck_assert_double_eq(value_of(&sum), ldexp(largest, 32));
    ck_assert_double_eq(dt_sum_mean(&sum, (int64_t)1 << 32), largest);
}
END_TEST

/* The mean m of a sum s over n is the nearest double when |s - n m| <= n ulp(m)/2; both sides are made exactly. */
START_TEST(a_mean_is_the_nearest_double) {
    for (uint64_t trial = 0; trial < 3000; trial++) {
        int64_t n = 1 + (int64_t)(mixed(5, trial) % 60);
        dt_sum sum = {{0}};
        for (uint64_t i = 0; i < 4; i++) dt_sum_add(&sum, ldexp(any_float(6, 4 * trial + i), (int)(trial % 9) - 4));
        double mean = dt_sum_mean(&sum, n), half_ulp = (nextafter(fabs(mean), INFINITY) - fabs(mean)) / 2;
        if (fabs(mean) < 0x1p-80) continue; /* n*mean is to be exact in the sum */
        dt_sum rest = sum, bound = {{0}};
        for (int64_t i = 0; i < n; i++) {
            dt_sum_add(&rest, -mean);
            dt_sum_add(&bound, half_ulp);
        }
        dt_sum below = bound, above = bound; /* bound - rest and bound + rest */
        dt_sum_merge(&below, &rest, -1);
        dt_sum_merge(&above, &rest, 1);
        ck_assert_double_ge(value_of(&below), 0);
        ck_assert_double_ge(value_of(&above), 0);
    }
}
END_TEST

START_TEST(ties_go_to_the_even_and_a_trace_beyond_decides) {
    static const struct {
        double parts[3];
        int64_t count;
        double mean;
    } rows[] = {
        {{0x1p53, 1}, 1, 0x1p53},
        {{0x1p53, 3}, 1, 0x1p53 + 4},
        {{0x1p53, 1, 0x1p-149}, 1, 0x1p53 + 2},
        {{0x1p53, 1, -0x1p-149}, 1, 0x1p53},
        {{-0x1p53, -1, -0x1p-149}, 1, -0x1p53 - 2},
        {{0x1p54, 2, 0}, 2, 0x1p53},
        {{1, 0, 0}, 3, 1.0 / 3},
        {{0x1p-149, 0, 0}, INT64_MAX, 0x1p-212},
        {{0x1p280, 0, 0}, INT64_MAX, 0x1p217},
    };
    for (int i = 0; i < COUNT(rows); i++) {
        dt_sum sum = {{0}};
        for (int j = 0; j < 3; j++) dt_sum_add(&sum, rows[i].parts[j]);
        ck_assert_double_eq(dt_sum_mean(&sum, rows[i].count), rows[i].mean);
    }
    ck_assert_double_eq(dt_sum_mean(&(dt_sum){{0}}, 5), 0);
    ck_assert_double_eq(dt_sum_mean(&(dt_sum){{1}}, 0), 0);
}
END_TEST

START_TEST(words_that_no_sum_has_are_told) {
    ck_assert(dt_sum_sound(&(dt_sum){{0}}));
    ck_assert(!dt_sum_sound(&(dt_sum){{0, -1}}));
    ck_assert(!dt_sum_sound(&(dt_sum){{0, 0, (int64_t)1 << 32}}));
    dt_sum sum = {{0}};
    dt_sum_add(&sum, -1);
    dt_sum_carry(&sum);
    ck_assert(dt_sum_sound(&sum));
    sum.limb[DT_SUM_LIMBS - 1] = INT64_MIN;
    ck_assert(!dt_sum_sound(&sum));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("sum");
    TCase *tests = tcase_create("sum");
    tcase_add_test(tests, one_number_comes_out_as_it_went_in);
    tcase_add_test(tests, what_is_taken_away_again_leaves_nothing);
    tcase_add_test(tests, order_and_split_change_no_bit);
    tcase_add_test(tests, no_limb_overflows_between_two_carries);
    tcase_add_test(tests, a_mean_is_the_nearest_double);
    tcase_add_test(tests, ties_go_to_the_even_and_a_trace_beyond_decides);
    tcase_add_test(tests, words_that_no_sum_has_are_told);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
