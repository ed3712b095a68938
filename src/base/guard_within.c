/* Guarded work in this process instead of a child, for a host program in which a fork is no good idea: what `work`
 * sends is kept until `take` has it. */
#include <stdlib.h>
#include <string.h>

#include "guard_pipe.h"

static _Thread_local bool within_process;

bool dt_guard_within(bool within) {
    bool before = within_process;
    within_process = within;
    return before;
}

bool dt_guard_is_within(void) {
    return within_process;
}

/* What was sent, piece by piece: one is freed when all of it was taken. */
typedef struct kept_piece {
    struct kept_piece *next;
    size_t count, taken;
    char bytes[];
} kept_piece;

struct dt_kept_bytes {
    kept_piece *first, *last;
};

dt_status dt_guard_keep(dt_kept_bytes *kept, const void *bytes, size_t count) {
    kept_piece *piece = malloc(sizeof *piece + count);
    if (!piece) return dt_fail_memory("what a file says", count);
    *piece = (kept_piece){.count = count};
    memcpy(piece->bytes, bytes, count);
    if (kept->last)
        kept->last->next = piece;
    else
        kept->first = piece;
    kept->last = piece;
    return dt_ok();
}

static void forget_first(dt_kept_bytes *kept) {
    kept_piece *first = kept->first;
    kept->first = first->next;
    if (!kept->first) kept->last = NULL;
    free(first);
}

bool dt_guard_take_kept(dt_kept_bytes *kept, char *to, size_t count) {
    while (count > 0 && kept->first) {
        kept_piece *first = kept->first;
        size_t piece = first->count - first->taken < count ? first->count - first->taken : count;
        memcpy(to, first->bytes + first->taken, piece);
        first->taken += piece;
        to += piece;
        count -= piece;
        if (first->taken == first->count) forget_first(kept);
    }
    return count == 0;
}

dt_status dt_guard_run_within(const dt_guard_job *job) {
    dt_kept_bytes kept = {0};
    dt_guard both = {.path = job->path, .kept = &kept};
    dt_status status = job->work(job->context, &both);
    if (status.code == DT_OK && job->take) status = job->take(job->context, &both);
    while (kept.first) forget_first(&kept);
    return status;
}
