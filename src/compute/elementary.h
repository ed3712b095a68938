/* Elementary functions for kernels, written so that they inline and loops around them vectorise: no branches, no calls,
 * NaN passes. Each file of kernels is compiled once per instruction set and includes its own copy.
 *
 * What they give is part of a run's bits, and no compiler's or processor's choice: contraction is off, where a product
 * and a sum are rounded once that is written (fma_real), and nothing is asked of a C library whose next version might
 * round otherwise. All instruction sets thus give one set of bits. */
#ifndef DTRAIN_ELEMENTARY_H
#define DTRAIN_ELEMENTARY_H

#include <math.h>
#include <string.h>

#include "real.h"

#define SIMD _Pragma("omp simd")
#define INLINE static inline __attribute__((always_inline))

/* a*b + c, rounded once. */
INLINE double fma_double(double a, double b, double c) {
    return __builtin_fma(a, b, c); /* a call of the C library where no instruction does it; only losses use it */
}

#if defined DT_REAL_DOUBLE

INLINE double fma_real(double a, double b, double c) {
    return a * b + c; /* gradient checks need no such bits */
}

#elif defined DT_KERNELS_FMA

INLINE float fma_real(float a, float b, float c) {
    return __builtin_fmaf(a, b, c);
}

#else

/* Without the instruction: in double the product is exact, and the sum is rounded to odd (where it is not exact, to the
 * neighbour whose last bit is 1), so that the rounding to float sees on which side of a tie the exact sum lies (Boldo
 * and Melquiond 2008). What a sum loses is a number that double has (Knuth, TwoSum). Several times as slow, but loops
 * around it vectorise. */
INLINE float fma_real(float a, float b, float c) {
    double product = (double)a * (double)b, summand = (double)c, sum = product + summand;
    double part = sum - product, lost = (product - (sum - part)) + (summand - part);
    uint64_t bits, lost_bits;
    memcpy(&bits, &sum, sizeof bits);
    memcpy(&lost_bits, &lost, sizeof lost_bits);
    uint64_t inexact = (lost > 0) | (lost < 0), step = ~bits & inexact, back = (bits ^ lost_bits) >> 63;
    bits += step - ((step & back) << 1);
    memcpy(&sum, &bits, sizeof sum);
    return (float)sum;
}

#endif

/* p/q: where several are needed, they can share one division. */
typedef struct fraction {
    dt_real p, q;
} fraction;

#ifdef DT_REAL_DOUBLE
static inline double exp_real(double x) {
    return exp(x);
}
static inline fraction tanh_fraction(double x) {
    return (fraction){tanh(x), 1};
}
#    define LITERAL(x) x
#else
#    define LITERAL(x) x##F

static inline float power_of_two(int32_t n) {
    uint32_t bits = (uint32_t)(n + 127) << 23;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* e^x within 1.5 ulp: x = n ln2 + r, a degree-6 polynomial in r (Cephes, expf), the exponent added as bits. Overflow
 * gives infinity, underflow zero. The limits are written so that NaN passes, and there is no other branch: loops around
 * it must vectorise. */
static inline float exp_real(float x) {
    float clamped = x < -104.0F ? -104.0F : x;
    clamped = clamped > 89.0F ? 89.0F : clamped;
    float scaled = clamped * 1.44269504088896341F;
    int32_t n = (int32_t)(scaled + copysignf(0.5F, scaled));
    float fn = (float)n;
    float r = fma_real(-fn, 0.693359375F, clamped);
    r = fma_real(-fn, -2.12194440e-4F, r);
    float p = 1.9875691500e-4F;
    p = fma_real(p, r, 1.3981999507e-3F);
    p = fma_real(p, r, 8.3334519073e-3F);
    p = fma_real(p, r, 4.1665795894e-2F);
    p = fma_real(p, r, 1.6666665459e-1F);
    p = fma_real(p, r, 5.0000001201e-1F);
    p = fma_real(p * r, r, r) + 1.0F;
    /* In two factors, so that n = 128 does not overflow before the product does. */
    return p * power_of_two(n / 2) * power_of_two(n - n / 2);
}

/* tanh within 4 ulp: the rational approximation of degree 13 over 6 that Eigen uses, one division and no branch. Beyond
 * the limits tanh is 1 in float. NaN passes. */
static inline fraction tanh_fraction(float x) {
    float c = x < -7.90531110763549805F ? -7.90531110763549805F : x;
    c = c > 7.90531110763549805F ? 7.90531110763549805F : c;
    float s = c * c;
    float p = -2.76076847742355e-16F;
    p = fma_real(p, s, 2.00018790482477e-13F);
    p = fma_real(p, s, -8.60467152213735e-11F);
    p = fma_real(p, s, 5.12229709037114e-08F);
    p = fma_real(p, s, 1.48572235717979e-05F);
    p = fma_real(p, s, 6.37261928875436e-04F);
    p = fma_real(p, s, 4.89352455891786e-03F);
    float q = 1.19825839466702e-06F;
    q = fma_real(q, s, 1.18534705686654e-04F);
    q = fma_real(q, s, 2.26843463243900e-03F);
    q = fma_real(q, s, 4.89352518554385e-03F);
    return (fraction){c * p, q};
}
#endif

/* Scores are counted in powers of two, so that a weight is 2 to its score's power: log2(e) goes into the scale. */
#define LOG2_E LITERAL(1.4426950408889634)
#define LN_2 LITERAL(0.6931471805599453)

#ifdef DT_REAL_DOUBLE
static inline double power_below(double x) {
    return exp2(x);
}
#else
/* 2^x within 2 ulp for x that is not above 0 but by rounding; 0 below -126.5. The nearest whole number is what is left
 * of x beside a number so large that it has no room for more, its last bits the exponent; the rest is a polynomial of
 * degree 5, fitted to the least relative error, 9e-8. NaN passes. */
static inline float power_below(float x) {
    const float large = 0x1.8p23F + 127;
    float limited = x < -127.0F ? -127.0F : x, shifted = limited + large;
    float r = limited - (shifted - large), value;
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits <<= 23;
    memcpy(&value, &bits, sizeof value);
    float p = 1.326472731307149e-3F;
    p = fma_real(p, r, 9.671512991189957e-3F);
    p = fma_real(p, r, 5.550733581185341e-2F);
    p = fma_real(p, r, 2.4022242426872253e-1F);
    p = fma_real(p, r, 6.931470036506653e-1F);
    return fma_real(p, r, 1.0F) * value;
}
#endif

static inline dt_real tanh_real(dt_real x) {
    fraction value = tanh_fraction(x);
    return value.p / value.q;
}

static inline dt_real sqrt_real(dt_real x) {
#ifdef DT_REAL_DOUBLE
    return sqrt(x);
#else
    return sqrtf(x);
#endif
}

static inline dt_real sigmoid_real(dt_real x) {
    return 1 / (1 + exp_real(-x));
}

/* GELU in its tanh form (Hendrycks and Gimpel 2016), 0.5x(1 + tanh u) with u = sqrt(2/pi)(x + 0.044715x³). */
#define GELU_A LITERAL(0.7978845608028654)
#define GELU_B LITERAL(0.044715)

static inline dt_real gelu_real(dt_real x) {
    dt_real u = GELU_A * fma_real(GELU_B * x * x, x, x);
    return LITERAL(0.5) * x * (1 + tanh_real(u));
}

static inline dt_real gelu_slope(dt_real x) {
    dt_real t = tanh_real(GELU_A * fma_real(GELU_B * x * x, x, x));
    dt_real bent = LITERAL(0.5) * x * fma_real(-t, t, 1) * GELU_A * fma_real(3 * GELU_B * x, x, 1);
    return fma_real(LITERAL(0.5), 1 + t, bent);
}

static inline dt_real silu_slope(dt_real x) {
    dt_real s = sigmoid_real(x);
    return s * fma_real(x, 1 - s, 1);
}

/* For losses, which are summed in double: a call a row, so these may have a branch. */

/* e^x for x <= 0, within 1 ulp; 0 below -708. x = n ln2 + r, a polynomial of degree 13 in r (Taylor's; the rest is
 * below 2^-57), the exponent added as bits. */
static inline double exp_below(double x) {
    if (x < -708.0) return 0;
    const double large = 0x1.8p52 + 1023; /* no room for more than whole numbers; its last bits are the exponent */
    double shifted = fma_double(x, 1.4426950408889634, large), n = shifted - large;
    double r = fma_double(-n, 1.90821492927058770002e-10, fma_double(-n, 6.93147180369123816490e-01, x));
    static const double terms[] = {1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800,
                                   1.0 / 362880,     1.0 / 40320,     1.0 / 5040,     1.0 / 720,
                                   1.0 / 120,        1.0 / 24,        1.0 / 6,        0.5};
    double p = 0;
    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++) p = fma_double(p, r, terms[i]);
    p = 1 + fma_double(p * r, r, r);
    uint64_t bits;
    double scale;
    memcpy(&bits, &shifted, sizeof bits);
    bits <<= 52;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

/* ln x within 1 ulp for normal x > 0 (fdlibm, e_log.c): x = 2^k (1 + f), an odd polynomial in f/(2 + f). No branch. */
static inline double log_normal(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits += (uint64_t)(0x3ff00000 - 0x3fe6a09e) << 32; /* m from sqrt(1/2) to sqrt(2) */
    double k = (double)((int32_t)(bits >> 52) - 1023), m;
    bits = (bits & 0xfffffffffffffU) + ((uint64_t)0x3fe6a09e << 32);
    memcpy(&m, &bits, sizeof m);
    double f = m - 1, s = f / (2 + f), z = s * s, half = 0.5 * f * f;
    double p = 1.479819860511658591e-01;
    p = fma_double(p, z, 1.531383769920937332e-01);
    p = fma_double(p, z, 1.818357216161805012e-01);
    p = fma_double(p, z, 2.222219843214978396e-01);
    p = fma_double(p, z, 2.857142874366239149e-01);
    p = fma_double(p, z, 3.999999999940941908e-01);
    p = fma_double(p, z, 6.666666666666735130e-01);
    double low = fma_double(s, half + z * p, k * 1.90821492927058770002e-10);
    return fma_double(k, 6.93147180369123816490e-01, f - (half - low));
}

/* The same for any x: what is no normal number above zero gives what log gives, but for denormals, which count as 0. */
static inline double log_double(double x) {
    if (!(x >= 0x1p-1022) || x == (double)INFINITY) return x != x || x > 0x1p-1022 ? x : x < 0 ? NAN : -INFINITY;
    return log_normal(x);
}

/* ln(1 + x) for x in [0, 1]: the logarithm of the rounded sum, and what the rounding left out. */
static inline double log_one_plus(double x) {
    double sum = 1 + x;
    return log_double(sum) + (x - (sum - 1)) / sum;
}

static inline dt_real log2_real(dt_real x) {
    return (dt_real)(log_double((double)x) * 1.4426950408889634);
}

static inline dt_bf16 round_bf16(dt_real x) {
    float value = (float)x;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t rounded = (bits + 0x7fffU + (bits >> 16 & 1)) >> 16;
    return (dt_bf16)((bits & 0x7fffffffU) > 0x7f800000U ? bits >> 16 | 0x40U : rounded);
}

static inline dt_real from_bf16(dt_bf16 x) {
    uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return (dt_real)value;
}

#endif
