/* What a site learned in a round, as integers: its change of the common weights becomes words, and the sum of all
 * sites' words becomes the mean change again.
 *
 *   word = round((local - common + kept) · weight · 2^k), clipped to ±most       (one site, one element)
 *   mean change = Σ words / (2^k Σ weight)                                        (all sites)
 *
 * Sums of words are exact and the same in every order. `most` is what keeps the sum of all sites that take part from
 * wrapping 32 bits, or fits the 8 or 4 bits that a word travels in. What rounding and clipping lost stays with the site
 * and is added to its next change ("kept": error feedback, Seide et al. 2014, Karimireddy et al. 2019); with words of
 * 32 bits it is less than the rounding of float32 weights, and is let go.
 *
 * The exponent k is one for a unit: a tensor, with words of 8 and 4 bits a run of 1024 elements of one. All sites must
 * have the same before the round, so it follows from the common state alone, from the sum of the round before: no
 * site's data shows in it but through that sum. With A the largest |Σ words| of a unit over n sites, sites' own words
 * were some sqrt(n)·A/n where their changes have little in common, and A/n where they are alike; the first is taken,
 * and k is set so that it comes to a TARGET share of `most` (k of a unit that was zero stays):
 *   i32: 2^-6, for a change may be many times the one before, and bits below are plenty;
 *   i8, i4: 2^-1, for levels are few, and what is clipped comes with the next rounds.
 * A sum that came near the most there can be was clipped at the sites, so how large it would be is not known: k then
 * falls by 4 more.
 * The first round has no sum before it. It travels in 32 bits, by a bound of 2 on an element of a change times 2^17 for
 * a weight of samples: 10 sites of 600 samples round to 2e-6 there. What is beyond is clipped, and k falls by the rule.
 *
 * Control variates (SCAFFOLD) travel as units of their own behind those of the weights, not weighed by samples. */
#ifndef DTRAIN_CHANGE_H
#define DTRAIN_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/table.h"
#include "compute/real.h"
#include "config/recipe.h"

/* A run of elements of one tensor with one exponent. */
typedef struct dt_change_unit {
    size_t offset; /* of the first element in an arena of the model */
    size_t word;   /* of the first word in a change */
    size_t count;
    bool statistic; /* of a tensor that no rule updates, but a mean */
    bool control;   /* of a control variate, whose weight is 1 */
} dt_change_unit;

/* Which words a change has: the same at all sites. */
typedef struct dt_change_plan {
    dt_change_unit *units;
    int64_t unit_count;
    size_t count;   /* words */
    size_t weights; /* of them those of weights; the others are of control variates */
    size_t local;   /* elements that stay at their site */
    int wire;       /* dt_site_wire */
    bool weighed;   /* weights are numbers of samples */
    int chosen;     /* sites that take part in a round */
    const dt_table *table;
    bool *is_local; /* [table->count] */
} dt_change_plan;

/* `table`, which must live as long, is the model's. A pattern of sites.local that fits no tensor, or all, is refused.
 * To be finished, also after a failure. */
dt_status dt_change_plan_make(dt_change_plan *out, const dt_table *table, const dt_recipe_sites *sites, int chosen);
void dt_change_plan_finish(dt_change_plan *plan);
/* Of a round: 32, or what the wire says. */
int dt_change_bits(const dt_change_plan *plan, int64_t round);

/* The exponents [unit_count] of the first round. */
void dt_change_exponents_begin(const dt_change_plan *plan, int32_t *exponents);
/* Those of the round after `round`, from its words' sum over `sites` sites: of units [first, end). */
void dt_change_exponents_next(const dt_change_plan *plan, int64_t round, const uint32_t *sum, int sites, int64_t first,
                              int64_t end, int32_t *exponents);

/* Of units [first, end): words [count] of what `now` differs from `before`, which are arenas, or for control units of
 * what dt_change_control says; `kept` [count] is added, and becomes what is lost; NULL: nothing is kept. False: a
 * change is no finite number, whose word is then 0. */
typedef struct dt_change_from {
    const dt_real *now, *before;  /* weights: local, common */
    const dt_real *control, *own; /* control variates: common, the site's before the round; NULL without */
    double rates;                 /* Σ learning rate over the site's steps */
    uint64_t weight;
    const float *kept; /* before the round, and */
    float *lost;       /* after it */
} dt_change_from;
bool dt_change_encode(const dt_change_plan *plan, int64_t round, const int32_t *exponents, const dt_change_from *from,
                      int64_t first, int64_t end, uint32_t *words);
/* The site's control variate after the round, elements of units [first, end) of an arena: SCAFFOLD's option II,
 * c_i - c + (x - y)/(Σ rates). */
void dt_change_own_control(const dt_change_plan *plan, const dt_change_from *from, int64_t first, int64_t end,
                           dt_real *out);
/* What a word of a sum is divided by to be the mean change. `weight`: of the sum, or of control units the number of
 * sites that took part. */
double dt_change_scale(int32_t exponent, uint64_t weight);

#endif
