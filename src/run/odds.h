/* With what probability an audit would have found wrong steps (odds.c). */
#ifndef DTRAIN_ODDS_H
#define DTRAIN_ODDS_H

#include <stdint.h>

/* `wrong` of `steps` steps are wrong, any as likely as any other, and `again` of them were computed again: the
 * probability that a wrong one is among these, 1 - C(steps - again, wrong)/C(steps, wrong). */
double dt_odds_of_chance(int64_t steps, int64_t again, int64_t wrong);

/* Somebody who knows how audits are made, but not what will be drawn, has put his wrong steps where he likes, into one
 * of `intervals`: the probability that it is among `drawn` of them. */
double dt_odds_of_choice(int64_t intervals, int64_t drawn);

#endif
