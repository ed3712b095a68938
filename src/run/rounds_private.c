/* Rounds that hide what any one site has (privacy.unit: site; DP-FedAvg, McMahan et al. 2018): a site's whole change is
 * clipped, the sum gets Gaussian noise and is divided by how many sites are expected in it. In one job the sites of a
 * round are drawn in secret, each by itself, and the noise is added to the sum. Where the others are elsewhere all take
 * part, and each adds its share of the noise to its own change, before anybody else sees that. */
#include <string.h>

#include "base/memory.h"
#include "privacy_sites.h"
#include "rounds.h"
#include "site/chosen.h"
#include "site/private_change.h"

bool dt_rounds_hide_sites(const dt_run *run) {
    return dt_privacy_hides_sites(run->session.recipe);
}

dt_status dt_rounds_plan_private(dt_run *run) {
    dt_rounds *r = run->rounds;
    r->most = r->chosen;
    if (!dt_rounds_hide_sites(run)) return dt_ok();
    if (r->mine < 0) {
        r->most = r->sites;
        r->alone = false; /* what a site is in the middle of is in no checkpoint, without noise */
    }
    for (int i = 0; i < r->plan.table->count; i++)
        if ((r->plan.table->tensors[i].flags & DT_TENSOR_STATISTIC) && !r->plan.is_local[i])
            return dt_fail(DT_ERR_INPUT,
                           "privacy.unit is site: noise would make a variance of %s negative; use group_norm or "
                           "layer_norm",
                           r->plan.table->tensors[i].name);
    r->noisy = dt_alloc(r->plan.count, sizeof *r->noisy);
    return r->noisy ? dt_ok() : dt_fail_memory("a sum of changes", r->plan.count * sizeof *r->noisy);
}

dt_status dt_rounds_draw(dt_run *run) {
    dt_rounds *r = run->rounds;
    dt_privacy *privacy = &run->privacy;
    DT_TRY(dt_privacy_begin(privacy, r->sites, run->ledger.position.step, run->trainee.weights,
                            run->trainee.table->total));
    memset(r->now.takes_part, 0, (size_t)r->sites * sizeof *r->now.takes_part);
    r->chosen = (int)privacy->rows;
    for (int64_t i = 0; i < privacy->rows; i++) r->now.takes_part[privacy->chosen[i]] = true;
    return dt_ok();
}

void dt_rounds_encode_private(dt_run *run, const dt_change_from *from, bool counts, int64_t first, int64_t end) {
    dt_rounds *r = run->rounds;
    const dt_privacy *privacy = &run->privacy;
    const double factor = counts ? dt_change_factor(&r->plan, from, privacy->clip) : 0;
    if (first == end) return;
    dt_change_encode_private(&r->plan, from, factor, privacy->exponent, first, end, r->words);
    if (r->mine < 0) return;
    const dt_change_unit *units = r->plan.units;
    const size_t begin = units[first].word, count = units[end - 1].word + units[end - 1].count - begin;
    dt_noise_add(privacy->noise, privacy->deviation, (int32_t *)r->words + begin, begin, count);
}

/* All there are, or drawn: the expected number is no secret, as the real one would be. */
static int64_t expected(const dt_run *run) {
    const int64_t drawn = run->session.recipe->sites.per_round;
    return drawn > 0 ? drawn : run->rounds->sites;
}

void dt_rounds_make_private(dt_run *run, dt_exchanged *sum) {
    dt_rounds *r = run->rounds;
    const dt_privacy *privacy = &run->privacy;
    memcpy(r->noisy, sum->words, r->plan.count * sizeof *r->noisy);
    if (r->mine < 0) {
        dt_noise_add(privacy->noise, privacy->deviation, (int32_t *)r->noisy, 0, r->plan.count);
        sum->bytes = (uint64_t)expected(run) * (r->plan.count * sizeof *r->noisy + sizeof(uint64_t));
    }
    sum->words = r->noisy;
    sum->weight = (uint64_t)expected(run);
    for (int64_t i = 0; i < r->plan.unit_count; i++) r->exponents[i] = privacy->exponent;
}

int64_t dt_rounds_expected_samples(const dt_run *run) {
    const dt_rounds *r = run->rounds;
    double samples = 0;
    for (int site = 0; site < r->sites; site++)
        if (dt_rounds_has(r, site)) samples += (double)(dt_rounds_steps(r, site) * r->recipe.train.batch);
    return (int64_t)(dt_rounds_hide_sites(run) ? samples * run->privacy.rate : samples);
}

bool dt_rounds_tell_nothing(const dt_run *run) {
    return run->privacy.recipe != NULL;
}

/* ---- sites that hide samples: steps are private, and each site has what it spent (privacy.unit: sample) ---- */

/* The steps this site takes in a round. */
static int64_t steps_in(dt_run *run, int64_t round) {
    dt_rounds *r = run->rounds;
    dt_sites_choose(r->now.takes_part, r->sites, r->chosen, r->seed, round);
    return r->now.takes_part[r->mine] ? dt_rounds_steps(r, r->mine) : 0;
}

dt_status dt_rounds_bound(dt_run *run) {
    dt_privacy *privacy = &run->privacy;
    dt_course *course = &run->course;
    const dt_middle *middle = &run->rounds->middle;
    const dt_recipe_privacy *recipe = privacy->recipe;
    int64_t at = run->ledger.position.step, most = INT64_C(1) << 52;
    if (!recipe || recipe->max_epsilon == 0 || !dt_privacy_is_of_steps(privacy))
        return dt_privacy_bound(privacy, course, &run->ledger.position);
    int64_t made = middle->round == at ? middle->done : 0; /* and spent */
    int64_t fits =
        dt_steps_within(&privacy->spent, privacy->rate, recipe->noise, recipe->delta, recipe->max_epsilon, most) + made;
    while (at < course->total_steps && steps_in(run, at) <= fits) fits -= steps_in(run, at++);
    privacy->limits = at < course->total_steps;
    course->total_steps = at;
    if (at > 0) return dt_ok();
    return dt_fail(DT_ERR_INPUT,
                   "privacy.max_epsilon is %g, and the first round would be above it; raise it or privacy.noise",
                   recipe->max_epsilon);
}
