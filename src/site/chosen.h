/* Who takes part in a round, and what a site draws its random numbers by: functions of their arguments alone, the same
 * on every site. */
#ifndef DTRAIN_CHOSEN_H
#define DTRAIN_CHOSEN_H

#include <stdbool.h>
#include <stdint.h>

/* takes_part[sites]: `chosen` of them, each set of as many as likely as any other. */
void dt_sites_choose(bool *takes_part, int sites, int chosen, int64_t seed, int64_t round);
/* The seed of a site's own draws: the order of its samples, dropout, augmentation. Site 0 has the run's. */
int64_t dt_site_seed(int64_t seed, int site);

#endif
