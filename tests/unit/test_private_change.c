/* A site's change where the site is what privacy hides: no change counts for more than the clip, whatever it is, and
 * shares of noise add up to what one draw would be. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "site/noise.h"
#include "site/private_change.h"
#include "suite.h"

enum { COUNT_A = 700, COUNT_B = 300, ALL = COUNT_A + COUNT_B };

static dt_change_unit units[] = {{.offset = 0, .word = 0, .count = COUNT_A},
                                 {.offset = 1024, .word = COUNT_A, .count = COUNT_B}};
static const dt_change_plan plan = {.units = units, .unit_count = 2, .count = ALL, .weights = ALL};
static dt_real before[2048], now[2048];
static uint32_t words[ALL];

/* Element i of the change, across both units. */
static dt_real *element(int i) {
    return &now[i < COUNT_A ? i : 1024 + i - COUNT_A];
}

/* In ±1 (SplitMix64). */
static double uniform(uint64_t key, int i) {
    uint64_t z = (key * 1000003 + (uint64_t)i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return ldexp((double)((z ^ (z >> 31)) >> 11), -52) - 1;
}

static double encode(double clip, int exponent) {
    const dt_change_from from = {.now = now, .before = before};
    double factor = dt_change_factor(&plan, &from, clip);
    memset(words, 0x55, sizeof words);
    dt_change_encode_private(&plan, &from, factor, exponent, 0, 1, words);
    dt_change_encode_private(&plan, &from, factor, exponent, 1, 2, words);
    return factor;
}

static bool is_within(double norm) {
    long double squares = 0;
    for (int i = 0; i < ALL; i++) squares += (long double)(int32_t)words[i] * (int32_t)words[i];
    return squares <= (long double)norm * norm;
}

static void fill_case(int kind) {
    memset(now, 0, sizeof now);
    for (int i = 0; i < ALL; i++) {
        switch (kind) {
        case 0: *element(i) = (dt_real)uniform(3, i); break;
        case 1: *element(i) = 1e38F * (i % 2 ? 1 : -1); break;
        case 2: *element(i) = i == 777 ? 3e38F : 0; break;
        case 3: *element(i) = 1e-38F; break;
        case 4: *element(i) = (dt_real)(0.5 / sqrt(ALL)); break; /* on the edge */
        case 5: *element(i) = (dt_real)ldexp(1.5, -20); break;   /* all are rounded up */
        default: *element(i) = (dt_real)(uniform(4, i) * pow(10, i % 60 - 30)); break;
        }
    }
}

START_TEST(no_change_counts_for_more_than_the_clip) {
    const double clip = 0.5;
    for (int exponent = 8; exponent <= 29; exponent += 3)
        for (int kind = 0; kind < 7; kind++) {
            fill_case(kind);
            encode(clip, exponent);
            ck_assert_msg(is_within(ldexp(clip, exponent) + dt_change_rounding(ALL)), "case %d, exponent %d", kind,
                          exponent);
        }
}
END_TEST

START_TEST(a_change_that_is_no_number_counts_for_nothing) {
    const dt_real bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < COUNT(bad); i++) {
        fill_case(0);
        *element(900) = bad[i];
        ck_assert_double_eq(encode(0.5, 20), 0);
        for (int j = 0; j < ALL; j++) ck_assert_uint_eq(words[j], 0);
    }
}
END_TEST

START_TEST(a_small_change_is_rounded_and_nothing_else) {
    fill_case(0);
    for (int i = 0; i < ALL; i++) *element(i) *= 1e-3F;
    ck_assert_double_eq(encode(1, 24), 1);
    for (int i = 0; i < ALL; i++) ck_assert_int_eq((int32_t)words[i], (int32_t)rint(ldexp((double)*element(i), 24)));
    fill_case(0); /* and a large one becomes shorter, not another */
    double factor = encode(1, 24);
    ck_assert_double_gt(factor, 0);
    ck_assert_double_lt(factor, 0.1);
    for (int i = 0; i < ALL; i++)
        ck_assert_int_eq((int32_t)words[i], (int32_t)rint((double)*element(i) * ldexp(factor, 24)));
}
END_TEST

/* ---- shares of noise ---- */

#define WIDE 200

/* The chances of a Gaussian of deviation s, rounded: p[WIDE + i] of i. */
static void rounded_gaussian(double s, double *p) {
    for (int i = -WIDE; i <= WIDE; i++)
        p[WIDE + i] = (erfc((i - 0.5) / (s * M_SQRT2)) - erfc((i + 0.5) / (s * M_SQRT2))) / 2;
}

/* Of a Gaussian of deviation s with one uniform number in ±1/2 added, rounded: by Simpson's rule. */
static double blurred(double s, int i) {
    const int steps = 400;
    double sum = 0;
    for (int j = 0; j <= steps; j++) {
        double u = (double)j / steps - 0.5, weight = j == 0 || j == steps ? 1 : j % 2 ? 4 : 2;
        sum += weight * (erfc((i - u - 0.5) / (s * M_SQRT2)) - erfc((i - u + 0.5) / (s * M_SQRT2))) / 2;
    }
    return sum / (3 * steps);
}

START_TEST(two_shares_are_one_gaussian_with_a_uniform_number_added_and_rounded) {
    static double p[2 * WIDE + 1];
    const double s = 3;
    rounded_gaussian(s, p);
    for (int i = 0; i <= 40; i++) {
        double sum = 0;
        for (int j = i - WIDE; j <= WIDE; j++) sum += p[WIDE + j] * p[WIDE + i - j];
        double whole = blurred(s * M_SQRT2, i);
        ck_assert_msg(fabs(sum - whole) < 1e-13, "%d: %.17g, not %.17g", i, sum, whole);
    }
    double apart = 0; /* and with next to no noise they are not: the bound counts */
    rounded_gaussian(0.3, p);
    for (int i = 0; i <= 4; i++) {
        double sum = 0;
        for (int j = i - WIDE; j <= WIDE; j++) sum += p[WIDE + j] * p[WIDE + i - j];
        apart = fmax(apart, fabs(sum - blurred(0.3 * M_SQRT2, i)));
    }
    ck_assert_double_gt(apart, 1e-3);
}
END_TEST

START_TEST(shares_of_sites_add_up_to_the_whole_variance) {
    enum { DRAWS = 20000, SITES = 5, HONEST = 3 };
    static int32_t sum[DRAWS];
    const double whole = 1000, share = whole / sqrt(HONEST);
    memset(sum, 0, sizeof sum);
    for (int site = 0; site < SITES; site++) {
        dt_noise *noise;
        char about[] = {'s', (char)('0' + site)};
        assert_ok(dt_noise_open(&noise));
        dt_noise_take_seed(noise, 7);
        dt_noise_begin(noise, 4, about, sizeof about, "weights", 7);
        dt_noise_add(noise, share, sum, 0, DRAWS);
        dt_noise_close(noise);
    }
    double chi = 0;
    for (int i = 0; i < DRAWS; i++) chi += pow(sum[i] / whole, 2);
    const double wanted = (double)SITES / HONEST * DRAWS;
    ck_assert_msg(fabs(chi - wanted) < 4 * sqrt(2.0 / DRAWS) * wanted, "%g, not %g", chi, wanted);
}
END_TEST

START_TEST(shares_count_that_colluding_sites_do_not_know) {
    ck_assert_int_eq(dt_shares_unknown(10, 6), 5);
    ck_assert_int_eq(dt_shares_unknown(3, 2), 2);
    ck_assert_int_eq(dt_shares_unknown(6, 6), 1);
    ck_assert_int_eq(dt_shares_unknown(3, 5), 1);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("private_change");
    TCase *tests = tcase_create("private_change");
    tcase_add_test(tests, no_change_counts_for_more_than_the_clip);
    tcase_add_test(tests, a_change_that_is_no_number_counts_for_nothing);
    tcase_add_test(tests, a_small_change_is_rounded_and_nothing_else);
    tcase_add_test(tests, two_shares_are_one_gaussian_with_a_uniform_number_added_and_rounded);
    tcase_add_test(tests, shares_of_sites_add_up_to_the_whole_variance);
    tcase_add_test(tests, shares_count_that_colluding_sites_do_not_know);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
