/* What a checkpoint is to those who use it: which one of a run is meant, the recipe it was made by, its weights. */
#include "trained.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/ranks.h"
#include "batch.h"
#include "extras.h"
#include "store/h5.h"

dt_status dt_trained_find(const char *target, char path[4096]) {
    DT_TRY(dt_trained_newest(target, path));
    return strcmp(path, target) == 0 ? dt_checkpoint_verify(path, NULL) : dt_ok();
}

dt_status dt_trained_newest(const char *target, char path[4096]) {
    struct stat info;
    if (stat(target, &info) != 0) return dt_fail(DT_ERR_INPUT, "%s: no such checkpoint or run directory", target);
    if (!S_ISDIR(info.st_mode)) {
        snprintf(path, 4096, "%s", target);
        return dt_ok();
    }
    char directory[4096];
    DT_TRY(dt_path_join(directory, target, "checkpoints"));
    DT_TRY(dt_checkpoint_newest(directory, path));
    return path[0] ? dt_ok() : dt_fail(DT_ERR_INPUT, "%s: no checkpoint here yet", target);
}

dt_status dt_trained_recipe(const char *path, dt_checkpoint_head *head, dt_recipe *recipe) {
    DT_TRY(dt_checkpoint_head_read(path, head));
    return dt_recipe_read_resolved(recipe, path, head->recipe);
}

dt_status dt_trained_rounded(const dt_kernels *kernels, const dt_real *weights, size_t count, dt_bf16 **rounded) {
    *rounded = dt_alloc(count, sizeof **rounded);
    if (!*rounded) return dt_fail_memory("the rounded weights", count * sizeof **rounded);
    kernels->to_bf16(*rounded, weights, (int64_t)count);
    return dt_ok();
}

/* ---- opened ---- */

/* What older versions wrote does not tell the shape of samples. */
static dt_status recall(dt_trained *t) {
    if (!t->head.data)
        return dt_fail(DT_ERR_INPUT,
                       "%s: an older version wrote it, which does not say what its data was; a step more of the run "
                       "writes one that does",
                       t->path);
    dt_source_request request = {.file = t->recipe.data.file,
                                 .data = &t->recipe.data,
                                 .loss = (dt_loss)t->recipe.loss.kind,
                                 .in_order = true,
                                 .vocabulary = t->vocabulary.size,
                                 .streams = t->recipe.train.batch,
                                 .trained = t->head.data,
                                 .checkpoint = t->path};
    return dt_source_recall(&t->source, &request);
}

dt_status dt_trained_open(dt_trained *t, const char *target) {
    memset(t, 0, sizeof *t);
    dt_ranks alone = dt_ranks_alone();
    DT_TRY(dt_trained_find(target, t->path));
    DT_TRY(dt_trained_recipe(t->path, &t->head, &t->recipe));
    if (t->recipe.data.context > 0) DT_TRY(dt_vocabulary_read(&t->vocabulary, t->path));
    DT_TRY(dt_classes_open(&t->classes, &alone, t->path));
    DT_TRY(recall(t));
    return dt_scales_open(&t->scales, &t->source, &t->recipe.data);
}

void dt_trained_close(dt_trained *t) {
    dt_free(t->weights);
    dt_free(t->weights16);
    dt_scales_close(&t->scales);
    dt_source_close(&t->source);
    dt_classes_finish(&t->classes);
    dt_vocabulary_finish(&t->vocabulary);
    dt_recipe_finish(&t->recipe);
    dt_checkpoint_head_finish(&t->head);
    memset(t, 0, sizeof *t);
}

dt_status dt_trained_model(dt_trained *t, const dt_kernels *kernels, int64_t rows, bool training, dt_model **out) {
    dt_model_spec spec = dt_model_spec_of(&t->source, &t->recipe, rows, training);
    DT_TRY(dt_model_create(out, t->recipe.layers, &t->recipe.loss, &spec, kernels));
    return dt_targets_settle(&t->source.targets, &t->classes, false, dt_model_outputs(*out));
}

static dt_state state_of(dt_section *weights, dt_extra *extras, int extra_count) {
    return (dt_state){.sections = weights, .section_count = 1, .extras = extras, .extra_count = extra_count};
}

dt_status dt_trained_load(dt_trained *t, const dt_kernels *kernels, const dt_model *model) {
    const dt_table *table = dt_model_table(model);
    dt_extra extras[DT_SCALES_EXTRAS];
    int extra_count = dt_scales_extras(&t->recipe.data, &t->scales, extras);
    DT_TRY(dt_trained_fits(t->path, table, extras, extra_count));
    t->weights = dt_alloc(table->total, sizeof *t->weights);
    if (!t->weights) return dt_fail_memory("the weights", table->total * sizeof *t->weights);
    dt_section section = {.group = "/weights", .table = table, .data = t->weights};
    dt_beside seen[DT_RANGES_BESIDE];
    dt_state state = state_of(&section, extras, extra_count);
    state.beside = seen;
    state.beside_count = dt_ranges_beside(&t->source, &t->scales, seen);
    DT_TRY(dt_checkpoint_load(t->path, &state, true));
    dt_scales_loaded(&t->scales, &t->recipe.data);
    if (t->recipe.compute.precision != DT_PRECISION_BF16) return dt_ok();
    return dt_trained_rounded(kernels, t->weights, table->total, &t->weights16);
}

/* ---- parts ---- */

dt_status dt_trained_fits(const char *path, const dt_table *table, dt_extra *extras, int extra_count) {
    dt_section section = {.group = "/weights", .table = table};
    dt_state state = state_of(&section, extras, extra_count);
    return dt_checkpoint_fits(path, &state);
}

dt_status dt_trained_read(const char *path, const dt_table *table, dt_extra *extras, int extra_count,
                          dt_real *weights) {
    dt_section section = {.group = "/weights", .table = table, .data = weights};
    dt_state state = state_of(&section, extras, extra_count);
    return dt_checkpoint_load(path, &state, true);
}

dt_status dt_trained_weights(const char *path, const dt_table *table, dt_real **weights) {
    *weights = NULL;
    DT_TRY(dt_trained_fits(path, table, NULL, 0));
    *weights = dt_alloc(table->total, sizeof **weights);
    if (!*weights) return dt_fail_memory("the weights", table->total * sizeof **weights);
    return dt_trained_read(path, table, NULL, 0, *weights);
}
