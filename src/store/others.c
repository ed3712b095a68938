/* What a checkpoint has besides weights and moments: small arrays, whatever they are called, for who makes another
 * checkpoint of the same model and has not to know them all. */
#include <stdio.h>
#include <string.h>

#include "base/guard.h"
#include "base/memory.h"
#include "store/checkpoint.h"
#include "store/h5.h"
#include "store_internal.h"

#define MOST_BYTES ((int64_t)256 << 20) /* of one: vocabularies and scales are smaller */

/* One array, as the child announces it before its values. */
typedef struct announced {
    char name[sizeof((dt_other *)0)->name];
    int32_t dtype, digested;
    int64_t order, count;
} announced;

typedef struct walk {
    dt_h5 *file;
    dt_guard *to;
    int64_t digested; /* datasets of the digest, which come first */
    dt_status status;
} walk;

static dt_status send_array(walk *w, const char *path) {
    dt_h5_info info;
    announced array = {.digested = 0};
    DT_TRY(dt_h5_describe(w->file, path, &info));
    DT_TRY(dt_h5_get_int(w->file, path, "order", &array.order));
    snprintf(array.name, sizeof array.name, "%s", path + strlen("/state/"));
    array.dtype = (int32_t)info.dtype;
    array.count = dt_shape_count(&info.shape);
    array.digested = array.order < w->digested;
    if (info.shape.rank != 1 || array.count * (int64_t)dt_dtype_size(info.dtype) > MOST_BYTES) return dt_ok();
    DT_TRY(dt_guard_send(w->to, &array, sizeof array));
    dt_item item = {.dtype = info.dtype, .shape = info.shape, .bytes = (size_t)array.count * dt_dtype_size(info.dtype)};
    snprintf(item.dataset, sizeof item.dataset, "%s", path);
    uint64_t hash;
    return dt_item_read(w->file, &item, w->to, &hash);
}

static bool visit(void *context, const char *path, char kind) {
    walk *w = context;
    bool text = strcmp(path, DT_CHECKPOINT_DATA) == 0 || strcmp(path, DT_CHECKPOINT_ISA) == 0;
    if (kind == 'd' && strncmp(path, "/state/", 7) == 0 && !text) w->status = send_array(w, path);
    return w->status.code == DT_OK;
}

/* In the child. */
static dt_status send_all(void *context, dt_h5 *file, dt_guard *to) {
    (void)context;
    walk w = {.file = file, .to = to};
    DT_TRY(dt_h5_get_int(file, "/", "datasets", &w.digested));
    DT_TRY(dt_h5_walk(file, visit, &w));
    DT_TRY(w.status);
    announced end = {.order = -1};
    return dt_guard_send(to, &end, sizeof end);
}

static dt_status take_array(dt_others *others, const announced *array, dt_guard *from) {
    if (others->count == DT_MOST_OTHERS) return dt_fail(DT_ERR_CORRUPT, "it has more than %d arrays", DT_MOST_OTHERS);
    bool sound = array->name[0] && memchr(array->name, '\0', sizeof array->name) && array->dtype >= 0 &&
                 array->dtype < DT_DTYPE_COUNT && array->count >= 0 && array->count <= MOST_BYTES;
    if (!sound) return dt_fail(DT_ERR_CORRUPT, "what it has besides weights cannot be read");
    size_t bytes = (size_t)array->count * dt_dtype_size((dt_dtype)array->dtype);
    dt_other *other = &others->arrays[others->count];
    snprintf(other->name, sizeof other->name, "%s", array->name);
    other->order = array->order;
    other->digested = array->digested != 0;
    other->array = (dt_extra){other->name, (dt_dtype)array->dtype, array->count, dt_alloc(bytes + 1, 1)};
    if (!other->array.data) return dt_fail_memory(other->name, bytes);
    others->count++;
    return dt_guard_take(from, other->array.data, bytes);
}

static dt_status take_all(void *context, dt_guard *from) {
    dt_others *others = context;
    for (;;) {
        announced array;
        DT_TRY(dt_guard_take(from, &array, sizeof array));
        if (array.order < 0) return dt_ok();
        DT_TRY(take_array(others, &array, from));
    }
}

static void sort(dt_others *others) {
    for (int i = 1; i < others->count; i++)
        for (int j = i; j > 0 && others->arrays[j - 1].order > others->arrays[j].order; j--) {
            dt_other swapped = others->arrays[j];
            others->arrays[j] = others->arrays[j - 1];
            others->arrays[j - 1] = swapped;
        }
    for (int i = 0; i < others->count; i++) others->arrays[i].array.name = others->arrays[i].name;
}

dt_status dt_checkpoint_others(const char *path, dt_others **out) {
    dt_others *others = *out = dt_alloc(1, sizeof *others);
    if (!others) return dt_fail_memory("what a checkpoint has besides weights", sizeof *others);
    dt_status status = dt_h5_run(&(dt_h5_job){.path = path, .work = send_all, .take = take_all, .context = others});
    if (status.code == DT_OK) {
        sort(others);
        return status;
    }
    dt_others_free(others);
    *out = NULL;
    return dt_status_within(status, "%s", path);
}

void dt_others_free(dt_others *others) {
    for (int i = 0; others && i < others->count; i++) dt_free(others->arrays[i].array.data);
    dt_free(others);
}
