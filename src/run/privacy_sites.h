/* Privacy of sites (privacy_sites.c): how often one takes part, and how large sums of changes and their noise are. */
#ifndef DTRAIN_PRIVACY_SITES_H
#define DTRAIN_PRIVACY_SITES_H

#include "config/recipe.h"

typedef struct dt_privacy_scale {
    double rate; /* of one, a sample or a site, being in a sum */
    double most; /* no sum with its noise is larger */
    double draw; /* standard deviation of a draw of noise */
} dt_privacy_scale;

bool dt_privacy_hides_sites(const dt_recipe *recipe);
/* A failure says what the recipe's sites are too few for. */
dt_status dt_privacy_scale_sites(dt_privacy_scale *out, const dt_recipe *recipe);

#endif
