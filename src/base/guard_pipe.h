/* What goes between a guarded child and its parent, and how a child is bound; for the files guard*.c. */
#ifndef DTRAIN_GUARD_PIPE_H
#define DTRAIN_GUARD_PIPE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/guard.h"

#define DT_GUARD_MOST_FRAME ((size_t)1 << 30)

/* A frame is this head and its bytes: data as `work` sends it, and last the status. */
typedef enum dt_frame_kind { DT_FRAME_DATA = 1, DT_FRAME_STATUS } dt_frame_kind;

typedef struct dt_frame {
    uint32_t kind, bytes;
} dt_frame;

typedef struct dt_kept_bytes dt_kept_bytes;

struct dt_guard {
    const char *path;
    dt_kept_bytes *kept; /* instead of a pipe, where `work` runs in this process */
    int pipe;
    bool stoppable;
    enum {
        DT_GUARD_TALKING,
        DT_GUARD_ENDED,
        DT_GUARD_SILENT,
        DT_GUARD_FOUL
    } state;              /* ENDED: status has come; FOUL:
                           * what came were no frames */
    double seconds, left; /* of the processor, 0 for a child that stays; on the wall */
    size_t pending;       /* bytes of the data frame in progress */
    dt_status status;     /* the child's */
};

/* ---- guard_child.c ---- */

/* In the child of `parent`: does job->work within its bounds, `seconds` of the processor or, with 0, any number. */
_Noreturn void dt_guard_work(const dt_guard_job *job, pid_t parent, int pipe, double seconds);

/* ---- guard_within.c ---- */

dt_status dt_guard_run_within(const dt_guard_job *job);
dt_status dt_guard_keep(dt_kept_bytes *kept, const void *bytes, size_t count);
/* False where less was kept. */
bool dt_guard_take_kept(dt_kept_bytes *kept, char *to, size_t count);

/* ---- guard.c ---- */

/* How a child ended, by its state and what waitpid says, that did not say its status. */
dt_status dt_guard_explain(const dt_guard *from, int ended);

#endif
