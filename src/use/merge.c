/* Weighted sums of checkpoints: averages of what several trained, points on the line between two, and differences,
 * which can be added to a third (Wortsman et al. 2022, "Model soups"; Ilharco et al. 2023, "Editing models with task
 * arithmetic"). Two passes: one adds up, one measures how far each was from the result. */
#include "merge.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alive.h"
#include "base/file.h"
#include "base/memory.h"
#include "data/publish.h"
#include "model/model.h"
#include "store/publish.h"
#include "trained.h"

typedef struct merging {
    const dt_merge_options *options;
    dt_merged *merged;
    dt_trained first; /* what the others must agree with */
    const dt_kernels *kernels;
    dt_model *model;
    const dt_table *table;
    dt_others *others; /* the first one's state besides weights */
    double *sum;       /* [table->total] */
    float *read;       /* likewise: of one of them, then the result */
    uint64_t digest;
} merging;

static double weight_of(const dt_merge_options *options, int i) {
    return options->weights ? options->weights[i] : 1.0 / options->count;
}

/* ---- that they mean the same ---- */

static dt_status differ(const merging *m, const char *path, const char *what) {
    return dt_fail(DT_ERR_INPUT, "%s and %s cannot be merged: %s", path, m->first.path, what);
}

static dt_status compare_layers(const merging *m, const dt_trained *other) {
    char *one = dt_yaml_emit(m->first.recipe.layers), *two = dt_yaml_emit(other->recipe.layers);
    bool there = one && two, same = there && strcmp(one, two) == 0;
    dt_free(one);
    dt_free(two);
    if (!there) return dt_fail_memory("the layers", 0);
    return same ? dt_ok() : differ(m, other->path, "they have other layers (dtrain inspect shows both recipes)");
}

static bool same_others(const dt_others *one, const dt_others *two, const char *prefix) {
    size_t length = strlen(prefix);
    int at = 0;
    for (int i = 0; i < one->count; i++) {
        const dt_extra *a = &one->arrays[i].array;
        if (strncmp(a->name, prefix, length) != 0) continue;
        while (at < two->count && strncmp(two->arrays[at].name, prefix, length) != 0) at++;
        const dt_extra *b = at < two->count ? &two->arrays[at++].array : NULL;
        if (!b || strcmp(a->name, b->name) != 0 || a->dtype != b->dtype || a->count != b->count ||
            memcmp(a->data, b->data, (size_t)a->count * dt_dtype_size(a->dtype)) != 0)
            return false;
    }
    while (at < two->count && strncmp(two->arrays[at].name, prefix, length) != 0) at++;
    return at == two->count;
}

/* What weights are about: without the same of these a mean of them is about nothing. */
static const struct {
    const char *prefix, *what;
} meanings[] = {
    {"vocab_", "their vocabularies differ, so the same row is of another token in each"},
    {"class_", "their classes differ, so the same output is of another class in each"},
    {"input_mean",
     "their inputs were scaled by other means and deviations (give both runs the same data.mean and data.std)"},
    {"input_std",
     "their inputs were scaled by other means and deviations (give both runs the same data.mean and data.std)"},
    {"target_", "their targets were scaled differently"},
};

static bool same_reals(const dt_reals *a, const dt_reals *b) {
    return a->count == b->count && memcmp(a->value, b->value, (size_t)a->count * sizeof *a->value) == 0;
}

static bool same_scale(const dt_recipe_scale *a, const dt_recipe_scale *b) {
    return a->normalize == b->normalize && same_reals(&a->mean, &b->mean) && same_reals(&a->std, &b->std);
}

static dt_status compare_meanings(const merging *m, const dt_trained *other) {
    dt_others *theirs;
    DT_TRY(dt_checkpoint_others(other->path, &theirs));
    dt_status status = dt_ok();
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings && status.code == DT_OK; i++)
        if (!same_others(m->others, theirs, meanings[i].prefix)) status = differ(m, other->path, meanings[i].what);
    dt_others_free(theirs);
    if (status.code != DT_OK) return status;
    const dt_recipe_data *a = &m->first.recipe.data, *b = &other->recipe.data;
    if (!same_scale(&a->scale, &b->scale))
        return differ(m, other->path, "their recipes scale inputs differently (data.normalize, mean, std)");
    if (!same_scale(&a->target, &b->target))
        return differ(m, other->path, "their recipes scale targets differently (data.target)");
    return dt_ok();
}

static dt_status check_other(const merging *m, const dt_trained *other) {
    DT_TRY(compare_layers(m, other));
    if (m->first.recipe.loss.kind != other->recipe.loss.kind)
        return differ(m, other->path, "they were trained with different losses");
    DT_TRY(dt_trained_fits(other->path, m->table, NULL, 0));
    return compare_meanings(m, other);
}

/* ---- adding up ---- */

static dt_status open_first(merging *m) {
    DT_TRY(dt_trained_open(&m->first, m->options->targets[0]));
    DT_TRY(dt_compute_open(&m->kernels, DT_ISA_AUTO, 1));
    DT_TRY(dt_trained_model(&m->first, m->kernels, 1, false, &m->model));
    m->table = dt_model_table(m->model);
    DT_TRY(dt_trained_fits(m->first.path, m->table, NULL, 0));
    DT_TRY(dt_checkpoint_others(m->first.path, &m->others));
    m->sum = dt_alloc(m->table->total, sizeof *m->sum);
    m->read = dt_alloc(m->table->total, sizeof *m->read);
    return m->sum && m->read ? dt_ok() : dt_fail_memory("the weights", m->table->total * sizeof *m->sum);
}

static dt_status add(merging *m, int i, const dt_trained *trained) {
    dt_merged *merged = &m->merged[i];
    snprintf(merged->path, sizeof merged->path, "%s", trained->path);
    merged->digest = trained->head.digest;
    merged->weight = weight_of(m->options, i);
    DT_TRY(dt_trained_read(trained->path, m->table, NULL, 0, m->read));
    for (size_t j = 0; j < m->table->total; j++) m->sum[j] += merged->weight * (double)m->read[j];
    dt_alive();
    return dt_ok();
}

static dt_status add_other(merging *m, int i) {
    dt_trained other;
    dt_status status = dt_trained_open(&other, m->options->targets[i]);
    if (status.code == DT_OK) status = check_other(m, &other);
    if (status.code == DT_OK) status = add(m, i, &other);
    dt_trained_close(&other);
    return status;
}

static dt_status measure(merging *m, int i) {
    double squares = 0;
    DT_TRY(dt_trained_read(m->merged[i].path, m->table, NULL, 0, m->read));
    for (size_t j = 0; j < m->table->total; j++) squares += pow((double)(float)m->sum[j] - (double)m->read[j], 2);
    m->merged[i].distance = sqrt(squares);
    return dt_ok();
}

static double round_sum(merging *m) {
    double squares = 0;
    for (size_t j = 0; j < m->table->total; j++) {
        m->read[j] = (float)m->sum[j];
        squares += (double)m->read[j] * (double)m->read[j];
    }
    return sqrt(squares);
}

/* ---- the result ---- */

/* What tells of the first one's way through its data, and would be told of the result. */
static bool is_of_its_course(const char *name) {
    static const char *const names[] = {"epoch_tally", "last_tally", "best",           "skips", "epoch_sums",
                                        "last_sums",   "best_value", "wire_exponents", "chain", NULL};
    for (const char *const *each = names; *each; each++)
        if (strcmp(*each, name) == 0) return true;
    return false;
}

static dt_status write(void *context, const char *path) {
    merging *m = context;
    const dt_checkpoint_head *head = &m->first.head;
    dt_extra extras[DT_MOST_OTHERS];
    dt_beside beside[DT_MOST_OTHERS];
    dt_section weights = {.group = "/weights", .table = m->table, .data = m->read};
    dt_state state = {.position = head->position,
                      .shards = head->shards,
                      .seed = head->seed,
                      .recipe = head->recipe,
                      .data = head->data,
                      .isa = head->isa[0] ? head->isa : NULL,
                      .sections = &weights,
                      .section_count = 1,
                      .extras = extras,
                      .beside = beside};
    for (int i = 0; i < m->others->count; i++) {
        const dt_other *other = &m->others->arrays[i];
        if (is_of_its_course(other->name)) continue;
        if (other->digested)
            extras[state.extra_count++] = other->array;
        else
            beside[state.beside_count++] = (dt_beside){.array = other->array};
    }
    return dt_checkpoint_save(path, &state, &m->digest);
}

static dt_status merge(merging *m, double *norm) {
    DT_TRY(dt_file_check_target(m->options->destination));
    DT_TRY(open_first(m));
    DT_TRY(add(m, 0, &m->first));
    for (int i = 1; i < m->options->count; i++) DT_TRY(add_other(m, i));
    for (int i = 0; i < m->options->count; i++) DT_TRY(measure(m, i));
    *norm = round_sum(m);
    if (!isfinite(*norm)) return dt_fail(DT_ERR_DIVERGED, "the sum of the weights is not finite");
    return dt_publish_file(m->options->destination, write, m);
}

dt_status dt_merge_run(const dt_merge_options *options, dt_merged *merged, uint64_t *digest, double *norm) {
    merging *m = dt_alloc(1, sizeof *m);
    if (!m) return dt_fail_memory("a merge", sizeof *m);
    m->options = options;
    m->merged = merged;
    dt_status status = merge(m, norm);
    *digest = m->digest;
    dt_model_destroy(m->model);
    dt_others_free(m->others);
    dt_free(m->sum);
    dt_free(m->read);
    dt_trained_close(&m->first);
    dt_free(m);
    return status;
}
