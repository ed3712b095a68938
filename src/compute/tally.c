/* What the losses of many samples add up to, as integers: see tally.h. */
#include "tally.h"

_Static_assert(sizeof(dt_tally) == DT_TALLY_WORDS * sizeof(int64_t), "a tally is its words");

/* The words of the digest wrap, as they do in an MPI_SUM. */
static int64_t wrapping(int64_t a, int64_t b, int sign) {
    return (int64_t)((uint64_t)a + (uint64_t)sign * (uint64_t)b);
}

static void merge(dt_tally *sum, const dt_tally *more, int sign) {
    sum->samples = wrapping(sum->samples, more->samples, sign);
    sum->rounded_loss = wrapping(sum->rounded_loss, more->rounded_loss, sign);
    sum->correct = wrapping(sum->correct, more->correct, sign);
    sum->correct_top5 = wrapping(sum->correct_top5, more->correct_top5, sign);
    sum->rounded_abs_error = wrapping(sum->rounded_abs_error, more->rounded_abs_error, sign);
    sum->not_finite = wrapping(sum->not_finite, more->not_finite, sign);
    dt_sum_merge(&sum->loss, &more->loss, sign);
    dt_sum_merge(&sum->abs_error, &more->abs_error, sign);
}

void dt_tally_add(dt_tally *sum, const dt_tally *more) {
    merge(sum, more, 1);
}

void dt_tally_subtract(dt_tally *sum, const dt_tally *before) {
    merge(sum, before, -1);
}

void dt_tally_carry(dt_tally *tally) {
    dt_sum_carry(&tally->loss);
    dt_sum_carry(&tally->abs_error);
}

static double mean(const dt_tally *tally, const dt_sum *sum) {
    if (tally->samples < 1 || tally->not_finite > 0) return (double)__builtin_nanf("");
    return dt_sum_mean(sum, tally->samples);
}

double dt_tally_loss(const dt_tally *tally) {
    return mean(tally, &tally->loss);
}

double dt_tally_abs_error(const dt_tally *tally) {
    return mean(tally, &tally->abs_error);
}

double dt_tally_rounded_loss(const dt_tally *tally) {
    if (tally->samples < 1) return (double)__builtin_nanf("");
    return (double)tally->rounded_loss * DT_TALLY_UNIT / (double)tally->samples;
}

/* The limb that counts units of 2^-24. */
#define UNIT_LIMB ((-24 - DT_SUM_LEAST) / 32)
_Static_assert(DT_SUM_LEAST + 32 * UNIT_LIMB == -24, "the rounded sums' unit is a limb's");

void dt_tally_from_rounded(dt_tally *tally) {
    tally->loss = tally->abs_error = (dt_sum){{0}};
    tally->loss.limb[UNIT_LIMB] = tally->rounded_loss;
    tally->abs_error.limb[UNIT_LIMB] = tally->rounded_abs_error;
    dt_tally_carry(tally);
}
