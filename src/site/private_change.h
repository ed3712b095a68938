/* A site's change where privacy hides what a site learned (privacy.unit: site; DP-FedAvg, McMahan et al. 2018): the
 * whole change, over all tensors, is cut to a norm, and becomes words with one exponent that was fixed before the run,
 * so that nothing but the clipped change shows in them.
 *
 *   word = round(change · min(1, clip/|change|) · 2^exponent)
 *
 * Where no job is trusted with the plain changes every site adds its share of the noise itself (distributed Gaussian;
 * Kairouz, Liu and Steinke 2021 have a discrete one). A share is a Gaussian of standard deviation s words, rounded. The
 * sum of h such shares is what a Gaussian of standard deviation sqrt(h)·s makes of the sum, with h - 1 uniform numbers
 * in ±1/2 added and the result rounded: adding and rounding tell nothing more, so it is as private as that Gaussian. It
 * is so but for aliasing: the characteristic function of a rounded Gaussian, φ(θ) sinc(θ/2) repeated at multiples of
 * 2π, has at |θ| <= π of its neighbours at most exp(-π² s²/2), which is below 10^-500 from s = DT_SHARE_LEAST on. */
#ifndef DTRAIN_PRIVATE_CHANGE_H
#define DTRAIN_PRIVATE_CHANGE_H

#include "site/change.h"

#define DT_SHARE_LEAST 16.0 /* words */

/* What a change is multiplied with: 1 where its norm is at most `clip`. The same at every site and rank that has the
 * same change. 0 where it is no number: then nothing of it counts. */
double dt_change_factor(const dt_change_plan *plan, const dt_change_from *from, double clip);
/* The words of units [first, end). */
void dt_change_encode_private(const dt_change_plan *plan, const dt_change_from *from, double factor, int exponent,
                              int64_t first, int64_t end, uint32_t *words);
/* What rounding may add to a norm of so many words, in words. */
double dt_change_rounding(double words);

/* How many sites' shares, at the least, are in every sum and known to nobody who sees it, if all that know one
 * another's are below `threshold`; `least`: the sites in a sum, at the least. */
int64_t dt_shares_unknown(int64_t least, int64_t threshold);

#endif
