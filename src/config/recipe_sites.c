/* What fields ask of each other where several sites train one model (sites.…). */
#include <stdio.h>
#include <string.h>

#include "recipe_internal.h"

/* Without sites nobody reads what is said of them. */
static dt_status check_absent(const dt_recipe *recipe, const dt_yaml *root) {
    static const char *const keys[] = {"sites.per_round",      "sites.rounds",
                                       "sites.round",          "sites.partition",
                                       "sites.weights",        "sites.robust",
                                       "sites.outer.kind",     "sites.outer.lr",
                                       "sites.outer.momentum", "sites.outer.beta1",
                                       "sites.outer.beta2",    "sites.outer.eps",
                                       "sites.proximal",       "sites.control",
                                       "sites.local",          "sites.wire",
                                       "sites.optimizer",      "sites.mailbox",
                                       "sites.wait",           "sites.deadline",
                                       "sites.quorum",         "sites.keep",
                                       "sites.forget",         "sites.masks",
                                       "sites.threshold",      NULL};
    for (int i = 0; keys[i]; i++)
        DT_TRY(dt_recipe_check_default(
            recipe, root, keys[i],
            "there are no sites; say how many with sites.count or sites.simulate, or name sites.members"));
    return dt_ok();
}

/* What cannot go together with sites. */
static const struct apart {
    const char *key, *why;
} aparts[] = {
    {"train.steps", "a run of sites has sites.rounds"},
    {"data.memory", "sites draw from samples that are in memory or mapped"},
    {"data.windows", "sites begin every round anew, so no stream goes on from one to the next; use random"},
    {"data.target.normalize", "scales would follow from the data of all sites together; none can be computed"},
    {"train.class_weights", "they would follow from the data of all sites together; give data.train_weights"},
};

static bool is_computed(int normalize) {
    return normalize == DT_NORMALIZE_STANDARDISE || normalize == DT_NORMALIZE_MIN_MAX;
}

static dt_status refuse(const dt_recipe *recipe, const dt_yaml *root, const char *key, const char *why) {
    char is[DT_SHOWN + 2];
    dt_recipe_show_value(dt_field_find(dt_recipe_fields, key), recipe, is);
    const char *source = dt_recipe_source_of(root, key, "sites");
    return dt_fail(DT_ERR_INPUT, "%s%s: %s is %s; %s", dt_source_noun(source), source, key, is, why);
}

/* What follows from data that a site may not see. */
static dt_status check_data(const dt_recipe *recipe, const dt_yaml *root) {
    const dt_recipe_data *data = &recipe->data;
    static const char no_scale[] = "no site may know the samples of all, which it would be computed from: with sites "
                                   "give a mean and std (data.normalize: given)";
    for (size_t i = 0; i < sizeof aparts / sizeof *aparts; i++) {
        bool scale = i == 3, given = data->target.normalize == DT_NORMALIZE_GIVEN;
        bool weights = i == 4, listed = recipe->train.class_weights.count > 0;
        if ((scale && given) || (weights && listed)) continue;
        DT_TRY(dt_recipe_check_default(recipe, root, aparts[i].key, aparts[i].why));
    }
    if (is_computed(data->scale.normalize)) return refuse(recipe, root, "data.normalize", no_scale);
    if (data->missing == DT_MISSING_MEAN)
        return refuse(recipe, root, "data.missing", "no site may know the mean of all samples; use drop or refuse");
    return dt_ok();
}

/* Each site says what it has: nothing here may follow from how many ranks this one happens to have. */
static dt_status check_mailbox(const dt_recipe *recipe, const dt_yaml *root) {
    const dt_recipe_sites *sites = &recipe->sites;
    if (!dt_recipe_has_mailbox(recipe)) return dt_ok();
    if (!sites->mailbox[0])
        return refuse(recipe, root, "sites.mailbox",
                      "sites.members need a directory that all their files come through");
    if (recipe->train.shards == 0)
        return refuse(recipe, root, "train.shards",
                      "sites.members must say it, for it shows in all bits: as many as the most ranks a site may have");
    if (strcmp(sites->partition, "iid") != 0)
        return refuse(recipe, root, "sites.partition", "each of sites.members has data of its own (default iid)");
    const dt_span *const spans[] = {&sites->wait, &sites->deadline};
    static const char *const keys[] = {"sites.wait", "sites.deadline"};
    for (int i = 0; i < 2; i++)
        if (spans[i]->unit != DT_SPAN_SECONDS && spans[i]->unit != DT_SPAN_NEVER)
            return refuse(recipe, root, keys[i], "it must be a time, as in 30 min, or never");
    return dt_ok();
}

/* What of it depends on the members is for dt_masked_check (site/masked.h). */
static dt_status check_masks(const dt_recipe *recipe, const dt_yaml *root) {
    const dt_recipe_sites *sites = &recipe->sites;
    if (!sites->masks)
        return dt_recipe_check_default(recipe, root, "sites.threshold", "nothing is opened; sites.masks is not on");
    if (!dt_recipe_has_mailbox(recipe))
        return refuse(
            recipe, root, "sites.masks",
            "sites of one job have nothing to hide from it; masks are for sites.members, each in a job of its own");
    if (strcmp(sites->robust, "none") != 0)
        return refuse(recipe, root, "sites.masks",
                      "they hide the changes that sites.robust looks at one by one; use one of them");
    return dt_ok();
}

dt_status dt_recipe_check_sites(const dt_recipe *recipe, const dt_yaml *root) {
    const dt_recipe_sites *sites = &recipe->sites;
    int64_t all = dt_recipe_sites_of(recipe);
    if (all == 0) return check_absent(recipe, root);
    DT_TRY(check_mailbox(recipe, root));
    DT_TRY(check_masks(recipe, root));
    if (sites->count > 0 && sites->simulate > 0)
        return refuse(recipe, root, "sites.simulate", "sites.count says how many sites there are already; use one");
    if (sites->per_round > all) {
        char why[80];
        snprintf(why, sizeof why, "there are %lld sites, so at most as many take part", (long long)all);
        return refuse(recipe, root, "sites.per_round", why);
    }
    if ((sites->round.unit != DT_SPAN_STEPS && sites->round.unit != DT_SPAN_EPOCHS) || sites->round.value <= 0)
        return refuse(recipe, root, "sites.round", "it must be a number of steps or epochs (default 1 epoch)");
    if (sites->outer.kind == DT_OUTER_NESTEROV && sites->outer.momentum == 0)
        return refuse(recipe, root, "sites.outer.momentum", "nesterov needs momentum above 0 (try 0.8)");
    if (sites->control && (recipe->optimizer.kind != DT_SGD || recipe->groups))
        return refuse(recipe, root, "sites.control",
                      "control variates are mean gradients of sgd with one rate for all tensors (optimizer.kind: sgd, "
                      "no optimizer.groups)");
    const bool robust = strcmp(sites->robust, "none") != 0;
    if (robust && sites->weights != DT_SITE_WEIGHTS_EQUAL)
        return refuse(recipe, root, "sites.robust",
                      "a weight is a site's own word, which a hostile one chooses; say sites.weights: equal");
    if (robust && sites->control)
        return refuse(recipe, root, "sites.robust", "control variates have no robust mean; leave sites.control away");
    if (recipe->train.not_finite == DT_NOT_FINITE_ROLLBACK)
        return refuse(recipe, root, "train.not_finite", "a site cannot go back alone; use stop or skip");
    if (recipe->freeze)
        return dt_fail(DT_ERR_INPUT, "%s%s: model.freeze cannot go together with sites", dt_source_noun(root->source),
                       root->source);
    return check_data(recipe, root);
}
