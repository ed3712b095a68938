/* Who works for which site. Nothing of it shows in any bit: it decides how long a round takes. */
#include "data/sampler.h"
#include "rounds.h"

static int64_t over(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

static int64_t chosen_of(const dt_recipe *recipe) {
    if (dt_recipe_has_mailbox(recipe)) return 1; /* of this job */
    return recipe->sites.per_round > 0 ? recipe->sites.per_round : dt_recipe_sites_of(recipe);
}

dt_status dt_rounds_settle_shards(const dt_recipe *recipe, int64_t ranks, int64_t stored, int64_t *shards) {
    int64_t wanted = recipe->train.shards, chosen = chosen_of(recipe);
    *shards = wanted > 0 ? wanted : stored > 0 ? stored : over(ranks, chosen);
    if (ranks <= *shards * chosen) return dt_ok();
    return dt_fail(
        DT_ERR_INPUT,
        "%lld ranks cannot share %lld sites of %lld shards each: start at most %lld ranks, or a new run with "
        "train.shards=%lld",
        (long long)ranks, (long long)chosen, (long long)*shards, (long long)(*shards * chosen),
        (long long)over(ranks, chosen));
}

/* The shards that a rank computes one after the other for each step of all sites of a round are what a round takes; of
 * equal numbers of groups the larger one is better, for fewer ranks then wait for each other. */
int dt_rounds_groups(int64_t ranks, int64_t chosen, int64_t shards) {
    int64_t best = 0, least = INT64_MAX;
    for (int64_t groups = over(ranks, shards); groups <= ranks && groups <= chosen; groups++) {
        int64_t work = over(chosen, groups) * over(shards, ranks / groups);
        if (work > least) continue;
        least = work;
        best = groups;
    }
    return (int)(best > 0 ? best : 1);
}

static int largest_left(const dt_rounds *r) {
    int best = -1;
    for (int place = 0; place < r->chosen; place++)
        if (r->now.group[place] < 0 &&
            (best < 0 || dt_rounds_steps(r, r->now.site[place]) > dt_rounds_steps(r, r->now.site[best])))
            best = place;
    return best;
}

void dt_rounds_deal(dt_rounds *r) {
    for (int place = 0; place < r->chosen; place++) r->now.group[place] = r->groups > 1 ? -1 : 0;
    int64_t load[1024] = {0};
    int groups = r->groups < 1024 ? r->groups : 1024;
    for (int done = 0, place; r->groups > 1 && done < r->chosen; done++) {
        place = largest_left(r);
        int to = 0;
        for (int group = 1; group < groups; group++)
            if (load[group] < load[to]) to = group;
        r->now.group[place] = to;
        load[to] += dt_rounds_steps(r, r->now.site[place]);
    }
}
