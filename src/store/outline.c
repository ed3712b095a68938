/* The file of a checkpoint without the bytes of its arrays: attributes, names, types, shapes, places. It is made before
 * the hashes of the arrays are known, so that ranks can hash meanwhile; they are filled in afterwards, in attributes of
 * the same size, and then all of it is read back and compared, because no return code of a write can be believed on
 * every file system. */
#include "outline.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "store/h5.h"

static const char unknown[] = "0000000000000000"; /* a hash that is still to come */

dt_status dt_outline_open(dt_outline *outline, const char *path, const dt_state *state) {
    memset(outline, 0, sizeof *outline);
    snprintf(outline->path, sizeof outline->path, "%s", path);
    outline->position = state->position;
    outline->shards = state->shards;
    outline->seed = state->seed;
    dt_clock_utc(outline->created);
    outline->digested = dt_state_count(state);
    outline->count = dt_state_count_all(state);
    size_t count = (size_t)outline->count;
    outline->items = dt_alloc(count, sizeof *outline->items);
    outline->hashes = dt_alloc(count, sizeof *outline->hashes);
    outline->offsets = dt_alloc(count, sizeof *outline->offsets);
    if (!outline->items || !outline->hashes || !outline->offsets)
        return dt_fail_memory("a list of datasets", count * (sizeof *outline->items + 16));
    for (int i = 0; i < outline->count; i++) outline->items[i] = dt_state_item(state, i);
    return dt_ok();
}

void dt_outline_close(dt_outline *outline) {
    dt_free(outline->items);
    dt_free(outline->hashes);
    dt_free(outline->offsets);
    memset(outline, 0, sizeof *outline);
}

uint64_t dt_outline_digest(const dt_outline *outline, uint64_t *seal) {
    dt_digest running;
    dt_digest_begin(&running, &outline->position, outline->shards, outline->seed);
    uint64_t digest = running.value;
    for (int64_t i = 0; i < outline->count; i++) {
        dt_digest_add(&running, outline->items[i].dataset, outline->hashes[i]);
        if (i + 1 == outline->digested) digest = running.value;
    }
    *seal = running.value;
    return digest;
}

/* ---- made ----------------------------------------------------------------------------------------------------------
 */

/* An attribute of the root. */
typedef struct head_field {
    const char *name, *text; /* NULL: a number */
    int64_t number;
} head_field;

enum { HEAD_FIELDS = 14 };

static void head_of(const dt_outline *outline, const char *digest, const char *seal, head_field out[HEAD_FIELDS]) {
    const head_field head[HEAD_FIELDS] = {
        {"format", DT_CHECKPOINT_FORMAT, 0},
        {"version", NULL, DT_CHECKPOINT_VERSION},
        {"step", NULL, outline->position.step},
        {"epoch", NULL, outline->position.epoch},
        {"sample", NULL, outline->position.sample},
        {"shards", NULL, outline->shards},
        {"seed", NULL, outline->seed},
        {"datasets", NULL, outline->digested},
        {"origin", NULL, outline->position.origin},
        {"beside", NULL, outline->count - outline->digested},
        {"digest", digest, 0},
        {"seal", seal, 0},
        {"created", outline->created, 0},
        {"program", "dtrain " DT_VERSION, 0},
    };
    memcpy(out, head, sizeof head);
}

static dt_status put_head(dt_h5 *file, const dt_outline *outline) {
    head_field head[HEAD_FIELDS];
    head_of(outline, unknown, unknown, head);
    for (int i = 0; i < HEAD_FIELDS; i++)
        DT_TRY(head[i].text ? dt_h5_put_text(file, "/", head[i].name, head[i].text)
                            : dt_h5_put_int(file, "/", head[i].name, head[i].number));
    return dt_ok();
}

static dt_status make_dataset(dt_h5 *file, dt_outline *outline, int64_t i) {
    const dt_item *item = &outline->items[i];
    DT_TRY(dt_h5_create_dataset(file, item->dataset, item->dtype, &item->shape, 0));
    DT_TRY(dt_h5_put_text(file, item->dataset, "hash", unknown));
    DT_TRY(dt_h5_put_int(file, item->dataset, "order", i));
    if (item->text) DT_TRY(dt_h5_put_text(file, item->dataset, "encoding", "UTF-8"));
    return dt_h5_offset(file, item->dataset, &outline->offsets[i]);
}

static dt_status make_all(dt_h5 *file, dt_outline *outline) {
    DT_TRY(put_head(file, outline));
    for (int64_t i = 0; i < outline->count; i++) DT_TRY(make_dataset(file, outline, i));
    return dt_ok();
}

dt_status dt_outline_make(dt_outline *outline) {
    dt_h5 *file;
    DT_TRY(dt_h5_create_aligned(&file, outline->path, DT_PART_LARGE, DT_PART_PAGE));
    dt_status status = make_all(file, outline);
    dt_status closed = dt_h5_close(&file);
    return status.code == DT_OK ? closed : status;
}

/* ---- sealed --------------------------------------------------------------------------------------------------------
 */

static dt_status put_hash(dt_h5 *file, const char *object, const char *name, uint64_t hash) {
    char text[17];
    dt_digest_text(hash, text);
    return dt_h5_put_text(file, object, name, text);
}

static dt_status put_hashes(dt_h5 *file, const dt_outline *outline) {
    uint64_t seal, digest = dt_outline_digest(outline, &seal);
    for (int64_t i = 0; i < outline->count; i++)
        DT_TRY(put_hash(file, outline->items[i].dataset, "hash", outline->hashes[i]));
    DT_TRY(put_hash(file, "/", "digest", digest));
    return put_hash(file, "/", "seal", seal);
}

/* To the disk, and as far as the system allows out of its memory, so that reading it back is reading the disk. */
static dt_status sync_file(const char *path) {
    int file = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0) return dt_fail(DT_ERR_IO, "%s: %s", path, strerror(errno));
    dt_status status = fsync(file) == 0 ? dt_ok() : dt_fail(DT_ERR_IO, "%s: fsync failed: %s", path, strerror(errno));
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    close(file);
    return status;
}

static dt_status fail_other(const char *path) {
    return dt_fail(DT_ERR_CORRUPT, "%s: what was read back is not what was written", path);
}

static dt_status check_int(dt_h5 *file, const char *object, const char *name, int64_t wanted) {
    int64_t found;
    DT_TRY(dt_h5_get_int(file, object, name, &found));
    return found == wanted ? dt_ok() : fail_other(dt_h5_path(file));
}

static dt_status check_text(dt_h5 *file, const char *object, const char *name, const char *wanted) {
    char *found;
    DT_TRY(dt_h5_get_text(file, object, name, &found));
    bool same = strcmp(found, wanted) == 0;
    dt_free(found);
    return same ? dt_ok() : fail_other(dt_h5_path(file));
}

static dt_status check_hash(dt_h5 *file, const char *object, const char *name, uint64_t hash) {
    char text[17];
    dt_digest_text(hash, text);
    return check_text(file, object, name, text);
}

static dt_status check_head(dt_h5 *file, const dt_outline *outline) {
    uint64_t seal, digest = dt_outline_digest(outline, &seal);
    char digest_text[17], seal_text[17];
    head_field head[HEAD_FIELDS];
    dt_digest_text(digest, digest_text);
    dt_digest_text(seal, seal_text);
    head_of(outline, digest_text, seal_text, head);
    for (int i = 0; i < HEAD_FIELDS; i++)
        DT_TRY(head[i].text ? check_text(file, "/", head[i].name, head[i].text)
                            : check_int(file, "/", head[i].name, head[i].number));
    return dt_ok();
}

typedef struct dataset_count {
    int64_t datasets;
} dataset_count;

static bool count_dataset(void *context, const char *path, char kind) {
    dataset_count *count = context;
    (void)path;
    count->datasets += kind == 'd';
    return true;
}

static dt_status check_dataset(dt_h5 *file, const dt_outline *outline, int64_t i) {
    const dt_item *item = &outline->items[i];
    dt_h5_info info;
    DT_TRY(dt_h5_hold(file, item->dataset));
    DT_TRY(dt_item_check(file, item, &info));
    bool there = info.native && info.contiguous && (info.allocated || item->bytes == 0);
    if (!there || (item->bytes > 0 && info.offset != outline->offsets[i])) return fail_other(dt_h5_path(file));
    DT_TRY(check_int(file, item->dataset, "order", i));
    if (item->text) DT_TRY(check_text(file, item->dataset, "encoding", "UTF-8"));
    return check_hash(file, item->dataset, "hash", outline->hashes[i]);
}

static dt_status check_all(dt_h5 *file, const dt_outline *outline) {
    dataset_count found = {0};
    DT_TRY(check_head(file, outline));
    for (int64_t i = 0; i < outline->count; i++) DT_TRY(check_dataset(file, outline, i));
    DT_TRY(dt_h5_walk(file, count_dataset, &found));
    return found.datasets == outline->count ? dt_ok() : fail_other(dt_h5_path(file));
}

dt_status dt_outline_seal(const dt_outline *outline) {
    dt_h5 *file;
    DT_TRY(dt_h5_append(&file, outline->path));
    dt_status status = put_hashes(file, outline);
    dt_status closed = dt_h5_close(&file);
    DT_TRY(status);
    DT_TRY(closed);
    DT_TRY(sync_file(outline->path));
    DT_TRY(dt_h5_open(&file, outline->path));
    status = check_all(file, outline);
    closed = dt_h5_close(&file);
    return status.code == DT_OK ? closed : status;
}
