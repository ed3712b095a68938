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

static bool has_sites(const dt_recipe *r) {
    return dt_recipe_sites_of(r) > 0;
}
static bool is_audited(const dt_recipe *r) {
    return r->train.audit > 0;
}

static const struct pitfall {
    bool (*is)(const dt_recipe *recipe);
    const char *key, *why;
} pitfalls[] = {
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
    {cuts_judges, "checkpoint.best",
     "the judge is cut from the private data, and what it chooses is not accounted for; use none, or data.test_x of "
     "public data"},
    {has_other_wire, "reduce.wire", "the noise is an integer on the sum of integers; use i32"},
    {is_audited, "train.audit", "a shard that another rank computes again is not yet told of the noise; set it to 0"},
    {rounds, "compute.precision", "norms are those of float32 products; use float32"},
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
    static const char *const keys[] = {"privacy.noise", "privacy.delta", "privacy.max_epsilon",
                                       "privacy.reproducible_noise", NULL};
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

dt_status dt_recipe_check_privacy(const dt_recipe *recipe, const dt_yaml *root) {
    if (recipe->privacy.clip == 0) return check_off(recipe, root);
    if (has_sites(recipe)) {
        const char *source = dt_recipe_source_of(root, "sites.count", "sites.simulate");
        return dt_fail(
            DT_ERR_INPUT,
            "%s%s: privacy.clip is for runs without sites: what is accounted for are steps, not rounds; leave "
            "out one of the two",
            dt_source_noun(source), source);
    }
    for (size_t i = 0; i < sizeof pitfalls / sizeof pitfalls[0]; i++)
        if (pitfalls[i].is(recipe)) return fail(recipe, root, pitfalls[i].key, pitfalls[i].why);
    return dt_ok();
}
