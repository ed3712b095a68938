/* Noise and sampling of private steps: their distribution, and what they follow from. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "site/noise.h"
#include "site/secret.h"
#include "suite.h"

/* A step of a rehearsal. */
static dt_noise *noise_of(int64_t seed, int64_t step, const char *about, const char *weights) {
    dt_noise *noise;
    assert_ok(dt_noise_open(&noise));
    dt_noise_take_seed(noise, seed);
    dt_noise_begin(noise, step, about, strlen(about), weights, strlen(weights));
    return noise;
}

START_TEST(quantiles_are_those_of_the_normal_distribution) {
    const struct {
        double p, x;
    } known[] = {{0.5, 0},
                 {0.75, 0.67448975019608174},
                 {0.975, 1.9599639845400542},
                 {0.999, 3.0902323061678132},
                 {0.925, 1.4395314709384563},
                 {0.2, -0.84162123357291442},
                 {1e-10, -6.3613409024040562}};
    for (int i = 0; i < COUNT(known); i++) {
        double got = dt_noise_normal((uint64_t)ldexp(known[i].p, 64));
        ck_assert_msg(fabs(got - known[i].x) < 1e-11 * (1 + fabs(known[i].x)), "%g: %.17g, not %.17g", known[i].p, got,
                      known[i].x);
    }
    ck_assert_double_eq_tol(dt_noise_normal(0), -9.15529377268607255, 1e-13); /* of 2^-65 */
    ck_assert_double_eq_tol(dt_noise_normal((UINT64_C(1) << 24) - 1), -7.0477002566644087, 1e-7);
    for (uint64_t i = 1; i < 2000; i++) {
        uint64_t word = i * UINT64_C(0x9e3779b97f4a7c15);
        ck_assert_double_eq(dt_noise_normal(word), -dt_noise_normal(~word));
        ck_assert_double_lt(dt_noise_normal(word & ~UINT64_C(0xffffffff)),
                            dt_noise_normal(word | UINT64_C(0xffffffff)));
    }
}
END_TEST

/* The rounded Gaussian of deviation 2.5, in cells; and that of a large one, in cells of its quantiles. */
START_TEST(noise_is_a_rounded_gaussian) {
    enum { DRAWS = 1 << 20, CELLS = 21, MIDDLE = 10 };
    dt_noise *noise = noise_of(1, 7, "recipe", "weights");
    int32_t *words = dt_alloc(DRAWS, sizeof *words);
    for (int large = 0; large < 2; large++) {
        double deviation = large ? 1.5e6 : 2.5, width = large ? 0.4 * deviation : 1, chi = 0, squares = 0;
        int64_t counts[CELLS] = {0};
        memset(words, 0, DRAWS * sizeof *words);
        dt_noise_add(noise, deviation, words, 0, DRAWS);
        for (int i = 0; i < DRAWS; i++) {
            double cell = floor(words[i] / width + 0.5) + MIDDLE;
            counts[(int)fmin(fmax(cell, 0), CELLS - 1)]++;
            squares += (double)words[i] * words[i];
        }
        for (int c = 0; c < CELLS; c++) {
            double low = c == 0 ? -INFINITY : (c - MIDDLE - 0.5) * width,
                   high = c == CELLS - 1 ? INFINITY : (c - MIDDLE + 0.5) * width;
            double want = DRAWS * 0.5 * (erf(high / deviation / M_SQRT2) - erf(low / deviation / M_SQRT2));
            chi += ((double)counts[c] - want) * ((double)counts[c] - want) / want;
        }
        ck_assert_msg(chi < 52.4, "chi^2 is %g, with 20 degrees of freedom", chi); /* 1e-4 are above it */
        double variance = deviation * deviation + (large ? 0 : 1.0 / 12);
        ck_assert_double_eq_tol(squares / DRAWS / variance, 1, 4 * sqrt(2.0 / DRAWS));
    }
    dt_free(words);
    dt_noise_close(noise);
}
END_TEST

START_TEST(noise_is_a_function_of_the_element) {
    enum { ELEMENTS = 3000 };
    int32_t whole[ELEMENTS], part[ELEMENTS];
    dt_noise *noise = noise_of(1, 7, "recipe", "weights");
    for (int i = 0; i < ELEMENTS; i++) whole[i] = part[i] = 1000 * i;
    dt_noise_add(noise, 1e5, whole, 0, ELEMENTS);
    const size_t cuts[] = {0, 1, 8, 511, 512, 513, 1024, 1777, ELEMENTS};
    for (int c = 0; c + 1 < COUNT(cuts); c++) dt_noise_add(noise, 1e5, part + cuts[c], cuts[c], cuts[c + 1] - cuts[c]);
    ck_assert_mem_eq(whole, part, sizeof whole);
    dt_noise_add(noise, 0, part, 0, ELEMENTS);
    ck_assert_mem_eq(whole, part, sizeof whole);
    dt_noise_close(noise);
}
END_TEST

/* How many of so many elements have the same noise in two steps, and samples that are chosen in both. */
static int alike(const dt_noise *a, const dt_noise *b, int64_t *both) {
    enum { ELEMENTS = 4096 };
    int32_t x[ELEMENTS] = {0}, y[ELEMENTS] = {0};
    int64_t chosen[2][ELEMENTS];
    int same = 0;
    dt_noise_add(a, 1e6, x, 0, ELEMENTS);
    dt_noise_add(b, 1e6, y, 0, ELEMENTS);
    for (int i = 0; i < ELEMENTS; i++) same += x[i] == y[i];
    int64_t first = dt_noise_choose(a, 0.5, ELEMENTS, chosen[0], ELEMENTS),
            second = dt_noise_choose(b, 0.5, ELEMENTS, chosen[1], ELEMENTS);
    *both = 0;
    for (int64_t i = 0, j = 0; i < first && j < second;) {
        *both += chosen[0][i] == chosen[1][j];
        int64_t at = chosen[0][i];
        i += at <= chosen[1][j];
        j += chosen[1][j] <= at;
    }
    return same;
}

/* Never the same noise on another sum: whatever a step follows from makes it another's. */
START_TEST(a_step_s_draws_are_no_other_s) {
    dt_noise *noise = noise_of(1, 7, "recipe", "weights"), *again = noise_of(1, 7, "recipe", "weights");
    int64_t both;
    ck_assert_int_eq(alike(noise, again, &both), 4096);
    dt_noise *others[] = {noise_of(2, 7, "recipe", "weights"), noise_of(1, 8, "recipe", "weights"),
                          noise_of(1, 7, "recipes", "weights"), noise_of(1, 7, "recipe", "weighty"),
                          noise_of(1, 7, "recipew", "eights")};
    for (int i = 0; i < COUNT(others); i++) {
        ck_assert_int_lt(alike(noise, others[i], &both), 3);
        ck_assert_int_gt(both, 1024 - 140); /* a quarter, +- 5 deviations */
        ck_assert_int_lt(both, 1024 + 140);
        dt_noise_close(others[i]);
    }
    dt_noise_close(noise);
    dt_noise_close(again);
}
END_TEST

START_TEST(samples_are_drawn_each_by_itself) {
    enum { SAMPLES = 1000, STEPS = 2000 };
    int64_t chosen[SAMPLES], counts[SAMPLES] = {0}, pairs = 0;
    double squares = 0, mean = 0, rate = 0.03;
    for (int64_t step = 0; step < STEPS; step++) {
        dt_noise *noise = noise_of(1, step, "recipe", "weights");
        int64_t count = dt_noise_choose(noise, rate, SAMPLES, chosen, SAMPLES);
        for (int64_t i = 0; i < count; i++) {
            ck_assert(chosen[i] >= 0 && chosen[i] < SAMPLES && (i == 0 || chosen[i] > chosen[i - 1]));
            counts[chosen[i]]++;
            pairs += i > 0 && chosen[i] == chosen[i - 1] + 1;
        }
        mean += (double)count / STEPS;
        squares += (double)count * (double)count / STEPS;
        dt_noise_close(noise);
    }
    /* The size is binomial: mean 30, variance 29.1. Neighbours are no likelier than others. */
    ck_assert_double_eq_tol(mean, rate * SAMPLES, 5 * sqrt(29.1 / STEPS));
    ck_assert_double_eq_tol((squares - mean * mean) / 29.1, 1, 5 * sqrt(2.0 / STEPS));
    ck_assert_double_eq_tol((double)pairs, STEPS * 999 * rate * rate, 5 * sqrt(STEPS * 999 * rate * rate));
    double chi = 0, want = STEPS * rate;
    for (int i = 0; i < SAMPLES; i++)
        chi += ((double)counts[i] - want) * ((double)counts[i] - want) / (want * (1 - rate));
    ck_assert_double_eq_tol(chi, SAMPLES, 5 * sqrt(2.0 * SAMPLES));
}
END_TEST

START_TEST(all_are_drawn_at_rate_1_and_what_has_no_room_is_counted) {
    int64_t chosen[10];
    dt_noise *noise = noise_of(1, 7, "recipe", "weights");
    ck_assert_int_eq(dt_noise_choose(noise, 1, 10, chosen, 10), 10);
    for (int i = 0; i < 10; i++) ck_assert_int_eq(chosen[i], i);
    ck_assert_int_eq(dt_noise_choose(noise, 1, 2000, chosen, 3), 2000);
    ck_assert_int_eq(dt_noise_choose(noise, 1e-12, 2000, chosen, 3), 0);
    dt_noise_close(noise);
}
END_TEST

START_TEST(names_tell_secrets_apart) {
    uint8_t names[3][DT_NOISE_NAME];
    dt_noise *noise = noise_of(1, 7, "recipe", "weights"), *again = noise_of(1, 8, "other", "weights"),
             *other = noise_of(2, 7, "recipe", "weights");
    dt_noise_name(noise, names[0]);
    dt_noise_name(again, names[1]);
    dt_noise_name(other, names[2]);
    ck_assert_mem_eq(names[0], names[1], DT_NOISE_NAME);
    ck_assert_mem_ne(names[0], names[2], DT_NOISE_NAME);
    ck_assert_uint_eq(dt_noise_hide(noise, 5), dt_noise_hide(again, 5));
    ck_assert_uint_ne(dt_noise_hide(noise, 5), dt_noise_hide(noise, 6));
    ck_assert_uint_ne(dt_noise_hide(noise, 5), dt_noise_hide(other, 5));
    dt_site_key *key;
    assert_ok(dt_site_key_make(&key, "privacy"));
    dt_noise_take_key(noise, key);
    dt_noise_take_key(again, key);
    dt_noise_name(noise, names[0]);
    dt_noise_name(again, names[1]);
    ck_assert_mem_eq(names[0], names[1], DT_NOISE_NAME);
    dt_site_key_close(key);
    dt_noise_close(noise);
    dt_noise_close(again);
    dt_noise_close(other);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("noise");
    TCase *tests = tcase_create("noise");
    tcase_add_test(tests, quantiles_are_those_of_the_normal_distribution);
    tcase_add_test(tests, noise_is_a_rounded_gaussian);
    tcase_add_test(tests, noise_is_a_function_of_the_element);
    tcase_add_test(tests, a_step_s_draws_are_no_other_s);
    tcase_add_test(tests, samples_are_drawn_each_by_itself);
    tcase_add_test(tests, all_are_drawn_at_rate_1_and_what_has_no_room_is_counted);
    tcase_add_test(tests, names_tell_secrets_apart);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
