/* Who goes to which split: properties of the split as a function, over many sizes, shares and seeds. */
#include <math.h>
#include <string.h>

#include "../support/suite.h"
#include "data/splitting.h"

enum { MOST = 1200 };

static dt_recipe_data cut(double test, double validation, bool in_order, int64_t seed) {
    dt_recipe_data data = {.split_test = test,
                           .split_validation = validation,
                           .split_order = in_order ? DT_SPLIT_IN_ORDER : DT_SPLIT_AT_RANDOM,
                           .split_seed = seed};
    return data;
}

static void deal(dt_split out[MOST], const dt_recipe_data *data, int64_t units) {
    dt_splitting splitting = dt_splitting_of(data, units);
    for (int64_t i = 0; i < units; i++) out[i] = dt_splitting_for(&splitting, i);
}

static void count(int64_t out[DT_SPLIT_COUNT], const dt_split *splits, int64_t units) {
    memset(out, 0, DT_SPLIT_COUNT * sizeof *out);
    for (int64_t i = 0; i < units; i++) out[splits[i]]++;
}

/* Every unit is in one split, and each split has its share, to the nearest whole number. */
START_TEST(shares_are_exact_to_the_nearest_unit) {
    static const double shares[] = {0, 0.1, 0.15, 0.2, 1.0 / 3, 0.5, 0.9};
    dt_split splits[MOST];
    int64_t counts[DT_SPLIT_COUNT];
    for (int t = 0; t < COUNT(shares); t++)
        for (int v = 0; v < COUNT(shares); v++)
            for (int64_t units = 1; units <= MOST && shares[t] + shares[v] < 1; units += 1 + units / 3)
                for (int in_order = 0; in_order < 2; in_order++) {
                    dt_recipe_data data = cut(shares[t], shares[v], in_order, units);
                    deal(splits, &data, units);
                    count(counts, splits, units);
                    ck_assert_int_eq(counts[DT_SPLIT_TEST], (int64_t)floor(shares[t] * (double)units + 0.5));
                    int64_t left = units - counts[DT_SPLIT_TEST];
                    int64_t validation = (int64_t)floor(shares[v] * (double)units + 0.5);
                    ck_assert_int_eq(counts[DT_SPLIT_VALIDATION], validation < left ? validation : left);
                    ck_assert_int_eq(counts[DT_SPLIT_TRAIN], left - counts[DT_SPLIT_VALIDATION]);
                }
}
END_TEST

START_TEST(in_order_training_comes_first_and_test_is_last) {
    dt_split splits[MOST];
    dt_recipe_data data = cut(0.2, 0.1, true, 5);
    deal(splits, &data, 100);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(splits[i], i < 70 ? DT_SPLIT_TRAIN : i < 80 ? DT_SPLIT_VALIDATION : DT_SPLIT_TEST);
}
END_TEST

/* The seed decides, and nothing else; a share of validation takes nothing from the test set. */
START_TEST(the_test_set_follows_from_seed_and_number_alone) {
    dt_split one[MOST], again[MOST], other[MOST];
    dt_recipe_data data = cut(0.25, 0, false, 7), validated = cut(0.25, 0.3, false, 7),
                   reseeded = cut(0.25, 0, false, 8);
    deal(one, &data, 1000);
    deal(again, &validated, 1000);
    deal(other, &reseeded, 1000);
    int moved = 0;
    for (int i = 0; i < 1000; i++) {
        ck_assert((one[i] == DT_SPLIT_TEST) == (again[i] == DT_SPLIT_TEST));
        moved += (one[i] == DT_SPLIT_TEST) != (other[i] == DT_SPLIT_TEST);
    }
    ck_assert_int_gt(moved, 200); /* 375 expected */
    ck_assert_int_lt(moved, 550);
}
END_TEST

/* Over many seeds every unit is as often in the test set as any other, and so are pairs of neighbours. */
START_TEST(at_random_every_unit_is_as_likely) {
    enum { UNITS = 40, SEEDS = 4000 };
    dt_split splits[MOST];
    int alone[UNITS] = {0}, pairs[UNITS] = {0};
    for (int seed = 0; seed < SEEDS; seed++) {
        dt_recipe_data data = cut(0.25, 0, false, seed);
        deal(splits, &data, UNITS);
        for (int i = 0; i < UNITS; i++) {
            bool in = splits[i] == DT_SPLIT_TEST, next = splits[(i + 1) % UNITS] == DT_SPLIT_TEST;
            alone[i] += in;
            pairs[i] += in && next;
        }
    }
    for (int i = 0; i < UNITS; i++) { /* 5 standard deviations */
        ck_assert_double_eq_tol(alone[i], SEEDS * 0.25, 5 * sqrt(SEEDS * 0.25 * 0.75));
        double both = 10.0 / 40 * 9 / 39;
        ck_assert_double_eq_tol(pairs[i], SEEDS * both, 5 * sqrt(SEEDS * both * (1 - both)));
    }
}
END_TEST

/* What a recipe and its seed gave once they give for ever: a changed function would evaluate on training data. */
START_TEST(a_split_is_the_same_in_every_version) {
    static const char golden[] = ".t..t...vv....tt......v..t..t..tv..tv.v.t.t.......t...t.....";
    dt_split splits[MOST];
    char text[61] = "";
    dt_recipe_data data = cut(0.2, 0.1, false, 1);
    deal(splits, &data, 60);
    for (int i = 0; i < 60; i++) text[i] = ".vt"[splits[i]];
    ck_assert_str_eq(text, golden);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("splitting");
    TCase *tests = tcase_create("splitting");
    tcase_add_test(tests, shares_are_exact_to_the_nearest_unit);
    tcase_add_test(tests, in_order_training_comes_first_and_test_is_last);
    tcase_add_test(tests, the_test_set_follows_from_seed_and_number_alone);
    tcase_add_test(tests, at_random_every_unit_is_as_likely);
    tcase_add_test(tests, a_split_is_the_same_in_every_version);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
