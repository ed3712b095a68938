/* What a checkpoint is to those who use it: which one of a run is meant, the recipe it was made by, its weights. */
#include "trained.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"

dt_status dt_trained_find(const char *target, char path[4096]) {
    struct stat info;
    if (stat(target, &info) != 0) return dt_fail(DT_ERR_INPUT, "%s: no such checkpoint or run directory", target);
    if (!S_ISDIR(info.st_mode)) {
        snprintf(path, 4096, "%s", target);
        return dt_checkpoint_verify(target, NULL);
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

static dt_state state_of(dt_section *weights, dt_extra *extras, int extra_count) {
    return (dt_state){.sections = weights, .section_count = 1, .extras = extras, .extra_count = extra_count};
}

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
