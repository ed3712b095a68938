/* Weights in a NumPy archive (numpy.savez). Members that are no arrays of numbers, such as texts, are left out. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "npz_read.h"
#include "numbers.h"
#include "weights_kind.h"

typedef struct own {
    dt_npz *npz;
    int64_t member[DT_MOST_WEIGHTS]; /* of array i */
} own;

static bool is(const unsigned char *begin, size_t bytes) {
    return bytes >= 4 && memcmp(begin, "PK\x03\x04", 4) == 0;
}

static dt_status take(dt_weights_file *file, own *o, int64_t i) {
    dt_npy_source source;
    dt_npy npy;
    const char *name = dt_npz_name(o->npz, i);
    DT_TRY(dt_npz_member(o->npz, i, &source));
    dt_status status = dt_npy_open(&npy, &source);
    if (status.code == DT_ERR_INPUT) { /* of another type; what our own files say of their layout is a text */
        file->ours = file->ours || strcmp(name, "layout") == 0;
        return dt_ok();
    }
    DT_TRY(status);
    dt_weights_array *array = &file->arrays[file->count];
    if (snprintf(array->name, sizeof array->name, "%s", name) >= (int)sizeof array->name) return dt_ok();
    array->shape = npy.shape;
    array->count = dt_shape_count(&npy.shape);
    o->member[file->count++] = i;
    return dt_ok();
}

static dt_status open_file(dt_weights_file *file) {
    own *o = file->own = dt_alloc(1, sizeof *o);
    if (!o) return dt_fail_memory("a file of weights", sizeof *o);
    DT_TRY(dt_npz_open(&o->npz, file->path));
    DT_TRY(dt_weights_reserve(file, dt_npz_count(o->npz)));
    for (int64_t i = 0; i < dt_npz_count(o->npz); i++) DT_TRY(take(file, o, i));
    return dt_ok();
}

static dt_status read_array(const dt_weights_file *file, int64_t i, float *out) {
    const own *o = file->own;
    dt_npy_source source;
    dt_npy npy;
    DT_TRY(dt_npz_member(o->npz, o->member[i], &source));
    DT_TRY(dt_npy_open(&npy, &source));
    size_t count = (size_t)file->arrays[i].count, width = dt_dtype_size(npy.dtype);
    void *values = dt_alloc(count + 1, width > npy.item ? width : npy.item);
    if (!values) return dt_fail_memory(file->arrays[i].name, count * width);
    dt_status status = dt_npy_read(&npy, &source, values);
    if (status.code == DT_OK) status = dt_npz_check_end(o->npz);
    for (size_t j = 0; j < count && status.code == DT_OK; j++)
        out[j] = (float)dt_number_at(values, npy.dtype, (int64_t)j);
    dt_free(values);
    return status;
}

static void close_file(dt_weights_file *file) {
    own *o = file->own;
    if (o) dt_npz_close(o->npz);
    dt_free(o);
}

const dt_weights_kind dt_weights_npz = {
    .name = "npz", .is = is, .open = open_file, .read = read_array, .close = close_file};
