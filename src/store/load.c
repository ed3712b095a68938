/* A checkpoint's arrays, read into the state of a run: by a child, which compares every one with its hash. */
#include <string.h>

#include "base/guard.h"
#include "base/hash.h"
#include "base/headway.h"
#include "base/memory.h"
#include "store/checkpoint.h"
#include "store/h5.h"
#include "store_internal.h"

/* Rows that are in memory at once: whatever a file claims, reading it takes little. */
#define READ_BYTES ((size_t)16 << 20)

static dt_status read_pieces(dt_h5 *file, const dt_item *item, int64_t rows, dt_hasher *hasher, dt_guard *to) {
    size_t row_bytes = item->bytes / (size_t)rows;
    int64_t at_once = row_bytes < READ_BYTES ? (int64_t)(READ_BYTES / row_bytes) : 1;
    if (at_once > rows) at_once = rows;
    void *piece = dt_alloc((size_t)at_once, row_bytes);
    if (!piece) return dt_fail_memory(item->dataset, (size_t)at_once * row_bytes);
    dt_status status = dt_ok();
    for (int64_t first = 0; first < rows && status.code == DT_OK; first += at_once) {
        int64_t count = rows - first < at_once ? rows - first : at_once;
        status = dt_h5_read_rows(file, item->dataset, item->dtype, first, count, piece);
        if (status.code != DT_OK) break;
        dt_hasher_add(hasher, piece, (size_t)count * row_bytes);
        if (to) status = dt_guard_send(to, piece, (size_t)count * row_bytes);
    }
    dt_free(piece);
    return status;
}

static dt_status read_values(dt_h5 *file, const dt_item *item, dt_guard *to, uint64_t *hash) {
    dt_hasher *hasher = dt_hasher_open();
    if (!hasher) return dt_fail_memory("a hash", 0);
    int64_t rows = item->shape.rank ? item->shape.dim[0] : 1;
    dt_status status = item->bytes > 0 ? read_pieces(file, item, rows, hasher, to) : dt_ok();
    *hash = dt_hasher_value(hasher);
    dt_hasher_close(hasher);
    return status;
}

dt_status dt_item_check(dt_h5 *file, const dt_item *item, dt_h5_info *info) {
    DT_TRY(dt_h5_describe(file, item->dataset, info));
    char mine[96], theirs[96];
    dt_shape_text(&item->shape, mine);
    dt_shape_text(&info->shape, theirs);
    if (strcmp(mine, theirs) == 0 && info->dtype == item->dtype) return dt_ok();
    return dt_fail(DT_ERR_INPUT, "%s: %s is %s %s, but the recipe's is %s %s", dt_h5_path(file), item->dataset,
                   dt_dtype_name(info->dtype), theirs, dt_dtype_name(item->dtype), mine);
}

dt_status dt_item_read(dt_h5 *file, const dt_item *item, dt_guard *to, uint64_t *hash) {
    dt_h5_info info;
    DT_TRY(dt_h5_hold(file, item->dataset));
    DT_TRY(dt_item_check(file, item, &info));
    DT_TRY(read_values(file, item, to, hash));
    char *stored, found[17];
    DT_TRY(dt_h5_get_text(file, item->dataset, "hash", &stored));
    dt_digest_text(*hash, found);
    dt_status status = dt_ok();
    if (strcmp(stored, found) != 0)
        status = dt_fail(DT_ERR_CORRUPT, "%s: %s does not match its hash (stored %.16s, read %s)", dt_h5_path(file),
                         item->dataset, stored, found);
    dt_free(stored);
    return status;
}

dt_status dt_fail_digest(const char *path, const char *which, uint64_t stored, uint64_t found) {
    return dt_fail(DT_ERR_CORRUPT, "%s: its %s does not match (stored %016llx, read %016llx): an attribute was changed",
                   path, which, (unsigned long long)stored, (unsigned long long)found);
}

typedef struct load_job {
    const char *path;
    dt_state *state;
    bool part;
    dt_checkpoint_head head;
} load_job;

/* What the file has of what is beside the digest: for each whether it is there, and it. */
static dt_status send_beside(const dt_state *state, dt_h5 *file, dt_guard *to) {
    uint64_t hash;
    for (int i = 0; i < state->beside_count; i++) {
        dt_item item = dt_state_item(state, dt_state_count(state) + i);
        bool found = dt_h5_has(file, item.dataset);
        DT_TRY(dt_guard_send(to, &found, sizeof found));
        if (found) DT_TRY(dt_item_read(file, &item, to, &hash));
    }
    return dt_ok();
}

static dt_status take_beside(dt_state *state, dt_guard *from) {
    for (int i = 0; i < state->beside_count; i++) {
        dt_item item = dt_state_item(state, dt_state_count(state) + i);
        unsigned char found = 0;
        DT_TRY(dt_guard_take(from, &found, sizeof found));
        state->beside[i].found = found != 0;
        if (found) DT_TRY(dt_guard_take(from, item.data, item.bytes));
    }
    return dt_ok();
}

static dt_status send_items(const load_job *job, dt_h5 *file, dt_guard *to) {
    uint64_t hash;
    for (int i = 0; i < dt_state_count(job->state); i++) {
        dt_item item = dt_state_item(job->state, i);
        DT_TRY(dt_item_read(file, &item, to, &hash));
    }
    int64_t datasets;
    DT_TRY(dt_h5_get_int(file, "/", "datasets", &datasets));
    if (!job->part && datasets != dt_state_count(job->state))
        return dt_fail(DT_ERR_INPUT, "%s: it has %lld datasets, but the recipe makes %d: another network or optimizer",
                       dt_h5_path(file), (long long)datasets, dt_state_count(job->state));
    return send_beside(job->state, file, to);
}

static dt_status send_state(void *context, dt_guard *to) {
    load_job *job = context;
    dt_h5 *file;
    DT_TRY(dt_checkpoint_open(&file, job->path, &job->head));
    dt_checkpoint_head_finish(&job->head);
    dt_status status = dt_guard_send(to, &job->head, sizeof job->head);
    if (status.code == DT_OK) status = send_items(job, file, to);
    dt_h5_close(&file);
    return status;
}

static dt_status take_item(const dt_item *item, dt_guard *from, dt_headway *headway, int64_t *done) {
    char *at = item->data;
    for (size_t left = item->bytes; left > 0;) {
        size_t piece = left < READ_BYTES ? left : READ_BYTES;
        DT_TRY(dt_guard_take(from, at, piece));
        at += piece;
        left -= piece;
        dt_headway_at(headway, *done += (int64_t)piece);
    }
    return dt_ok();
}

static dt_status take_items(const load_job *job, dt_guard *from) {
    dt_headway headway;
    dt_status status = dt_ok();
    int64_t all = 0, done = 0;
    int count = dt_state_count(job->state);
    for (int i = 0; i < count; i++) all += (int64_t)dt_state_item(job->state, i).bytes;
    dt_headway_begin(&headway, "bytes", all, "reading %s", job->path);
    for (int i = 0; i < count && status.code == DT_OK; i++) {
        dt_item item = dt_state_item(job->state, i);
        status = take_item(&item, from, &headway, &done);
    }
    dt_headway_end(&headway);
    return status;
}

static dt_status take_state(void *context, dt_guard *from) {
    load_job *job = context;
    DT_TRY(dt_guard_take(from, &job->head, sizeof job->head));
    job->head.recipe = job->head.data = NULL;
    DT_TRY(take_items(job, from));
    DT_TRY(take_beside(job->state, from));
    return dt_checkpoint_check_head(job->path, &job->head);
}

dt_status dt_checkpoint_load(const char *path, dt_state *state, bool part) {
    load_job job = {.path = path, .state = state, .part = part};
    DT_TRY(dt_guard_run(&(dt_guard_job){.path = path, .work = send_state, .take = take_state, .context = &job}));
    state->position = job.head.position;
    state->shards = job.head.shards;
    state->seed = job.head.seed;
    if (part) return dt_ok();
    uint64_t digest = dt_state_digest(state);
    return digest == job.head.digest ? dt_ok() : dt_fail_digest(path, "digest", job.head.digest, digest);
}
