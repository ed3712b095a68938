/* In the place of safetensors.c where there is no jansson: such files are refused. */
#include <string.h>

#include "base/absent.h"
#include "data/safetensors.h"

static dt_status fail_absent(const char *path) {
    return dt_fail(DT_ERR_INPUT, "%s: this dtrain was built without %s, which safetensors need", path, DT_LACKS_JSON);
}

dt_status dt_safetensors_open(dt_safetensors *out, const char *path) {
    memset(out, 0, sizeof *out);
    return fail_absent(path);
}

void dt_safetensors_close(dt_safetensors *file) {
    (void)file;
}

const dt_safetensor *dt_safetensors_find(const dt_safetensors *file, const char *name) {
    (void)file, (void)name;
    return NULL;
}

const char *dt_safetensors_text(const dt_safetensors *file, const char *key) {
    (void)file, (void)key;
    return NULL;
}

dt_status dt_safetensors_read(const dt_safetensors *file, const dt_safetensor *tensor, float *out) {
    (void)tensor, (void)out;
    return fail_absent(file->path);
}

dt_status dt_safetensors_write(const char *path, const dt_named_array *arrays, int64_t count,
                               const dt_named_text *texts, int64_t text_count) {
    (void)arrays, (void)count, (void)texts, (void)text_count;
    return fail_absent(path);
}
