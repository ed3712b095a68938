/* The slow part of exact sums: carrying, and the one division at the end, by hand, for no type of C holds 440 bits. */
#include "base/sum.h"

#include <math.h>

#define LAST (DT_SUM_LIMBS - 1)
#define DIGIT 0xffffffffU
/* A mean has so many digits of 32 bits behind the point that is the sum's last one: 2^-152 divided by 2^63 still leaves
 * 97 of their bits, and a double takes 53. */
#define BEHIND 5
#define DIGITS (DT_SUM_LIMBS + 1 + BEHIND)

__extension__ typedef unsigned __int128 wide;

void dt_sum_carry(dt_sum *sum) {
    for (int i = 0; i < LAST; i++) {
        int64_t over = sum->limb[i] >> 32;
        sum->limb[i] &= DIGIT;
        sum->limb[i + 1] += over;
    }
}

void dt_sum_merge(dt_sum *sum, const dt_sum *more, int sign) {
    dt_sum part = *more;
    dt_sum_carry(&part);
    dt_sum_carry(sum);
    for (int i = 0; i < DT_SUM_LIMBS; i++) sum->limb[i] += sign * part.limb[i];
    dt_sum_carry(sum);
}

bool dt_sum_sound(const dt_sum *sum) {
    for (int i = 0; i < LAST; i++)
        if (sum->limb[i] < 0 || sum->limb[i] > DIGIT) return false;
    return sum->limb[LAST] > -((int64_t)1 << 62) && sum->limb[LAST] < (int64_t)1 << 62;
}

/* The magnitude of a sum divided by count: digits, the highest first. Returns whether something is left. */
static bool divide(const dt_sum *magnitude, uint64_t count, uint32_t digits[DIGITS]) {
    uint64_t top = (uint64_t)magnitude->limb[LAST], quotient = top / count;
    wide rest = top % count;
    digits[0] = (uint32_t)(quotient >> 32);
    digits[1] = (uint32_t)quotient;
    for (int i = 2; i < DIGITS; i++) {
        uint64_t next = i <= LAST + 1 ? (uint64_t)magnitude->limb[LAST + 1 - i] : 0;
        rest = rest << 32 | next;
        digits[i] = (uint32_t)(rest / count);
        rest %= count;
    }
    return rest != 0;
}

/* The number with these digits, to the nearest double, ties to even; `more`: something follows them. */
static double round_digits(const uint32_t digits[DIGITS], bool more) {
    int first = 0;
    while (first < DIGITS && digits[first] == 0) first++;
    if (first == DIGITS) return 0;
    wide head = 0; /* three digits: 65 to 96 bits */
    for (int i = first; i < first + 3; i++) head = head << 32 | (i < DIGITS ? digits[i] : 0);
    for (int i = first + 3; i < DIGITS; i++) more |= digits[i] != 0;
    int drop = 0;
    while (head >> drop >= (wide)1 << 53) drop++;
    uint64_t kept = (uint64_t)(head >> drop);
    wide half = (wide)1 << (drop - 1), tail = head & (((wide)1 << drop) - 1);
    if (tail > half || (tail == half && (more || kept & 1))) kept++;
    /* the last of the three is digit first + 2; digit LAST + 1 counts units of 2^DT_SUM_LEAST */
    return ldexp((double)kept, drop + 32 * (LAST + 1 - (first + 2)) + DT_SUM_LEAST);
}

double dt_sum_mean(const dt_sum *sum, int64_t count) {
    if (count < 1) return 0;
    dt_sum magnitude = *sum;
    dt_sum_carry(&magnitude);
    bool negative = magnitude.limb[LAST] < 0;
    if (negative) {
        for (int i = 0; i < DT_SUM_LIMBS; i++) magnitude.limb[i] = -magnitude.limb[i];
        dt_sum_carry(&magnitude);
    }
    uint32_t digits[DIGITS];
    bool more = divide(&magnitude, (uint64_t)count, digits);
    double mean = round_digits(digits, more);
    return negative ? -mean : mean;
}
