/* What the fields of a recipe ask of each other. A field that the chosen optimizer, schedule or loss does not read must
 * have its default: a `final` rate under a constant schedule is a forgotten line more often than an intention, and
 * would otherwise be ignored without a word. */
#include <stdio.h>
#include <string.h>

#include "base/append.h"
#include "recipe_internal.h"
#include "shown.h"

/* Fields that only some kinds read. */
#define BIT(kind) (1u << (kind))
static const struct reader {
    const char *key, *kind_key;
    unsigned kinds;
} readers[] = {
    {"data.mean", "data.normalize", BIT(DT_NORMALIZE_GIVEN)},
    {"data.std", "data.normalize", BIT(DT_NORMALIZE_GIVEN)},
    {"data.normalize_by", "data.normalize", BIT(DT_NORMALIZE_STANDARDISE) | BIT(DT_NORMALIZE_MIN_MAX)},
    {"data.target.mean", "data.target.normalize", BIT(DT_NORMALIZE_GIVEN)},
    {"data.target.std", "data.target.normalize", BIT(DT_NORMALIZE_GIVEN)},
    {"data.target.normalize_by", "data.target.normalize", BIT(DT_NORMALIZE_STANDARDISE) | BIT(DT_NORMALIZE_MIN_MAX)},
    {"data.target.normalize", "model.loss", BIT(DT_LOSS_MEAN_SQUARED_ERROR)},
    {"data.shuffle_block", "data.shuffle", BIT(DT_SHUFFLE_BLOCK)},
    {"data.shuffle_window", "data.shuffle", BIT(DT_SHUFFLE_BLOCK)},
    {"data.mask_rate", "data.objective", BIT(DT_OBJECTIVE_MASKED)},
    {"data.pad", "data.objective", BIT(DT_OBJECTIVE_CLASS)},
    {"model.label_smoothing", "model.loss", BIT(DT_LOSS_SOFTMAX_CROSS_ENTROPY) | BIT(DT_LOSS_BINARY_CROSS_ENTROPY)},
    {"optimizer.momentum", "optimizer.kind", BIT(DT_SGD) | BIT(DT_RMSPROP)},
    {"optimizer.nesterov", "optimizer.kind", BIT(DT_SGD)},
    {"optimizer.beta1", "optimizer.kind", BIT(DT_ADAM) | BIT(DT_ADAMW) | BIT(DT_LAMB)},
    {"optimizer.beta2", "optimizer.kind", BIT(DT_ADAM) | BIT(DT_ADAMW) | BIT(DT_LAMB)},
    {"optimizer.rho", "optimizer.kind", BIT(DT_RMSPROP)},
    {"optimizer.eps", "optimizer.kind",
     BIT(DT_ADAM) | BIT(DT_ADAMW) | BIT(DT_RMSPROP) | BIT(DT_ADAGRAD) | BIT(DT_LAMB)},
    {"sites.outer.momentum", "sites.outer.kind", BIT(DT_OUTER_SGD) | BIT(DT_OUTER_NESTEROV)},
    {"sites.outer.beta1", "sites.outer.kind", BIT(DT_OUTER_ADAM)},
    {"sites.outer.beta2", "sites.outer.kind", BIT(DT_OUTER_ADAM)},
    {"sites.outer.eps", "sites.outer.kind", BIT(DT_OUTER_ADAM)},
    {"schedule.period", "schedule.kind", BIT(DT_SCHEDULE_STEP)},
    {"schedule.factor", "schedule.kind", BIT(DT_SCHEDULE_STEP)},
    {"schedule.final", "schedule.kind", BIT(DT_SCHEDULE_COSINE) | BIT(DT_SCHEDULE_LINEAR) | BIT(DT_SCHEDULE_ONE_CYCLE)},
    {"schedule.initial", "schedule.kind", BIT(DT_SCHEDULE_ONE_CYCLE)},
    {"schedule.peak", "schedule.kind", BIT(DT_SCHEDULE_ONE_CYCLE)},
};

/* "sgd and rmsprop" */
static void name_kinds(const char *const *choices, unsigned kinds, char *out, size_t size) {
    out[0] = '\0';
    for (int i = 0; choices[i]; i++) {
        if (!(kinds & BIT(i))) continue;
        const char *joint = out[0] == '\0' ? "" : kinds >> i == 1 ? " and " : ", ";
        dt_append(out, size, "%s%s", joint, choices[i]);
    }
}

static dt_status check_reader(const dt_recipe *recipe, const dt_yaml *root, const struct reader *reader) {
    const dt_field *field = dt_field_find(dt_recipe_fields, reader->key);
    const dt_field *kind = dt_field_find(dt_recipe_fields, reader->kind_key);
    int chosen;
    memcpy(&chosen, (const char *)recipe + kind->offset, sizeof chosen);
    if ((reader->kinds & BIT(chosen)) || dt_field_is_default(field, recipe)) return dt_ok();
    char is[DT_SHOWN + 2], kinds[128];
    dt_recipe_show_value(field, recipe, is);
    name_kinds(kind->choices, reader->kinds, kinds, sizeof kinds);
    const char *source = dt_recipe_source_of(root, reader->key, NULL);
    return dt_fail(DT_ERR_INPUT, "%s%s: %s is %s but %s is %s, which does not use it; it is for %s (default %s)",
                   dt_source_noun(source), source, reader->key, is, reader->kind_key, kind->choices[chosen], kinds,
                   field->fallback);
}

/* Fields that only text has, and fields that it does not have. */
static const char *const text_keys[] = {"data.train_tokens",
                                        "data.validation_tokens",
                                        "data.test_tokens",
                                        "data.vocabulary",
                                        "data.windows",
                                        "data.objective",
                                        NULL};
static const char *const other_keys[] = {"data.train_x",      "data.validation_x",  "data.test_x",
                                         "data.samples",      "data.samples_axis",  "data.reversed",
                                         "data.normalize",    "data.missing",       "data.mean",
                                         "data.std",          "data.channels",      "data.augment.crop_padding",
                                         "data.augment.flip", "data.augment.input", NULL};
static const char *const target_keys[] = {"data.train_y", "data.validation_y", "data.test_y", NULL};

static dt_status check_text(const dt_recipe *recipe, const dt_yaml *root) {
    bool text = recipe->data.context > 0, labels = !text || recipe->data.objective == DT_OBJECTIVE_CLASS;
    static const char *const weight_keys[] = {"data.train_weights", "train.class_weights", NULL};
    for (int i = 0; !labels && weight_keys[i]; i++)
        DT_TRY(dt_recipe_check_default(recipe, root, weight_keys[i],
                                       "a text's tokens count alike; only rows with a class are weighed"));
    if (text)
        DT_TRY(dt_recipe_check_default(
            recipe, root, "data.memory",
            "a text needs no bound: its tokens are mapped where they are, or unpacked to data.spool, "
            "and take no memory that is not given back"));
    for (int i = 0; !text && text_keys[i]; i++)
        DT_TRY(dt_recipe_check_default(recipe, root, text_keys[i], "data.context is 0: it is for text"));
    for (int i = 0; text && other_keys[i]; i++)
        DT_TRY(dt_recipe_check_default(recipe, root, other_keys[i],
                                       "data.context makes the data a text, which has data.train_tokens instead"));
    for (int i = 0; !labels && target_keys[i]; i++)
        DT_TRY(dt_recipe_check_default(recipe, root, target_keys[i],
                                       "only a text with data.objective class has targets besides its tokens"));
    return dt_ok();
}

/* What is cut from the training data is not named besides. */
static dt_status check_split(const dt_recipe *recipe, const dt_yaml *root) {
    static const char *const named[DT_SPLIT_COUNT][4] = {
        [DT_SPLIT_VALIDATION] = {"data.validation_x", "data.validation_y", "data.validation_tokens", NULL},
        [DT_SPLIT_TEST] = {"data.test_x", "data.test_y", "data.test_tokens", NULL}};
    static const char *const how[] = {"data.split.by", "data.split.order", "data.split.stratify", "data.split.seed",
                                      NULL};
    const dt_recipe_data *data = &recipe->data;
    bool text = data->context > 0 && data->objective != DT_OBJECTIVE_CLASS;
    for (int i = 0; !dt_recipe_cuts(data, DT_SPLIT_TRAIN) && how[i]; i++)
        DT_TRY(dt_recipe_check_default(recipe, root, how[i],
                                       "nothing is split; it goes with data.split.test or validation"));
    for (int split = DT_SPLIT_VALIDATION; split <= DT_SPLIT_TEST; split++) {
        char key[32], why[80];
        snprintf(key, sizeof key, "data.split.%s", dt_split_name((dt_split)split));
        snprintf(why, sizeof why, "%s cuts these from the training data", key);
        if (text)
            DT_TRY(
                dt_recipe_check_default(recipe, root, key, "a text is split where it is made (import text --split)"));
        for (int i = 0; dt_recipe_cuts(data, (dt_split)split) && named[split][i]; i++)
            DT_TRY(dt_recipe_check_default(recipe, root, named[split][i], why));
    }
    return dt_ok();
}

/* Pairs of fields that do not go together. */
static bool micro_batch_too_large(const dt_recipe *r) {
    return r->train.micro_batch > r->train.batch;
}
static bool too_many_shards(const dt_recipe *r) {
    return r->train.shards > r->train.batch;
}
static bool nesterov_without_momentum(const dt_recipe *r) {
    return r->optimizer.nesterov && r->optimizer.momentum == 0;
}
static bool patience_without_measure(const dt_recipe *r) {
    return r->train.patience > 0 && r->checkpoint.best == DT_BEST_NONE;
}
static bool judged_by_test(const dt_recipe *r) {
    return r->checkpoint.best == DT_BEST_TEST_LOSS || r->checkpoint.best == DT_BEST_TEST_ACCURACY;
}
static bool judged_by_validation(const dt_recipe *r) {
    return r->checkpoint.best == DT_BEST_VALIDATION_LOSS || r->checkpoint.best == DT_BEST_VALIDATION_ACCURACY;
}
static bool best_without_test(const dt_recipe *r) {
    return judged_by_test(r) && r->data.context == 0 && !dt_recipe_has(&r->data, DT_SPLIT_TEST);
}
static bool best_without_test_text(const dt_recipe *r) {
    return judged_by_test(r) && r->data.context > 0 && !dt_recipe_has(&r->data, DT_SPLIT_TEST);
}
static bool best_of_cut_test(const dt_recipe *r) {
    return judged_by_test(r) && r->data.split_validation > 0;
}
static bool best_without_validation(const dt_recipe *r) {
    return judged_by_validation(r) && r->data.context == 0 && !dt_recipe_has(&r->data, DT_SPLIT_VALIDATION);
}
static bool best_without_validation_text(const dt_recipe *r) {
    return judged_by_validation(r) && r->data.context > 0 && !dt_recipe_has(&r->data, DT_SPLIT_VALIDATION);
}
static bool best_of_test_set_aside(const dt_recipe *r) {
    return judged_by_test(r) && r->data.context == 0 && r->data.validation_x[0];
}
static bool best_of_test_text_set_aside(const dt_recipe *r) {
    return judged_by_test(r) && r->data.context > 0 && r->data.validation_tokens[0];
}
static bool has_targets(const dt_recipe *r) {
    return r->data.context == 0 || r->data.objective == DT_OBJECTIVE_CLASS;
}
static bool validation_without_targets(const dt_recipe *r) {
    return has_targets(r) && (r->data.context > 0 ? r->data.validation_tokens : r->data.validation_x)[0] &&
           !r->data.validation_y[0];
}
static bool test_without_targets(const dt_recipe *r) {
    return dt_recipe_has(&r->data, DT_SPLIT_TEST) && !dt_recipe_cuts(&r->data, DT_SPLIT_TEST) && !r->data.test_y[0];
}
static bool nothing_left_to_train(const dt_recipe *r) {
    return r->data.split_test + r->data.split_validation >= 1;
}
static bool groups_and_classes(const dt_recipe *r) {
    return r->data.split_stratify && r->data.split_by[0];
}
static bool samples_twice(const dt_recipe *r) {
    return r->data.samples == DT_SAMPLES_LAST && r->data.samples_axis != 0;
}
static bool streams_without_next(const dt_recipe *r) {
    return r->data.windows == DT_WINDOWS_STREAM && r->data.objective != DT_OBJECTIVE_NEXT;
}
static bool text_in_order(const dt_recipe *r) {
    return r->data.context > 0 && r->data.objective != DT_OBJECTIVE_CLASS && r->data.shuffle == DT_SHUFFLE_NONE;
}
static bool text_without_classes(const dt_recipe *r) {
    return r->data.context > 0 && r->data.objective != DT_OBJECTIVE_CLASS &&
           r->loss.kind != DT_LOSS_SOFTMAX_CROSS_ENTROPY;
}

#define DT_SET_ASIDE                                                                                                   \
    "with validation data the run is judged by it (validation_loss), and the test data is kept for dtrain eval"

static const struct pair {
    bool (*clash)(const dt_recipe *recipe);
    const char *key, *other, *right;
} pairs[] = {
    {micro_batch_too_large, "train.micro_batch", "train.batch", "a micro-batch is at most the whole batch"},
    {too_many_shards, "train.shards", "train.batch", "a shard needs at least one sample of every batch"},
    {nesterov_without_momentum, "optimizer.nesterov", "optimizer.momentum", "it needs momentum above 0 (try 0.9)"},
    {patience_without_measure, "train.patience", "checkpoint.best", "patience needs a measure (try test_loss)"},
    {best_without_test, "checkpoint.best", "data.test_x", "the best is judged on test data"},
    {best_without_test_text, "checkpoint.best", "data.test_tokens", "the best is judged on test data"},
    {best_without_validation, "checkpoint.best", "data.validation_x", "the best is judged on validation data"},
    {best_without_validation_text, "checkpoint.best", "data.validation_tokens",
     "the best is judged on validation data"},
    {best_of_cut_test, "checkpoint.best", "data.split.validation", DT_SET_ASIDE},
    {best_of_test_set_aside, "checkpoint.best", "data.validation_x", DT_SET_ASIDE},
    {best_of_test_text_set_aside, "checkpoint.best", "data.validation_tokens", DT_SET_ASIDE},
    {samples_twice, "data.samples_axis", "data.samples", "say where samples are with one of them"},
    {nothing_left_to_train, "data.split.validation", "data.split.test", "some must be left to train on"},
    {groups_and_classes, "data.split.stratify", "data.split.by",
     "groups stay whole, so classes cannot be cut; choose one"},
    {streams_without_next, "data.windows", "data.objective",
     "streams are read from left to right, so they predict next"},
    {text_in_order, "data.shuffle", "data.context", "a text's windows are in no order; see data.windows"},
    {text_without_classes, "model.loss", "data.objective", "tokens are predicted with softmax_cross_entropy"},
    {validation_without_targets, "data.validation_y", "data.validation_x", "name both, or neither"},
    {test_without_targets, "data.test_y", "data.test_x", "name both, or set data.test_x: \"\" for no test"},
};

static dt_status check_pair(const dt_recipe *recipe, const dt_yaml *root, const struct pair *pair) {
    if (!pair->clash(recipe)) return dt_ok();
    char is[DT_SHOWN + 2], other[DT_SHOWN + 2];
    dt_recipe_show_value(dt_field_find(dt_recipe_fields, pair->key), recipe, is);
    dt_recipe_show_value(dt_field_find(dt_recipe_fields, pair->other), recipe, other);
    const char *source = dt_recipe_source_of(root, pair->key, pair->other);
    return dt_fail(DT_ERR_INPUT, "%s%s: %s is %s but %s is %s; %s", dt_source_noun(source), source, pair->key, is,
                   pair->other, other, pair->right);
}

static dt_status check_time_limit(const dt_recipe *recipe, const dt_yaml *root) {
    dt_span_unit unit = recipe->train.time_limit.unit;
    if (unit == DT_SPAN_NEVER || unit == DT_SPAN_SECONDS) return dt_ok();
    char is[DT_SHOWN + 2];
    dt_recipe_show_value(dt_field_find(dt_recipe_fields, "train.time_limit"), recipe, is);
    const char *source = dt_recipe_source_of(root, "train.time_limit", NULL);
    return dt_fail(DT_ERR_INPUT,
                   "%s%s: train.time_limit is %s; it must be a time, such as 90 min or 2 h (train.stop_after counts "
                   "steps and epochs)",
                   dt_source_noun(source), source, is);
}

dt_status dt_recipe_check(const dt_recipe *recipe, const dt_yaml *root) {
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) DT_TRY(check_reader(recipe, root, &readers[i]));
    DT_TRY(check_text(recipe, root));
    DT_TRY(check_split(recipe, root));
    DT_TRY(check_time_limit(recipe, root));
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) DT_TRY(check_pair(recipe, root, &pairs[i]));
    return dt_ok();
}

/* Layers for pictures and series take channels last. */
dt_status dt_recipe_check_first_layer(const dt_recipe *recipe) {
    static const char *const kinds[] = {"conv2d",          "conv1d",          "max_pool", "avg_pool",
                                        "global_max_pool", "global_avg_pool", "upsample", "batch_norm"};
    const dt_yaml *layer = recipe->layers->first;
    const char *kind = layer->kind == DT_YAML_MAP && layer->first ? layer->first->key : layer->text;
    for (size_t i = 0; kind && recipe->data.channels == DT_CHANNELS_FIRST && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kind, kinds[i]) == 0)
            return dt_fail(DT_ERR_INPUT,
                           "%s%s: the first layer is %s, which takes channels last, but data.channels is first; set "
                           "data.channels: first_to_last, which moves them",
                           dt_source_noun(layer->source), layer->source, kind);
    return dt_ok();
}
