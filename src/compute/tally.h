/* Losses and right answers of many samples, summed exactly. */
#ifndef DTRAIN_COMPUTE_TALLY_H
#define DTRAIN_COMPUTE_TALLY_H

#include <stdint.h>

#include "base/sum.h"

/* What a batch adds up to. Integers only, so sums over samples, shards and ranks are exact in any order; all of them
 * are plain int64_t words that may be summed one by one, after dt_tally_carry.
 *
 * The first DT_TALLY_DIGESTED words are those that digests are made of, as they were before sums were exact: the
 * rounded ones are in units of 2^-24, without losses of 2^38 and more, and wrap. Nothing is computed from them. */
typedef struct dt_tally {
    int64_t samples; /* or, where a sample has several labels, those that count */
    int64_t rounded_loss;
    int64_t correct; /* samples whose largest output is the label's, and whose loss is finite */
    int64_t correct_top5;
    int64_t rounded_abs_error;
    int64_t not_finite; /* samples whose loss is not a finite number: they are counted in `samples`, and nowhere else */
    dt_sum loss;        /* of the samples whose loss is finite */
    dt_sum abs_error;   /* of the mean |output - target| of each */
} dt_tally;
#define DT_TALLY_DIGESTED 6
#define DT_TALLY_WORDS (DT_TALLY_DIGESTED + 2 * DT_SUM_LIMBS) /* a tally is this many int64_t */
#define DT_TALLY_UNIT 0x1p-24                                 /* of the rounded sums */

void dt_tally_add(dt_tally *sum, const dt_tally *more);
/* What was added since `before`, which was part of it. */
void dt_tally_subtract(dt_tally *sum, const dt_tally *before);
/* To be done before tallies of several ranks are summed word by word, and with the result. */
void dt_tally_carry(dt_tally *tally);
/* The mean loss per sample, rounded once; NaN when there are no samples or one was not finite. */
double dt_tally_loss(const dt_tally *tally);
/* The mean absolute error likewise. */
double dt_tally_abs_error(const dt_tally *tally);
/* The mean of the rounded sum, for digests. */
double dt_tally_rounded_loss(const dt_tally *tally);
/* Makes the exact sums from the rounded ones, for a tally of which no more is known. */
void dt_tally_from_rounded(dt_tally *tally);

#endif
