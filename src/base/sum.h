/* An exact sum of floating-point numbers. Sums of losses meet values from 1e-45 to 1e76 in one epoch, must not depend
 * on the order in which samples, threads and ranks add to them, and must be right to the last digit however many they
 * are: so they are one wide fixed-point number (a superaccumulator; Kulisch 1966), and only the mean is rounded, once.
 */
#ifndef DTRAIN_SUM_H
#define DTRAIN_SUM_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* limb[i] counts units of 2^(32 i - 152). After dt_sum_carry all but the last are in [0, 2^32) and the last has the
 * sign, so equal sums are equal bits, and 2^31 ranks may add them up as plain int64. */
#define DT_SUM_LIMBS 14
#define DT_SUM_LEAST (-152)   /* the exponent of limb 0's unit: all bits of any float32, and more */
#define DT_SUM_LIMIT 0x1p284  /* what is added must be below it, as squares of float32 numbers are */
#define DT_SUM_ADDS (1 << 20) /* after so many additions it is to be carried; 2^30 would still be safe */

typedef struct dt_sum {
    int64_t limb[DT_SUM_LIMBS];
} dt_sum;

/* *sum += x, |x| < DT_SUM_LIMIT; exact but for what x has below 2^-152, which is rounded. */
static inline void dt_sum_add(dt_sum *sum, double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int exponent = (int)(bits >> 52 & 0x7ff), place = exponent - 1075 - DT_SUM_LEAST;
    if (exponent == 0) return; /* zero, or nearly so */
    uint64_t mantissa = (bits & 0xfffffffffffffU) | 0x10000000000000U;
    if (place < 0) {
        if (place < -53) return;
        mantissa = (mantissa + (1ULL << (-place - 1))) >> -place;
        place = 0;
    }
    uint64_t low = (mantissa & 0xffffffffU) << (place & 31), high = (mantissa >> 32) << (place & 31);
    int64_t part[3] = {(int64_t)(low & 0xffffffffU), (int64_t)((low >> 32) + (high & 0xffffffffU)),
                       (int64_t)(high >> 32)};
    int64_t sign = bits >> 63 ? -1 : 1, *limb = sum->limb + (place >> 5);
    for (int i = 0; i < 3; i++) limb[i] += sign * part[i];
}

void dt_sum_carry(dt_sum *sum);
/* *sum = *sum + sign*more, carried; both may be uncarried. sign is 1 or -1. */
void dt_sum_merge(dt_sum *sum, const dt_sum *more, int sign);
/* The sum divided by a count, rounded once, to the nearest double, ties to even. 0 for a count below 1. */
double dt_sum_mean(const dt_sum *sum, int64_t count);
/* Whether these words are a carried sum of a plausible size: to be asked of what comes from a file. */
bool dt_sum_sound(const dt_sum *sum);

#endif
