/* Checkpoints read: their head, their arrays, what a directory has of them, and which are kept. How they are written is
 * in publish.c. */
#include "store/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/alive.h"
#include "base/clock.h"
#include "base/guard.h"
#include "base/memory.h"
#include "store/h5.h"
#include "store/rundir.h"
#include "store_internal.h"

/* ---- read back ------------------------------------------------------------------------------------------------------
 */

/* Rows that are in memory at once: whatever a file claims, reading it takes little. */
#define READ_BYTES ((size_t)16 << 20)

static dt_status read_pieces(dt_h5 *file, const dt_item *item, int64_t rows, XXH3_state_t *hasher, dt_guard *to) {
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
        XXH3_64bits_update(hasher, piece, (size_t)count * row_bytes);
        if (to) status = dt_guard_send(to, piece, (size_t)count * row_bytes);
    }
    dt_free(piece);
    return status;
}

static dt_status read_values(dt_h5 *file, const dt_item *item, dt_guard *to, uint64_t *hash) {
    XXH3_state_t *hasher = XXH3_createState();
    if (!hasher) return dt_fail_memory("a hash", 0);
    XXH3_64bits_reset(hasher);
    int64_t rows = item->shape.rank ? item->shape.dim[0] : 1;
    dt_status status = item->bytes > 0 ? read_pieces(file, item, rows, hasher, to) : dt_ok();
    *hash = XXH3_64bits_digest(hasher);
    XXH3_freeState(hasher);
    return status;
}

dt_status dt_item_check(dt_h5 *file, const dt_item *item) {
    dt_h5_info info;
    DT_TRY(dt_h5_describe(file, item->dataset, &info));
    char mine[96], theirs[96];
    dt_shape_text(&item->shape, mine);
    dt_shape_text(&info.shape, theirs);
    if (strcmp(mine, theirs) == 0 && info.dtype == item->dtype) return dt_ok();
    return dt_fail(DT_ERR_INPUT, "%s: %s is %s %s, but the recipe's is %s %s", dt_h5_path(file), item->dataset,
                   dt_dtype_name(info.dtype), theirs, dt_dtype_name(item->dtype), mine);
}

dt_status dt_item_read(dt_h5 *file, const dt_item *item, dt_guard *to, uint64_t *hash) {
    DT_TRY(dt_item_check(file, item));
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

/* ---- read -----------------------------------------------------------------------------------------------------------
 */

static dt_status check_head(const char *path, const dt_checkpoint_head *head) {
    const dt_position *at = &head->position;
    bool whole = at->step >= 0 && at->epoch >= 0 && at->sample >= 0 && at->origin >= 0 && at->origin <= at->step;
    if (head->shards >= 1 && whole) return dt_ok();
    return dt_fail(DT_ERR_CORRUPT, "%s: its attributes make no sense", path);
}

static dt_status read_head(dt_h5 *file, dt_checkpoint_head *head) {
    char *text;
    memset(head, 0, sizeof *head);
    if (!dt_h5_has_attribute(file, "/", "format"))
        return dt_fail(DT_ERR_CORRUPT, "%s: not a dtrain checkpoint (it has no `format`)", dt_h5_path(file));
    DT_TRY(dt_h5_get_text(file, "/", "format", &text));
    bool ours = strcmp(text, DT_CHECKPOINT_FORMAT) == 0;
    dt_status status =
        ours ? dt_ok() : dt_fail(DT_ERR_CORRUPT, "%s: a %.40s, not a %s", dt_h5_path(file), text, DT_CHECKPOINT_FORMAT);
    dt_free(text);
    DT_TRY(status);
    DT_TRY(dt_h5_get_int(file, "/", "version", &head->version));
    if (head->version < 1 || head->version > DT_CHECKPOINT_VERSION)
        return dt_fail(DT_ERR_CORRUPT, "%s: format version %lld; this dtrain reads versions 1 to %d", dt_h5_path(file),
                       (long long)head->version, DT_CHECKPOINT_VERSION);
    if (head->version > 1) DT_TRY(dt_h5_get_int(file, "/", "beside", &head->beside));
    if (head->version > 1) DT_TRY(dt_h5_get_int(file, "/", "origin", &head->position.origin));
    DT_TRY(dt_h5_get_int(file, "/", "step", &head->position.step));
    DT_TRY(dt_h5_get_int(file, "/", "epoch", &head->position.epoch));
    DT_TRY(dt_h5_get_int(file, "/", "sample", &head->position.sample));
    DT_TRY(dt_h5_get_int(file, "/", "shards", &head->shards));
    DT_TRY(dt_h5_get_int(file, "/", "seed", &head->seed));
    DT_TRY(dt_h5_get_text(file, "/", "digest", &text));
    char *end;
    head->digest = strtoull(text, &end, 16);
    bool whole = end != text && *end == '\0';
    dt_free(text);
    if (!whole) return dt_fail(DT_ERR_CORRUPT, "%s: its digest is no number", dt_h5_path(file));
    DT_TRY(check_head(dt_h5_path(file), head));
    DT_TRY(dt_h5_get_text(file, "/", "created", &text));
    snprintf(head->created, sizeof head->created, "%s", text);
    dt_free(text);
    DT_TRY(dt_h5_get_text(file, "/", "program", &text));
    snprintf(head->program, sizeof head->program, "%s", text);
    dt_free(text);
    return dt_ok();
}

#define MOST_TEXT ((size_t)64 << 20)

/* That a text is the one whose hash is the attribute `name` of `object`. */
static dt_status check_text(dt_h5 *file, const char *object, const char *name, const char *what, const char *text) {
    char *stored, found[17];
    DT_TRY(dt_h5_get_text(file, object, name, &stored));
    dt_digest_text(dt_hash_bytes(text, strlen(text)), found);
    dt_status status = dt_ok();
    if (strcmp(stored, found) != 0)
        status = dt_fail(DT_ERR_CORRUPT, "%s: %s does not match its hash (stored %.16s, read %s)", dt_h5_path(file),
                         what, stored, found);
    dt_free(stored);
    return status;
}

/* *text is to dt_free, also after a failure. */
static dt_status read_text(dt_h5 *file, const char *dataset, char **text) {
    if (!dt_h5_has(file, dataset)) return dt_fail(DT_ERR_CORRUPT, "%s: there is no %s", dt_h5_path(file), dataset);
    DT_TRY(dt_h5_read_text(file, dataset, MOST_TEXT, text));
    return check_text(file, dataset, "hash", dataset, *text);
}

static dt_status read_isa(dt_h5 *file, dt_checkpoint_head *head) {
    char *text = NULL;
    dt_status status = read_text(file, DT_CHECKPOINT_ISA, &text);
    if (status.code == DT_OK) snprintf(head->isa, sizeof head->isa, "%s", text);
    dt_free(text);
    return status;
}

/* In version 1 the recipe is an attribute, and the others are not there. */
static dt_status read_texts(dt_h5 *file, dt_checkpoint_head *head) {
    if (head->version == 1) {
        DT_TRY(dt_h5_get_text(file, "/", "recipe", &head->recipe));
        return check_text(file, "/", "recipe_hash", "the recipe", head->recipe);
    }
    DT_TRY(read_text(file, DT_CHECKPOINT_RECIPE, &head->recipe));
    if (dt_h5_has(file, DT_CHECKPOINT_DATA)) DT_TRY(read_text(file, DT_CHECKPOINT_DATA, &head->data));
    return dt_h5_has(file, DT_CHECKPOINT_ISA) ? read_isa(file, head) : dt_ok();
}

dt_status dt_checkpoint_open(dt_h5 **file, const char *path, dt_checkpoint_head *head) {
    memset(head, 0, sizeof *head);
    DT_TRY(dt_h5_open(file, path));
    dt_status status = read_head(*file, head);
    if (status.code == DT_OK) status = read_texts(*file, head);
    if (status.code == DT_OK) return status;
    dt_checkpoint_head_finish(head);
    dt_h5_close(file);
    return status;
}

/* ---- what comes through a guard ---- */

typedef struct head_job {
    const char *path;
    dt_checkpoint_head *head;
} head_job;

static dt_status send_text(dt_guard *to, const char *text) {
    size_t bytes = strlen(text);
    DT_TRY(dt_guard_send(to, &bytes, sizeof bytes));
    return dt_guard_send(to, text, bytes);
}

static dt_status take_text(dt_guard *from, const char *path, char **text) {
    size_t bytes = 0;
    DT_TRY(dt_guard_take(from, &bytes, sizeof bytes));
    if (bytes > MOST_TEXT) return dt_fail(DT_ERR_CORRUPT, "%s: a text of it has %zu bytes", path, bytes);
    *text = dt_alloc(bytes + 1, 1);
    if (!*text) return dt_fail_memory("a text", bytes);
    return dt_guard_take(from, *text, bytes);
}

static dt_status send_head(void *context, dt_guard *to) {
    const head_job *job = context;
    dt_h5 *file;
    dt_checkpoint_head head;
    DT_TRY(dt_checkpoint_open(&file, job->path, &head));
    dt_h5_close(&file);
    dt_status status = dt_guard_send(to, &head, sizeof head);
    if (status.code == DT_OK) status = send_text(to, head.recipe);
    if (status.code == DT_OK && head.data) status = send_text(to, head.data);
    dt_checkpoint_head_finish(&head);
    return status;
}

static dt_status take_head(void *context, dt_guard *from) {
    const head_job *job = context;
    dt_checkpoint_head *head = job->head, sent;
    DT_TRY(dt_guard_take(from, &sent, sizeof sent));
    *head = sent;
    bool has_data = head->data != NULL; /* the child's pointer */
    head->recipe = head->data = NULL;
    head->created[sizeof head->created - 1] = head->program[sizeof head->program - 1] = '\0';
    head->isa[sizeof head->isa - 1] = '\0';
    DT_TRY(take_text(from, job->path, &head->recipe));
    return has_data ? take_text(from, job->path, &head->data) : dt_ok();
}

dt_status dt_checkpoint_head_read(const char *path, dt_checkpoint_head *head) {
    memset(head, 0, sizeof *head);
    head_job job = {path, head};
    dt_status status =
        dt_guard_run(&(dt_guard_job){.path = path, .work = send_head, .take = take_head, .context = &job});
    if (status.code == DT_OK) status = check_head(path, head);
    if (status.code != DT_OK) dt_checkpoint_head_finish(head);
    return status;
}

void dt_checkpoint_head_finish(dt_checkpoint_head *head) {
    dt_free(head->recipe);
    dt_free(head->data);
    head->recipe = head->data = NULL;
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
    DT_TRY(dt_guard_send(to, &job->head, sizeof job->head));
    dt_status status = send_items(job, file, to);
    dt_h5_close(&file);
    return status;
}

static dt_status take_state(void *context, dt_guard *from) {
    load_job *job = context;
    DT_TRY(dt_guard_take(from, &job->head, sizeof job->head));
    job->head.recipe = job->head.data = NULL;
    for (int i = 0; i < dt_state_count(job->state); i++) {
        dt_item item = dt_state_item(job->state, i);
        DT_TRY(dt_guard_take(from, item.data, item.bytes));
    }
    DT_TRY(take_beside(job->state, from));
    return check_head(job->path, &job->head);
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

/* ---- directory ------------------------------------------------------------------------------------------------------
 */

/* The step of "step-000000042.h5"; -1 for other names. */
static int64_t step_of(const char *name) {
    if (strncmp(name, "step-", 5) != 0) return -1;
    size_t digits = strspn(name + 5, "0123456789");
    if (digits < 1 || digits > 18 || strcmp(name + 5 + digits, ".h5") != 0) return -1;
    return strtoll(name + 5, NULL, 10);
}

bool dt_is_checkpoint(const char *name) {
    return step_of(name) >= 0;
}

/* "step-000000042.h5.tmp". */
bool dt_checkpoint_is_unfinished(const char *path) {
    char stem[64];
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t length = strlen(name);
    if (length < 5 || length >= sizeof stem || strcmp(name + length - 4, ".tmp") != 0) return false;
    snprintf(stem, sizeof stem, "%.*s", (int)length - 4, name);
    return dt_is_checkpoint(stem);
}

static int newer_first(const void *a, const void *b) {
    int64_t x = step_of(strrchr(a, '/') + 1), y = step_of(strrchr(b, '/') + 1);
    return (x < y) - (x > y);
}

dt_status dt_checkpoint_list(const char *directory, char (**paths)[4096], int *count) {
    *paths = NULL;
    *count = 0;
    DIR *dir = opendir(directory);
    if (!dir && errno == ENOENT) return dt_ok();
    if (!dir) return dt_fail(DT_ERR_IO, "%s: %s", directory, strerror(errno));
    dt_status status = dt_ok();
    int capacity = 0;
    while (status.code == DT_OK) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (!entry && errno) status = dt_fail(DT_ERR_IO, "%s: cannot be listed: %s", directory, strerror(errno));
        if (!entry) break;
        if (step_of(entry->d_name) < 0) continue;
        if (*count == capacity) {
            capacity = capacity ? 2 * capacity : 16;
            char(*grown)[4096] = realloc(*paths, (size_t)capacity * sizeof *grown);
            if (!grown) {
                status = dt_fail_memory("a list of checkpoints", (size_t)capacity * sizeof *grown);
                break;
            }
            *paths = grown;
        }
        status = dt_path_join((*paths)[*count], directory, entry->d_name);
        ++*count;
    }
    closedir(dir);
    if (status.code == DT_OK && *count > 1) qsort(*paths, (size_t)*count, sizeof **paths, newer_first);
    if (status.code == DT_OK) return status;
    dt_free(*paths);
    *paths = NULL;
    *count = 0;
    return status;
}

static void remove_leftovers(const char *directory) {
    DIR *dir = opendir(directory);
    if (!dir) return;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[4096];
        if (dt_checkpoint_is_unfinished(entry->d_name) && dt_path_join(path, directory, entry->d_name).code == DT_OK)
            unlink(path);
    }
    closedir(dir);
}

dt_status dt_checkpoint_prune(const char *directory, int64_t keep, int64_t keep_every, int64_t keep_step) {
    remove_leftovers(directory);
    char(*paths)[4096];
    int count;
    if (keep <= 0) return dt_ok();
    DT_TRY(dt_checkpoint_list(directory, &paths, &count));
    for (int i = 0; i < count; i++) {
        int64_t step = step_of(strrchr(paths[i], '/') + 1);
        if (i < keep || step == keep_step || (keep_every > 0 && step > 0 && step % keep_every == 0)) continue;
        if (unlink(paths[i]) != 0 && errno != ENOENT) {
            dt_status status = dt_fail(DT_ERR_IO, "%s: cannot be removed: %s", paths[i], strerror(errno));
            dt_free(paths);
            return status;
        }
    }
    dt_free(paths);
    return dt_ok();
}
