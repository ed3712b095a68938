/* Verifying a checkpoint: everything in the file is read and compared with its hashes and the digest, without knowing
 * the model. Memory is taken for a piece at a time, whatever the file claims to be. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "dtrain/guard.h"
#include "dtrain/h5.h"
#include "dtrain/memory.h"
#include "store_internal.h"

/* Datasets found by a walk, by their `order`. */
typedef struct found_items {
    dt_h5 *file;
    dt_status status;
    int64_t expected;
    dt_item *items; /* [expected] */
    size_t file_bytes;
} found_items;

static bool find_item(void *context, const char *path, char kind) {
    found_items *found = context;
    if (kind != 'd') return true;
    int64_t order = -1;
    found->status = dt_h5_get_int(found->file, path, "order", &order);
    if (found->status.code != DT_OK) return false;
    if (order < 0 || order >= found->expected || found->items[order].dataset[0]) {
        found->status = dt_fail(DT_ERR_CORRUPT, "%s: %s has no place in the digest", dt_h5_path(found->file), path);
        return false;
    }
    dt_item *item = &found->items[order];
    dt_h5_info info;
    found->status = dt_h5_describe(found->file, path, &info);
    if (found->status.code != DT_OK) return false;
    snprintf(item->dataset, sizeof item->dataset, "%s", path);
    item->dtype = info.dtype;
    item->shape = info.shape;
    item->bytes = (size_t)dt_shape_count(&info.shape) * dt_dtype_size(info.dtype);
    size_t most = info.chunk_rows == 0 ? found->file_bytes : found->file_bytes * DT_H5_MOST_PACKED;
    if (item->bytes > most)
        found->status = dt_fail(DT_ERR_CORRUPT, "%s: %s claims %zu bytes, more than the file can hold",
                                dt_h5_path(found->file), path, item->bytes);
    return found->status.code == DT_OK;
}

static dt_status verify_items(found_items *found, dt_digest *digest) {
    for (int64_t i = 0; i < found->expected; i++) {
        dt_item *item = &found->items[i];
        if (!item->dataset[0])
            return dt_fail(DT_ERR_CORRUPT, "%s: dataset number %lld is missing", dt_h5_path(found->file), (long long)i);
        uint64_t hash;
        DT_TRY(dt_item_read(found->file, item, NULL, &hash));
        dt_digest_add(digest, item->dataset, hash);
    }
    return dt_ok();
}

static dt_status verify_open(dt_h5 *file, const dt_checkpoint_head *head, uint64_t *digest) {
    struct stat info;
    if (stat(dt_h5_path(file), &info) != 0) return dt_fail(DT_ERR_IO, "%s: %s", dt_h5_path(file), strerror(errno));
    found_items found = {.file = file, .file_bytes = (size_t)info.st_size};
    DT_TRY(dt_h5_get_int(file, "/", "datasets", &found.expected));
    if (found.expected < 1 || found.expected > 1000000)
        return dt_fail(DT_ERR_CORRUPT, "%s: it claims %lld datasets", dt_h5_path(file), (long long)found.expected);
    found.items = dt_alloc((size_t)found.expected, sizeof *found.items);
    if (!found.items) return dt_fail_memory("a list of datasets", (size_t)found.expected * sizeof *found.items);
    dt_digest running;
    dt_digest_begin(&running, &head->position, head->shards, head->seed);
    dt_status status = dt_h5_walk(file, find_item, &found);
    if (status.code == DT_OK) status = found.status;
    if (status.code == DT_OK) status = verify_items(&found, &running);
    dt_free(found.items);
    DT_TRY(status);
    if (running.value != head->digest) return dt_fail_digest(dt_h5_path(file), head->digest, running.value);
    *digest = running.value;
    return dt_ok();
}

dt_status dt_checkpoint_verify_here(const char *path, uint64_t *digest) {
    dt_h5 *file;
    dt_checkpoint_head head;
    DT_TRY(dt_checkpoint_open(&file, path, &head));
    dt_status status = verify_open(file, &head, digest);
    dt_checkpoint_head_finish(&head);
    dt_status closed = dt_h5_close(&file);
    return status.code == DT_OK ? closed : status;
}

/* ---- in a child ---- */

typedef struct verify_job {
    const char *path;
    uint64_t digest;
} verify_job;

static dt_status send_digest(void *context, dt_guard *to) {
    verify_job *job = context;
    DT_TRY(dt_checkpoint_verify_here(job->path, &job->digest));
    return dt_guard_send(to, &job->digest, sizeof job->digest);
}

static dt_status take_digest(void *context, dt_guard *from) {
    verify_job *job = context;
    return dt_guard_take(from, &job->digest, sizeof job->digest);
}

dt_status dt_checkpoint_verify(const char *path, uint64_t *digest) {
    verify_job job = {path, 0};
    dt_status status =
        dt_guard_run(&(dt_guard_job){.path = path, .work = send_digest, .take = take_digest, .context = &job});
    if (digest) *digest = job.digest;
    return status;
}
