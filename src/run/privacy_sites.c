/* What of privacy is otherwise where it is a site that is hidden (privacy.unit: site): a round is what a step is else.
 */
#include <math.h>

#include "privacy_sites.h"
#include "site/noise.h"
#include "site/private_change.h"

bool dt_privacy_hides_sites(const dt_recipe *recipe) {
    return recipe->privacy.clip > 0 && recipe->privacy.unit == DT_PRIVATE_SITE;
}

/* Sites whose shares of the noise are in every sum, and known to nobody who sees it. Without masks each site's change
 * is seen by itself. */
static dt_status count_honest(const dt_recipe *recipe, int64_t *honest) {
    const dt_recipe_sites *sites = &recipe->sites;
    const int64_t all = dt_recipe_sites_of(recipe), wanted = recipe->privacy.honest;
    const int64_t threshold = sites->threshold > 0 ? sites->threshold : all / 2 + 1;
    const int64_t fewest = threshold > 3 ? threshold : 3; /* in a sum that may be opened: masks.h */
    const int64_t least = sites->deadline.unit == DT_SPAN_NEVER ? all : fewest;
    *honest = !sites->masks ? 1 : wanted > 0 ? wanted : dt_shares_unknown(least, threshold);
    if (*honest <= least) return dt_ok();
    return dt_fail(DT_ERR_INPUT,
                   "privacy.honest is %lld, but a round may have a sum of %lld sites (sites.threshold, sites.deadline)",
                   (long long)wanted, (long long)least);
}

dt_status dt_privacy_scale_sites(dt_privacy_scale *out, const dt_recipe *recipe) {
    const dt_recipe_privacy *privacy = &recipe->privacy;
    const int64_t all = dt_recipe_sites_of(recipe), drawn = recipe->sites.per_round;
    const bool shared = dt_recipe_has_mailbox(recipe);
    int64_t honest = 1;
    if (shared) DT_TRY(count_honest(recipe, &honest));
    const double share = privacy->noise * privacy->clip / sqrt((double)honest);
    out->rate = drawn > 0 && !shared ? (double)drawn / (double)all : 1;
    out->most = (double)all * privacy->clip + (double)(shared ? all : 1) * DT_NOISE_MOST * share;
    out->draw = share;
    return dt_ok();
}
