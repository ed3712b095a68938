/* The leading terms of each series are added up as pairs of doubles, about 106 bits; the others, which are below 2^-12
 * of the sum, in double. So what a result is rounded from is good to about 2^-64 of it. Series are Taylor's, cut where
 * the rest is below 2^-68. */
#include "base/transcendental.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- pairs: high + low, low at most half an ulp of high (Dekker 1971) ---- */

typedef struct pair {
    double high, low;
} pair;

/* a + b without error (Knuth, TwoSum). */
static inline pair sum_of(double a, double b) {
    double sum = a + b, part = sum - a;
    return (pair){sum, (a - (sum - part)) + (b - part)};
}

/* The same where |a| >= |b| or a is 0. */
static inline pair sum_of_ordered(double a, double b) {
    double sum = a + b;
    return (pair){sum, b - (sum - a)};
}

/* a*b without error. Where there is no instruction for it a call of fma is slower than halves of 26 bits (Veltkamp's
 * splitting), which are exact too unless they overflow: operands here are below 2^64. */
static inline pair product_of(double a, double b) {
    const double splitter = 0x1p27 + 1;
    double a_far = splitter * a, a_high = a_far - (a_far - a), a_low = a - a_high;
    double b_far = splitter * b, b_high = b_far - (b_far - b), b_low = b - b_high;
    double product = a * b;
    return (pair){product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low};
}

static inline pair add(pair a, pair b) {
    pair sum = sum_of(a.high, b.high);
    return sum_of_ordered(sum.high, sum.low + (a.low + b.low));
}

static inline pair multiply(pair a, pair b) {
    pair product = product_of(a.high, b.high);
    return sum_of_ordered(product.high, product.low + (a.high * b.low + a.low * b.high));
}

/* x(...(x(x rest + last term) + ...) + first term): the terms as pairs. */
static inline pair series(pair x, const pair *terms, size_t count, double rest) {
    pair sum = {rest, 0};
    for (size_t i = count; i-- > 0;) sum = add(multiply(sum, x), terms[i]);
    return sum;
}

/* The sum of terms[i] x^i. */
static inline double polynomial(double x, const double *terms, size_t count) {
    double sum = 0;
    for (size_t i = count; i-- > 0;) sum = sum * x + terms[i];
    return sum;
}

static const pair ln_2 = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};
static const double two_pi = 0x1.921fb54442d18p+2;

/* ---- logarithm ---- */

/* x = 2^k m, m from sqrt(1/2) to sqrt(2); with s = (m - 1)/(m + 1) ln m is 2 (s + s^3/3 + s^5/5 + ...), |s| < 0.172. */
static pair logarithm(double x) {
    static const pair third = {0x1.5555555555555p-2, 0x1.5555555555555p-56};
    static const double terms[] = {1.0 / 5,  1.0 / 7,  1.0 / 9,  1.0 / 11, 1.0 / 13, 1.0 / 15,
                                   1.0 / 17, 1.0 / 19, 1.0 / 21, 1.0 / 23, 1.0 / 25, 1.0 / 27};
    const uint64_t least = 0x3fe6a09e667f3bcdU; /* sqrt(1/2) */
    uint64_t bits;
    double m;
    memcpy(&bits, &x, sizeof bits);
    int64_t k = ((int64_t)bits - (int64_t)least) >> 52;
    bits -= (uint64_t)k << 52;
    memcpy(&m, &bits, sizeof m);

    pair below = sum_of_ordered(m > 1 ? m : 1, m > 1 ? 1 : m);
    double above = m - 1, near = above / below.high;
    pair back = product_of(near, below.high);
    pair s = sum_of_ordered(near, ((above - back.high) - back.low - near * below.low) / below.high);
    pair z = multiply(s, s);
    pair bent = series(z, &third, 1, polynomial(z.high, terms, COUNT(terms)));
    pair twice = {2 * s.high, 2 * s.low};
    pair of_m = add(twice, multiply(twice, multiply(z, bent)));
    return add(multiply((pair){(double)k, 0}, ln_2), of_m);
}

double dt_log(double x) {
    if (!(x >= 0x1p-1022) || x == (double)INFINITY)
        return x != x || x > 0 ? x : x < 0 ? (double)NAN : -(double)INFINITY;
    pair result = logarithm(x);
    return result.high + result.low;
}

/* ---- powers ---- */

/* 2^n for n from -1022 to 1023. */
static double power_of_two(int64_t n) {
    uint64_t bits = (uint64_t)(n + 1023) << 52;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The whole number nearest to x, |x| < 2^51. */
static double nearest(double x) {
    const double large = 0x1.8p52; /* has no room for less than whole numbers */
    return (x + large) - large;
}

/* e^x = 2^n e^r, |r| <= ln(2)/2. */
static double exponential(pair x) {
    static const pair terms[] = {{1, 0},
                                 {1, 0},
                                 {0.5, 0},
                                 {0x1.5555555555555p-3, 0x1.5555555555555p-57},
                                 {0x1.5555555555555p-5, 0x1.5555555555555p-59}};
    static const double rest[] = {1.0 / 120,        1.0 / 720,         1.0 / 5040,          1.0 / 40320,
                                  1.0 / 362880,     1.0 / 3628800,     1.0 / 39916800,      1.0 / 479001600,
                                  1.0 / 6227020800, 1.0 / 87178291200, 1.0 / 1307674368000, 1.0 / 20922789888000};
    if (x.high > 709.782712893384) return (double)INFINITY;
    if (x.high < -708.396418532264) return 0;
    double n = nearest(x.high * 1.4426950408889634);
    pair r = add(x, multiply((pair){-n, 0}, ln_2));
    pair value = series(r, terms, COUNT(terms), polynomial(r.high, rest, COUNT(rest)));
    int64_t whole = (int64_t)n, half = whole / 2;
    return (value.high + value.low) * power_of_two(half) * power_of_two(whole - half);
}

double dt_exp(double x) {
    return x == x ? exponential((pair){x, 0}) : x;
}

double dt_pow(double x, double y) {
    if (y == 0 || x == 1) return 1;
    if (!(x >= 0) || y != y) return (double)NAN;
    if (x < 0x1p-1022) return y > 0 ? 0 : (double)INFINITY;
    if (x == (double)INFINITY) return y > 0 ? x : 0;
    if (fabs(y) >= 0x1p64) return (x > 1) == (y > 0) ? (double)INFINITY : 0;
    pair power = multiply(logarithm(x), (pair){y, 0});
    return exponential(power);
}

/* ---- sine and cosine ---- */

/* Of an angle of `quarters` right angles and r radians, |r| <= pi/4. */
typedef struct angle {
    pair r;
    int64_t quarters;
} angle;

static angle from_radians(double x) {
    static const pair right = {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54};
    const double right_rest = -0x1.f1976b7ed8fbcp-110;
    double n = nearest(x * 0.6366197723675814);
    pair r = add((pair){x, 0}, product_of(-n, right.high));
    r = add(r, product_of(-n, right.low));
    return (angle){add(r, (pair){-n * right_rest, 0}), (int64_t)n};
}

static double sine(pair r, pair z) {
    static const pair terms[] = {{-0x1.5555555555555p-3, -0x1.5555555555555p-57},
                                 {0x1.1111111111111p-7, 0x1.1111111111111p-63}};
    static const double rest[] = {
        -1.0 / 5040,          1.0 / 362880,          -1.0 / 39916800,          1.0 / 6227020800,
        -1.0 / 1307674368000, 1.0 / 355687428096000, -1.0 / 121645100408832000};
    pair bent = multiply(multiply(r, z), series(z, terms, COUNT(terms), polynomial(z.high, rest, COUNT(rest))));
    pair value = add(r, bent);
    return value.high + value.low;
}

static double cosine(pair z) {
    static const pair terms[] = {{1, 0},
                                 {-0.5, 0},
                                 {0x1.5555555555555p-5, 0x1.5555555555555p-59},
                                 {-0x1.6c16c16c16c17p-10, 0x1.f49f49f49f49fp-65}};
    static const double rest[] = {
        1.0 / 40320,          -1.0 / 3628800,          1.0 / 479001600,          -1.0 / 87178291200,
        1.0 / 20922789888000, -1.0 / 6402373705728000, 1.0 / 2432902008176640000};
    pair value = series(z, terms, COUNT(terms), polynomial(z.high, rest, COUNT(rest)));
    return value.high + value.low;
}

/* The sine of an angle that is further by so many right angles. */
static double sine_after(angle a, int64_t quarters) {
    pair z = multiply(a.r, a.r);
    int64_t at = (a.quarters + quarters) & 3;
    double value = at & 1 ? cosine(z) : sine(a.r, z);
    return at & 2 ? -value : value;
}

double dt_sin(double x) {
    return fabs(x) < 0x1p30 ? sine_after(from_radians(x), 0) : (double)NAN;
}

double dt_cos(double x) {
    return fabs(x) < 0x1p30 ? sine_after(from_radians(x), 1) : (double)NAN;
}

void dt_turn(double turns, double *cosine_of, double *sine_of) {
    static const double cosines[] = {1,
                                     -0.5,
                                     1.0 / 24,
                                     -1.0 / 720,
                                     1.0 / 40320,
                                     -1.0 / 3628800,
                                     1.0 / 479001600,
                                     -1.0 / 87178291200,
                                     1.0 / 20922789888000};
    static const double sines[] = {-1.0 / 6,        1.0 / 120,        -1.0 / 5040,          1.0 / 362880,
                                   -1.0 / 39916800, 1.0 / 6227020800, -1.0 / 1307674368000, 1.0 / 355687428096000};
    double n = nearest(4 * turns), r = (turns - n / 4) * two_pi, z = r * r;
    double c = polynomial(z, cosines, COUNT(cosines)), s = r + r * z * polynomial(z, sines, COUNT(sines));
    int64_t quarters = (int64_t)n & 3;
    double x = quarters & 1 ? s : c, y = quarters & 1 ? c : s;
    *cosine_of = quarters == 1 || quarters == 2 ? -x : x;
    *sine_of = quarters & 2 ? -y : y;
}
