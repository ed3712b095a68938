/* The head of a checkpoint: what its root attributes and texts say. Read by a child, for the file may be anybody's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "base/hash.h"
#include "base/memory.h"
#include "store/checkpoint.h"
#include "store/h5.h"
#include "store_internal.h"

dt_status dt_checkpoint_check_head(const char *path, const dt_checkpoint_head *head) {
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
    DT_TRY(dt_checkpoint_check_head(dt_h5_path(file), head));
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
    if (status.code == DT_OK) status = dt_checkpoint_check_head(path, head);
    if (status.code != DT_OK) dt_checkpoint_head_finish(head);
    return status;
}

void dt_checkpoint_head_finish(dt_checkpoint_head *head) {
    dt_free(head->recipe);
    dt_free(head->data);
    head->recipe = head->data = NULL;
}
