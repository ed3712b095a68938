/* Weights in safetensors. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "data/safetensors.h"
#include "weights_kind.h"

/* A length below 2^40, and a header's first character behind it. */
static bool is(const unsigned char *begin, size_t bytes) {
    return bytes > 8 && begin[8] == '{' && begin[7] == 0 && begin[6] == 0 && begin[5] == 0;
}

static dt_status take(dt_weights_file *file, const dt_safetensor *tensor) {
    dt_weights_array *array = &file->arrays[file->count];
    if (snprintf(array->name, sizeof array->name, "%s", tensor->name) >= (int)sizeof array->name)
        return dt_fail(DT_ERR_INPUT, "%s: the name of an array is longer than %d bytes: %.60s…", file->path,
                       (int)sizeof array->name - 1, tensor->name);
    array->shape = tensor->shape;
    array->count = tensor->count;
    file->count++;
    return dt_ok();
}

static dt_status open_file(dt_weights_file *file) {
    dt_safetensors *own = file->own = dt_alloc(1, sizeof *own);
    if (!own) return dt_fail_memory("a file of weights", sizeof *own);
    DT_TRY(dt_safetensors_open(own, file->path));
    DT_TRY(dt_weights_reserve(file, own->count));
    for (int64_t i = 0; i < own->count; i++) DT_TRY(take(file, &own->tensors[i]));
    const char *layout = dt_safetensors_text(own, "layout");
    file->ours = layout && strncmp(layout, "dtrain", 6) == 0;
    return dt_ok();
}

static dt_status read_array(const dt_weights_file *file, int64_t i, float *out) {
    const dt_safetensors *own = file->own;
    return dt_safetensors_read(own, &own->tensors[i], out);
}

static void close_file(dt_weights_file *file) {
    if (file->own) dt_safetensors_close(file->own);
    dt_free(file->own);
}

const dt_weights_kind dt_weights_safetensors = {
    .name = "safetensors", .is = is, .open = open_file, .read = read_array, .close = close_file};
