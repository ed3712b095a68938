/* Verifying a checkpoint: everything in the file is read and compared with its hashes and the digest, without knowing
 * the model. Memory is taken for a piece at a time, whatever the file claims to be. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/guard.h"
#include "base/headway.h"
#include "base/memory.h"
#include "store/h5.h"
#include "store_internal.h"

/* Datasets found by a walk, by their `order`. */
typedef struct found_items {
    dt_h5 *file;
    dt_status status;
    int64_t expected, digested;
    dt_item *items; /* [expected], those of the digest first */
    size_t file_bytes;
    dt_guard *to; /* who is told how far it is */
} found_items;

/* Said before each dataset: bytes that were read, of all; and last, with `done` -1. */
typedef struct so_far {
    int64_t done, all;
} so_far;

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

/* *digest goes on over all; *at_digest is what it was where the digest ends. */
static dt_status verify_items(found_items *found, dt_digest *digest, uint64_t *at_digest) {
    so_far far = {0, 0};
    for (int64_t i = 0; i < found->expected; i++) far.all += (int64_t)found->items[i].bytes;
    for (int64_t i = 0; i < found->expected; i++) {
        dt_item *item = &found->items[i];
        DT_TRY(dt_guard_send(found->to, &far, sizeof far));
        if (!item->dataset[0])
            return dt_fail(DT_ERR_CORRUPT, "%s: dataset number %lld is missing", dt_h5_path(found->file), (long long)i);
        uint64_t hash;
        DT_TRY(dt_item_read(found->file, item, NULL, &hash));
        dt_digest_add(digest, item->dataset, hash);
        far.done += (int64_t)item->bytes;
        if (i + 1 == found->digested) *at_digest = digest->value;
    }
    far.done = -1;
    return dt_guard_send(found->to, &far, sizeof far);
}

static dt_status check_seal(dt_h5 *file, uint64_t found) {
    char *stored, text[17];
    DT_TRY(dt_h5_get_text(file, "/", "seal", &stored));
    dt_digest_text(found, text);
    bool same = strcmp(stored, text) == 0;
    uint64_t value = strtoull(stored, NULL, 16);
    dt_free(stored);
    return same ? dt_ok() : dt_fail_digest(dt_h5_path(file), "seal", value, found);
}

static dt_status verify_open(dt_h5 *file, const dt_checkpoint_head *head, dt_guard *to, uint64_t *digest) {
    struct stat info;
    if (stat(dt_h5_path(file), &info) != 0) return dt_fail(DT_ERR_IO, "%s: %s", dt_h5_path(file), strerror(errno));
    found_items found = {.file = file, .file_bytes = (size_t)info.st_size, .to = to};
    DT_TRY(dt_h5_get_int(file, "/", "datasets", &found.digested));
    if (found.digested < 1 || found.digested > DT_MOST_DATASETS || head->beside < 0 || head->beside > DT_MOST_DATASETS)
        return dt_fail(DT_ERR_CORRUPT, "%s: it claims %lld datasets and %lld beside", dt_h5_path(file),
                       (long long)found.digested, (long long)head->beside);
    found.expected = found.digested + head->beside;
    found.items = dt_alloc((size_t)found.expected, sizeof *found.items);
    if (!found.items) return dt_fail_memory("a list of datasets", (size_t)found.expected * sizeof *found.items);
    dt_digest running;
    dt_digest_begin(&running, &head->position, head->shards, head->seed);
    dt_status status = dt_h5_walk(file, find_item, &found);
    if (status.code == DT_OK) status = found.status;
    uint64_t at_digest = 0;
    if (status.code == DT_OK) status = verify_items(&found, &running, &at_digest);
    dt_free(found.items);
    DT_TRY(status);
    if (at_digest != head->digest) return dt_fail_digest(dt_h5_path(file), "digest", head->digest, at_digest);
    *digest = at_digest;
    return head->version > 1 ? check_seal(file, running.value) : dt_ok();
}

static dt_status verify_whole(const char *path, dt_guard *to, uint64_t *digest) {
    dt_h5 *file;
    dt_checkpoint_head head;
    DT_TRY(dt_checkpoint_open(&file, path, &head));
    dt_status status = verify_open(file, &head, to, digest);
    dt_checkpoint_head_finish(&head);
    dt_status closed = dt_h5_close(&file);
    return status.code == DT_OK ? closed : status;
}

/* A file that cannot be opened is no damaged one; what cannot be read of one that can is damage. */
static dt_status verify(const char *path, dt_guard *to, uint64_t *digest) {
    int fd;
    DT_TRY(dt_file_open(path, &fd, NULL));
    close(fd);
    dt_status status = verify_whole(path, to, digest);
    if (status.code == DT_ERR_IO) status.code = DT_ERR_CORRUPT;
    return status;
}

/* ---- in a child ---- */

typedef struct verify_job {
    const char *path;
    uint64_t digest;
} verify_job;

static dt_status send_digest(void *context, dt_guard *to) {
    verify_job *job = context;
    DT_TRY(verify(job->path, to, &job->digest));
    return dt_guard_send(to, &job->digest, sizeof job->digest);
}

static dt_status take_digest(void *context, dt_guard *from) {
    verify_job *job = context;
    dt_headway headway;
    so_far far = {0, 0};
    dt_status status = dt_guard_take(from, &far, sizeof far);
    dt_headway_begin(&headway, "bytes", far.all, "verifying %s", job->path);
    while (status.code == DT_OK && far.done >= 0) {
        dt_headway_at(&headway, far.done);
        status = dt_guard_take(from, &far, sizeof far);
    }
    dt_headway_end(&headway);
    return status.code == DT_OK ? dt_guard_take(from, &job->digest, sizeof job->digest) : status;
}

dt_status dt_checkpoint_verify(const char *path, uint64_t *digest) {
    verify_job job = {path, 0};
    dt_status status =
        dt_guard_run(&(dt_guard_job){.path = path, .work = send_digest, .take = take_digest, .context = &job});
    if (digest) *digest = job.digest;
    return status;
}

static dt_status compare_shapes(void *context, dt_h5 *file, dt_guard *to) {
    const dt_state *state = context;
    (void)to;
    dt_h5_info info;
    for (int i = 0; i < dt_state_count(state); i++) {
        dt_item item = dt_state_item(state, i);
        DT_TRY(dt_item_check(file, &item, &info));
    }
    return dt_ok();
}

dt_status dt_checkpoint_fits(const char *path, const dt_state *state) {
    dt_state looked_at = *state;
    return dt_h5_run(&(dt_h5_job){.path = path, .work = compare_shapes, .context = &looked_at});
}
