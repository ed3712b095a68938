/* Logarithm, powers, sine and cosine in double, the same bits on every machine: what follows from them (initial
 * weights, learning rates, Adam's corrections, rotary angles) is part of a run's digest, and C libraries differ in the
 * last bit from one version and processor to the next. Every operation is one that IEEE 754 defines.
 *
 * Results are within 0.501 ulp of the exact value where they are normal numbers, so they are the nearest double nearly
 * always, as those of a good C library are; subnormal results may be 0. NaN passes. */
#ifndef DTRAIN_TRANSCENDENTAL_H
#define DTRAIN_TRANSCENDENTAL_H

/* ln x; -infinity for 0, NaN below. x is 0, normal or not finite. */
double dt_log(double x);

/* e^x. */
double dt_exp(double x);

/* x^y for x >= 0: 1 for y = 0; NaN below 0. */
double dt_pow(double x, double y);

/* Cosine and sine of x radians, |x| below 2^30; beyond, and where it is not finite, NaN. */
double dt_cos(double x);
double dt_sin(double x);

/* Both of so many whole turns, |turns| below 2^30: quicker, and within 2 ulp of the larger of the two. */
void dt_turn(double turns, double *cosine, double *sine);

#endif
