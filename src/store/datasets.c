#include "store/datasets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/guard.h"
#include "base/hash.h"
#include "base/memory.h"
#include "store/h5.h"
#include "store_internal.h"

size_t dt_dataset_bytes(const dt_dataset *one) {
    return (size_t)dt_shape_count(&one->shape) * dt_dtype_size(one->dtype);
}

void dt_datasets_finish(dt_datasets *datasets) {
    dt_free(datasets->all);
    memset(datasets, 0, sizeof *datasets);
}

static dt_status take_room(dt_datasets *out, int64_t count) {
    memset(out, 0, sizeof *out);
    if (count < 1 || count > DT_MOST_DATASETS)
        return dt_fail(DT_ERR_CORRUPT, "it claims %lld datasets", (long long)count);
    out->all = dt_alloc((size_t)count, sizeof *out->all);
    if (!out->all) return dt_fail_memory("a list of datasets", (size_t)count * sizeof *out->all);
    out->count = count;
    return dt_ok();
}

/* ---- of a file, in a child ---- */

typedef struct listing {
    dt_h5 *file;
    dt_datasets list;
    dt_status status;
} listing;

static dt_status describe(const listing *l, const char *path, dt_dataset *one) {
    dt_h5_info info;
    char *stored, *end;
    DT_TRY(dt_h5_describe(l->file, path, &info));
    DT_TRY(dt_h5_get_text(l->file, path, "hash", &stored));
    one->hash = strtoull(stored, &end, 16);
    bool whole = end != stored && *end == '\0';
    dt_free(stored);
    if (!whole) return dt_fail(DT_ERR_CORRUPT, "%s: the hash of a dataset is no number", dt_h5_path(l->file));
    snprintf(one->name, sizeof one->name, "%s", path);
    one->dtype = info.dtype;
    one->shape = info.shape;
    return dt_ok();
}

/* Those of the digest come first in the file's order. */
static bool visit(void *context, const char *path, char kind) {
    listing *l = context;
    int64_t order = -1;
    if (kind != 'd') return true;
    l->status = dt_h5_get_int(l->file, path, "order", &order);
    if (l->status.code == DT_OK && order >= 0 && order < l->list.count) {
        dt_dataset *one = &l->list.all[order];
        l->status = one->name[0]
                        ? dt_fail(DT_ERR_CORRUPT, "%s: two datasets have one place in the digest", dt_h5_path(l->file))
                        : describe(l, path, one);
    }
    return l->status.code == DT_OK;
}

static dt_status check_digest(const dt_datasets *list, const dt_checkpoint_head *head, const char *path) {
    dt_digest digest;
    dt_digest_begin(&digest, &head->position, head->shards, head->seed);
    for (int64_t i = 0; i < list->count; i++) dt_digest_add(&digest, list->all[i].name, list->all[i].hash);
    return digest.value == head->digest ? dt_ok() : dt_fail_digest(path, "digest", head->digest, digest.value);
}

typedef struct list_job {
    const char *path;
    dt_datasets *out;
} list_job;

static dt_status send_list(void *context, dt_guard *to) {
    const list_job *job = context;
    listing l;
    dt_checkpoint_head head;
    int64_t count = 0;
    memset(&l, 0, sizeof l);
    DT_TRY(dt_checkpoint_open(&l.file, job->path, &head));
    dt_status status = dt_h5_get_int(l.file, "/", "datasets", &count);
    if (status.code == DT_OK) status = take_room(&l.list, count);
    if (status.code == DT_OK) status = dt_h5_walk(l.file, visit, &l);
    if (status.code == DT_OK) status = l.status;
    if (status.code == DT_OK) status = check_digest(&l.list, &head, job->path);
    if (status.code == DT_OK) status = dt_guard_send(to, &count, sizeof count);
    if (status.code == DT_OK) status = dt_guard_send(to, l.list.all, (size_t)count * sizeof *l.list.all);
    dt_checkpoint_head_finish(&head);
    dt_datasets_finish(&l.list);
    dt_h5_close(&l.file);
    return status;
}

/* Checkpoints are not packed: none has more values than the file has bytes. */
static bool is_sound(const dt_dataset *one, size_t file_bytes) {
    bool sound = one->name[0] && memchr(one->name, '\0', sizeof one->name) && (int)one->dtype >= 0 &&
                 one->dtype < DT_DTYPE_COUNT && one->shape.rank >= 0 && one->shape.rank <= DT_MAX_RANK;
    size_t bytes = sound ? dt_dtype_size(one->dtype) : 0;
    for (int i = 0; sound && i < one->shape.rank; i++)
        sound = one->shape.dim[i] >= 0 && dt_size_mul(bytes, (size_t)one->shape.dim[i], &bytes) && bytes <= file_bytes;
    return sound;
}

static dt_status take_list(void *context, dt_guard *from) {
    const list_job *job = context;
    int64_t count = 0;
    struct stat info;
    if (stat(job->path, &info) != 0) return dt_fail(DT_ERR_IO, "%s: %s", job->path, strerror(errno));
    DT_TRY(dt_guard_take(from, &count, sizeof count));
    DT_TRY(take_room(job->out, count));
    DT_TRY(dt_guard_take(from, job->out->all, (size_t)count * sizeof *job->out->all));
    for (int64_t i = 0; i < count; i++)
        if (!is_sound(&job->out->all[i], (size_t)info.st_size))
            return dt_fail(DT_ERR_CORRUPT, "%s: a dataset of it makes no sense", job->path);
    return dt_ok();
}

dt_status dt_datasets_of_file(const char *path, dt_datasets *out) {
    memset(out, 0, sizeof *out);
    list_job job = {path, out};
    return dt_guard_run(&(dt_guard_job){.path = path, .work = send_list, .take = take_list, .context = &job});
}

static dt_item item_of(const dt_dataset *one) {
    dt_item item = {.dtype = one->dtype, .shape = one->shape, .bytes = dt_dataset_bytes(one)};
    snprintf(item.dataset, sizeof item.dataset, "%s", one->name);
    return item;
}

typedef struct read_job {
    const dt_dataset *one;
    void *values;
} read_job;

static dt_status send_values(void *context, dt_h5 *file, dt_guard *to) {
    const read_job *job = context;
    dt_item item = item_of(job->one);
    uint64_t hash;
    return dt_item_read(file, &item, to, &hash);
}

static dt_status take_values(void *context, dt_guard *from) {
    const read_job *job = context;
    return dt_guard_take(from, job->values, dt_dataset_bytes(job->one));
}

dt_status dt_dataset_read(const char *path, const dt_dataset *one, void **values) {
    read_job job = {one, *values = dt_alloc(dt_dataset_bytes(one), 1)};
    if (!*values) return dt_fail_memory(one->name, dt_dataset_bytes(one));
    return dt_h5_run(&(dt_h5_job){.path = path, .work = send_values, .take = take_values, .context = &job});
}

/* ---- of a state ---- */

dt_status dt_datasets_of_state(const dt_state *state, dt_datasets *out) {
    DT_TRY(take_room(out, dt_state_count(state)));
    for (int i = 0; i < dt_state_count(state); i++) {
        dt_item item = dt_state_item(state, i);
        dt_dataset *one = &out->all[i];
        snprintf(one->name, sizeof one->name, "%s", item.dataset);
        one->dtype = item.dtype;
        one->shape = item.shape;
        one->hash = dt_hash_bytes(item.data, item.bytes);
    }
    return dt_ok();
}

dt_status dt_dataset_copy(const dt_state *state, int index, void **values) {
    dt_item item = dt_state_item(state, index);
    *values = dt_alloc(item.bytes, 1);
    if (!*values) return dt_fail_memory(item.dataset, item.bytes);
    memcpy(*values, item.data, item.bytes);
    return dt_ok();
}
