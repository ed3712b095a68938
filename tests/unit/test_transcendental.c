/* Functions of double against the C library's of long double, which knows 11 bits more (on Arm 60): never further than
 * just over half a unit in the last place, so nearly always the nearest double. */
#include <float.h>
#include <math.h>

#include "base/transcendental.h"
#include "suite.h"

#define MANY 20000

/* In [0, 1), a different one for each i (a multiple of the golden ratio, Weyl 1916). */
static double unit(int i) {
    double x = (i + 1) * 0.6180339887498949;
    return x - floor(x);
}

static void expect_nearest(const char *what, double x, double value, long double exact) {
    double nearest = (double)exact, ulp = nextafter(fabs(nearest), (double)INFINITY) - fabs(nearest);
    long double error = fabsl((long double)value - exact) / (long double)ulp;
    ck_assert_msg(error < 0.502L, "%s of %.17g is %.17g, %.3Lf ulp from %.21Lg", what, x, value, error, exact);
}

START_TEST(logarithms_are_the_nearest_double) {
    for (int i = 0; i < MANY; i++) {
        double x = unit(i), near = 1 + (x - 0.5) * 0x1p-10, wide = exp((x - 0.5) * 1400);
        expect_nearest("log", x, dt_log(x), logl((long double)x));
        expect_nearest("log", near, dt_log(near), logl((long double)near));
        expect_nearest("log", wide, dt_log(wide), logl((long double)wide));
    }
}
END_TEST

START_TEST(powers_are_the_nearest_double) {
    for (int i = 0; i < MANY; i++) {
        double x = unit(i), wide = (x - 0.5) * 1400;
        expect_nearest("exp", wide, dt_exp(wide), expl((long double)wide));
        expect_nearest("0.999^n", i, dt_pow(0.999, i), powl((long double)0.999, i));
        expect_nearest("10000^-x", x, dt_pow(10000, -x), powl(10000, (long double)-x));
        expect_nearest("x^20", x, dt_pow(x, 20), powl((long double)x, 20));
    }
}
END_TEST

START_TEST(sines_are_the_nearest_double) {
    for (int i = 0; i < MANY; i++) {
        double x = (unit(i) - 0.5) * 4, wide = floor(unit(i) * 1e6);
        expect_nearest("cos", x, dt_cos(x), cosl((long double)x));
        expect_nearest("sin", x, dt_sin(x), sinl((long double)x));
        expect_nearest("cos", wide, dt_cos(wide), cosl((long double)wide));
        expect_nearest("sin", wide, dt_sin(wide), sinl((long double)wide));
    }
}
END_TEST

START_TEST(a_turn_comes_round_exactly) {
    static const double at[][3] = {{0, 1, 0}, {0.25, 0, 1}, {0.5, -1, 0}, {0.75, 0, -1}, {1, 1, 0}, {-0.25, 0, -1}};
    double cosine, sine;
    for (size_t i = 0; i < COUNT(at); i++) {
        dt_turn(at[i][0], &cosine, &sine);
        ck_assert_double_eq(cosine, at[i][1]);
        ck_assert_double_eq(sine, at[i][2]);
    }
    for (int i = 0; i < MANY; i++) {
        const double turns = unit(i);
        const long double angle = 6.28318530717958647692528676655900577L * (long double)turns;
        dt_turn(turns, &cosine, &sine);
        ck_assert_double_eq_tol(cosine, (double)cosl(angle), 2 * DBL_EPSILON);
        ck_assert_double_eq_tol(sine, (double)sinl(angle), 2 * DBL_EPSILON);
    }
}
END_TEST

START_TEST(what_has_no_value_is_as_in_the_c_library) {
    static const double x[] = {0, 0.5, 1, 2, 1000, -1, 1e200, (double)INFINITY, (double)NAN};
    static const double y[] = {0, 1, -1, 800, -800, 1e300, -1e300, (double)INFINITY, -(double)INFINITY, (double)NAN};
    for (size_t i = 0; i < COUNT(x); i++) {
        double a = dt_log(x[i]), b = log(x[i]);
        ck_assert_msg(a == b || (isnan(a) && isnan(b)) || fabs(a - b) < 1e-12, "log of %g is %g", x[i], a);
        ck_assert(isnan(dt_cos(x[i])) == (x[i] > 0x1p30 || isnan(x[i])));
        for (size_t j = 0; j < COUNT(y) && x[i] >= 0; j++) {
            double power = dt_pow(x[i], y[j]), theirs = pow(x[i], y[j]);
            ck_assert_msg(power == theirs || (isnan(power) && isnan(theirs)) ||
                              fabs(power - theirs) <= 1e-12 * fabs(theirs),
                          "%g to the power of %g is %g, not %g", x[i], y[j], power, theirs);
        }
    }
    ck_assert(isnan(dt_pow(-2, 2)) && isnan(dt_pow((double)NAN, 1)));
    ck_assert_double_eq(dt_exp(710), (double)INFINITY);
    ck_assert_double_eq(dt_exp(-(double)INFINITY), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("transcendental");
    TCase *all = tcase_create("all");
    tcase_add_test(all, logarithms_are_the_nearest_double);
    tcase_add_test(all, powers_are_the_nearest_double);
    tcase_add_test(all, sines_are_the_nearest_double);
    tcase_add_test(all, a_turn_comes_round_exactly);
    tcase_add_test(all, what_has_no_value_is_as_in_the_c_library);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
