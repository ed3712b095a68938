/* Inputs that have names: parts of a row, each with an array of its own in the caller's program. */
#include <stdio.h>
#include <string.h>

#include "handles.h"

int64_t dtrain_parts(const dtrain_model *model) {
    return model->part_count;
}

static const dt_input *part_at(const dtrain_model *model, int64_t part) {
    return part >= 0 && part < model->part_count ? &model->parts[part] : NULL;
}

const char *dtrain_part_name(const dtrain_model *model, int64_t part) {
    const dt_input *found = part_at(model, part);
    return found ? found->name : NULL;
}

int64_t dtrain_part_named(const dtrain_model *model, const char *name) {
    for (int64_t i = 0; name && i < model->part_count; i++)
        if (strcmp(model->parts[i].name, name) == 0) return i;
    return -1;
}

int64_t dtrain_part_first(const dtrain_model *model, int64_t part) {
    const dt_input *found = part_at(model, part);
    return found ? found->first : -1;
}

int64_t dtrain_part_numbers(const dtrain_model *model, int64_t part) {
    const dt_input *found = part_at(model, part);
    return found ? dt_shape_count(&found->shape) : -1;
}

int dtrain_part_shape(const dtrain_model *model, int64_t part, int64_t shape[DTRAIN_MAX_RANK]) {
    const dt_input *found = part_at(model, part);
    if (!found) return -1;
    for (int i = 0; i < found->shape.rank; i++) shape[i] = found->shape.dim[i];
    return found->shape.rank;
}

dt_status dt_parts_check(const dt_parts *parts, const char *name, bool some) {
    if (!parts->array) return dt_fail(DT_ERR_USAGE, "%s is NULL", name);
    const bool alone = parts->count == 1 && parts->part->first == 0 && strcmp(parts->part->name, "input") == 0;
    for (int64_t i = 0; i < parts->count; i++) {
        if (some && !parts->array[i].data) continue;
        char shown[64];
        snprintf(shown, sizeof shown, "%s", name);
        if (!alone) snprintf(shown, sizeof shown, "%s[%lld], of `%s`,", name, (long long)i, parts->part[i].name);
        DT_TRY(dt_check_array(&parts->array[i], shown));
    }
    return dt_ok();
}
