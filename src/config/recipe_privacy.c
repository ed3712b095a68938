/* What a private recipe must not ask for: whatever lets a sample act on the result past its clipped gradient, or makes
 * the accounting untrue. Each is refused with its field's name; what depends on the data, not on the recipe, is told
 * when that is there (run/privacy.c). */
#include <stdio.h>
#include <string.h>

#include "recipe_internal.h"
#include "shown.h"

static bool scales_from_data(const dt_recipe *r) {
    return r->data.scale.normalize == DT_NORMALIZE_STANDARDISE || r->data.scale.normalize == DT_NORMALIZE_MIN_MAX;
}
static bool scales_targets_from_data(const dt_recipe *r) {
    return r->data.target.normalize == DT_NORMALIZE_STANDARDISE || r->data.target.normalize == DT_NORMALIZE_MIN_MAX;
}
static bool fills_from_data(const dt_recipe *r) {
    return r->data.missing == DT_MISSING_MEAN;
}
static bool weighs_from_data(const dt_recipe *r) {
    return r->train.class_weights.count == DT_CLASS_WEIGHTS_BALANCED;
}
static bool weighs_samples(const dt_recipe *r) {
    return r->data.train_weights[0] != '\0';
}
static bool cuts_by_labels(const dt_recipe *r) {
    return r->data.split_stratify;
}
static bool shuffles(const dt_recipe *r) {
    return r->data.shuffle != DT_SHUFFLE_GLOBAL;
}
static bool is_text(const dt_recipe *r) {
    return r->data.context > 0 && r->data.objective != DT_OBJECTIVE_CLASS;
}
static bool reads_in_pieces(const dt_recipe *r) {
    return r->data.memory > 0;
}
static bool clips_sum(const dt_recipe *r) {
    return r->optimizer.clip_norm > 0;
}
static bool clips_values(const dt_recipe *r) {
    return r->optimizer.clip_value > 0;
}
static bool skips_by_data(const dt_recipe *r) {
    return r->train.not_finite != DT_NOT_FINITE_STOP;
}
static bool cuts_judges(const dt_recipe *r) {
    return r->checkpoint.best != DT_BEST_NONE && dt_recipe_cuts(&r->data, DT_SPLIT_TRAIN);
}
static bool has_other_wire(const dt_recipe *r) {
    return r->reduce.wire != DT_WIRE_I32;
}
static bool rounds(const dt_recipe *r) {
    return r->compute.precision != DT_PRECISION_FLOAT32;
}

static bool weighs_sites(const dt_recipe *r) {
    return r->sites.weights != DT_SITE_WEIGHTS_EQUAL;
}
static bool leaves_sites_out(const dt_recipe *r) {
    return strcmp(r->sites.robust, "none") != 0;
}
static bool has_control(const dt_recipe *r) {
    return r->sites.control;
}
static bool keeps_errors(const dt_recipe *r) {
    return r->sites.wire != DT_SITE_WIRE_I32;
}
static bool keeps_moments(const dt_recipe *r) {
    return r->sites.optimizer != DT_SITE_OPTIMIZER_RESET && !dt_recipe_has_mailbox(r);
}
static bool keeps_tensors(const dt_recipe *r) {
    return r->sites.local[0] != '\0' && !dt_recipe_has_mailbox(r);
}
static bool draws_openly(const dt_recipe *r) {
    const int64_t drawn = r->sites.per_round;
    return dt_recipe_has_mailbox(r) && drawn > 0 && drawn < dt_recipe_sites_of(r);
}
static bool is_audited(const dt_recipe *r) {
    return r->train.audit > 0;
}

typedef struct pitfall {
    bool (*is)(const dt_recipe *recipe);
    const char *key, *why;
} pitfall;

/* Whatever is hidden. */
static const pitfall of_both[] = {
    {cuts_judges, "checkpoint.best",
     "the judge is cut from the private data, and what it chooses is not accounted for; use none, or data.test_x of "
     "public data"},
    {NULL, NULL, NULL},
};

/* Where it is samples. */
static const pitfall of_samples[] = {
    {scales_from_data, "data.normalize",
     "scales found in the training samples tell of them; give them (given, with data.mean and data.std), from public "
     "data"},
    {scales_targets_from_data, "data.target.normalize",
     "scales found in the training targets tell of them; give them (given, with data.target.mean and data.target.std)"},
    {fills_from_data, "data.missing",
     "the means of the training samples tell of them; use drop, or fill them in beforehand"},
    {weighs_from_data, "train.class_weights",
     "how many samples the classes have tells of them; give the weights as a list"},
    {weighs_samples, "data.train_weights", "weights are scaled by all samples', which tells of them; leave them out"},
    {cuts_by_labels, "data.split.stratify",
     "which samples are trained on would depend on the labels of others; leave it out"},
    {shuffles, "data.shuffle", "batches are drawn by Poisson sampling, which is what is accounted for; leave it out"},
    {is_text, "data.context",
     "windows of a running text are no samples of which one may be left out; use objective class, with rows"},
    {reads_in_pieces, "data.memory", "batches are drawn from all samples, which must be mapped; set it to 0"},
    {clips_sum, "optimizer.clip_norm",
     "it would clip the noise with the sum; privacy.clip clips every sample's gradient; set it to 0"},
    {clips_values, "optimizer.clip_value",
     "it would clip the noise with the sum; privacy.clip clips every sample's gradient; set it to 0"},
    {skips_by_data, "train.not_finite", "which steps are left out would tell of the samples in them; use stop"},
    {has_other_wire, "reduce.wire", "the noise is an integer on the sum of integers; use i32"},
    {is_audited, "train.audit", "a shard that another rank computes again is not yet told of the noise; set it to 0"},
    {rounds, "compute.precision", "norms are those of float32 products; use float32"},
    {NULL, NULL, NULL},
};

/* Where it is sites. What a site does with its own samples is its own affair, but for what others see of it. */
static const pitfall of_sites[] = {
    {weighs_sites, "sites.weights", "a site of many samples would count for more than privacy.clip; use equal"},
    {leaves_sites_out, "sites.robust", "what it leaves out follows from single changes; use none"},
    {has_control, "sites.control", "control variates would be a second change, without noise; set it to false"},
    {keeps_errors, "sites.wire", "what few bits lose would come with the changes after, unaccounted for; use i32"},
    {keeps_moments, "sites.optimizer",
     "moments of every site would be in this job's checkpoints without noise; use reset"},
    {keeps_tensors, "sites.local",
     "tensors of every site would be in this job's checkpoints without noise; leave it out"},
    {draws_openly, "sites.per_round", "the members all know who is drawn, so that hides nobody; leave it out"},
    {NULL, NULL, NULL},
};

static dt_status fail(const dt_recipe *recipe, const dt_yaml *root, const char *key, const char *why) {
    char text[DT_VALUE_TEXT], shown[DT_SHOWN];
    dt_field_text(dt_field_find(dt_recipe_fields, key), recipe, text);
    const char *source = dt_recipe_source_of(root, key, "privacy.clip");
    return dt_fail(DT_ERR_INPUT, "%s%s: %s is %s, which voids the promise of privacy: %s", dt_source_noun(source),
                   source, key, dt_shown(text, shown), why);
}

/* Fields that only a private recipe reads. */
static dt_status check_off(const dt_recipe *recipe, const dt_yaml *root) {
    static const char *const keys[] = {"privacy.noise",
                                       "privacy.delta",
                                       "privacy.max_epsilon",
                                       "privacy.unit",
                                       "privacy.honest",
                                       "privacy.reproducible_noise",
                                       NULL};
    for (int i = 0; keys[i]; i++) {
        const dt_field *field = dt_field_find(dt_recipe_fields, keys[i]);
        if (dt_field_is_default(field, recipe)) continue;
        char text[DT_VALUE_TEXT], shown[DT_SHOWN];
        dt_field_text(field, recipe, text);
        const char *source = dt_recipe_source_of(root, keys[i], NULL);
        return dt_fail(DT_ERR_INPUT,
                       "%s%s: %s is %s but privacy.clip is 0, so training would not be private; set privacy.clip",
                       dt_source_noun(source), source, keys[i], dt_shown(text, shown));
    }
    return dt_ok();
}

static dt_status look_for(const pitfall *pitfalls, const dt_recipe *recipe, const dt_yaml *root) {
    for (; pitfalls->is; pitfalls++)
        if (pitfalls->is(recipe)) return fail(recipe, root, pitfalls->key, pitfalls->why);
    return dt_ok();
}

static dt_status refuse(const dt_yaml *root, const char *key, const char *why) {
    const char *source = dt_recipe_source_of(root, key, "privacy.clip");
    return dt_fail(DT_ERR_INPUT, "%s%s: %s", dt_source_noun(source), source, why);
}

/* That what is hidden is there, and is hidden where it is. */
static dt_status check_unit(const dt_recipe *recipe, const dt_yaml *root) {
    const bool hides_sites = recipe->privacy.unit == DT_PRIVATE_SITE, has_sites = dt_recipe_sites_of(recipe) > 0;
    if (hides_sites && !has_sites)
        return refuse(root, "privacy.unit", "privacy.unit is site, but there are no sites (sites.…)");
    if (!hides_sites && has_sites && !dt_recipe_has_mailbox(recipe))
        return refuse(root, "sites.count",
                      "privacy.unit is sample, and a job of several sites has one secret and one budget: name "
                      "sites.members, each a job with its own, or say privacy.unit: site");
    if (recipe->privacy.honest > 0 && (!hides_sites || !recipe->sites.masks))
        return refuse(root, "privacy.honest",
                      "privacy.honest is for shares of noise that nobody sees by themselves: with privacy.unit: site "
                      "and sites.masks");
    return dt_ok();
}

dt_status dt_recipe_check_privacy(const dt_recipe *recipe, const dt_yaml *root) {
    if (recipe->privacy.clip == 0) return check_off(recipe, root);
    DT_TRY(check_unit(recipe, root));
    DT_TRY(look_for(of_both, recipe, root));
    return look_for(recipe->privacy.unit == DT_PRIVATE_SITE ? of_sites : of_samples, recipe, root);
}
