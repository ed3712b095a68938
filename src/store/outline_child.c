/* A child that stays and makes outlines (outline.h): a question is an outline without its memory, then its lists; the
 * answer a status, then where datasets lie. */
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/guard.h"
#include "base/memory.h"
#include "outline.h"

#define ANSWER_SECONDS 600 /* on the wall: slow storage is no crash, and whoever waits in vain has a watchdog */
#define NICE 10            /* ranks come first */

struct dt_outliner {
    dt_guard_server *server;
    _Atomic double work;
};

typedef struct reply {
    dt_status status;
    double work;
} reply;

typedef struct question {
    bool seals; /* else it is made */
    dt_outline outline;
} question;

/* ---- in the child ---- */

static bool receive_lists(dt_guard *from, dt_outline *outline) {
    size_t count = (size_t)outline->count;
    outline->items = dt_alloc(count, sizeof *outline->items);
    outline->hashes = dt_alloc(count, sizeof *outline->hashes);
    outline->offsets = dt_alloc(count, sizeof *outline->offsets);
    return outline->items && outline->hashes && outline->offsets &&
           dt_guard_receive(from, outline->items, count * sizeof *outline->items) &&
           dt_guard_receive(from, outline->hashes, count * sizeof *outline->hashes) &&
           dt_guard_receive(from, outline->offsets, count * sizeof *outline->offsets);
}

static dt_status answer(dt_guard *ends, question *q) {
    dt_outline *outline = &q->outline;
    if (!receive_lists(ends, outline)) return dt_fail_memory("a list of datasets", (size_t)outline->count);
    reply found;
    memset(&found, 0, sizeof found); /* between its members, too: it goes through a pipe */
    found.status = q->seals ? dt_outline_seal(outline) : dt_outline_make(outline);
    found.work = dt_clock_work();
    DT_TRY(dt_guard_send(ends, &found, sizeof found));
    return dt_guard_send(ends, outline->offsets, (size_t)outline->count * sizeof *outline->offsets);
}

static dt_status serve(void *context, dt_guard *ends) {
    question q;
    (void)context;
    setpriority(PRIO_PROCESS, 0, NICE);
    dt_status status = dt_ok();
    while (status.code == DT_OK && dt_guard_receive(ends, &q, sizeof q)) {
        status = answer(ends, &q);
        dt_outline_close(&q.outline);
    }
    return status;
}

/* ---- here ---- */

dt_status dt_outliner_start(dt_outliner **out) {
    dt_outliner *outliner = *out = dt_alloc(1, sizeof *outliner);
    if (!outliner) return dt_fail_memory("a process", sizeof *outliner);
    const dt_guard_job job = {
        .path = "checkpoints", .file_bytes = (size_t)1 << 62, .memory = (size_t)2 << 30, .work = serve};
    dt_status status = dt_guard_serve(&outliner->server, &job);
    if (status.code == DT_OK) return status;
    dt_free(outliner);
    *out = NULL;
    return status;
}

void dt_outliner_end(dt_outliner *outliner) {
    if (!outliner) return;
    dt_guard_dismiss(outliner->server);
    dt_free(outliner);
}

/* The child never ends by itself, so whatever ended it is not in what it says. */
static dt_status explain(const dt_outline *outline, dt_status status) {
    if (status.code == DT_OK) return status;
    return dt_fail(DT_ERR_IO, "%s: the process that makes the file was killed, crashed, or did not answer for %d s",
                   outline->path, ANSWER_SECONDS);
}

static dt_status ask(dt_outliner *outliner, bool seals, const dt_outline *outline, uint64_t *offsets) {
    dt_guard_server *server = outliner->server;
    size_t count = (size_t)outline->count;
    question q = {seals, *outline};
    reply found;
    dt_guard_tell(server, &q, sizeof q);
    dt_guard_tell(server, outline->items, count * sizeof *outline->items);
    dt_guard_tell(server, outline->hashes, count * sizeof *outline->hashes);
    dt_guard_tell(server, outline->offsets, count * sizeof *outline->offsets);
    DT_TRY(explain(outline, dt_guard_hear(server, ANSWER_SECONDS, &found, sizeof found)));
    outliner->work = found.work;
    DT_TRY(explain(outline, dt_guard_hear(server, ANSWER_SECONDS, offsets, count * sizeof *offsets)));
    return found.status;
}

double dt_outliner_work(const dt_outliner *outliner) {
    return outliner ? outliner->work : 0;
}

dt_status dt_outliner_make(dt_outliner *outliner, dt_outline *outline) {
    return outliner ? ask(outliner, false, outline, outline->offsets) : dt_outline_make(outline);
}

dt_status dt_outliner_seal(dt_outliner *outliner, const dt_outline *outline) {
    return outliner ? ask(outliner, true, outline, outline->offsets) : dt_outline_seal(outline);
}
