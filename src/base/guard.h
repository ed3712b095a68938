/* A child process for what may crash, go round in circles or ask for all memory: reading a file that others made. It
 * has bounds on memory and time, may write no file but the ones it is given, and leaves no core. What it finds out
 * comes back as bytes through a pipe, so the process that asked never runs the reading code itself, and judges the
 * bytes as it would those of a file. */
#ifndef DTRAIN_GUARD_H
#define DTRAIN_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct dt_guard dt_guard; /* one end of the pipe */

typedef struct dt_guard_job {
    const char *path;  /* the file, for messages */
    unsigned seconds;  /* of processor time; 0: what the sizes of the file and of what it writes allow */
    size_t memory;     /* bytes the child may take besides what the process has; 0: DT_GUARD_MEMORY */
    bool stoppable;    /* a stop that is asked for (stop.h) ends the child */
    size_t file_bytes; /* how long a file it writes may become; 0: it writes none */
    dt_status (*work)(void *context, dt_guard *to); /* in the child */
    dt_status (*take)(void *context,
                      dt_guard *from); /* here, meanwhile; takes what `work` sends. NULL: sends nothing */
    void *context;                     /* of both; what `work` changes in it is lost */
} dt_guard_job;

#define DT_GUARD_MEMORY ((size_t)512 << 20)

/* Runs work(context) in a child and returns its status, or that of `take` where it failed. A child that crashed or went
 * beyond its bounds is DT_ERR_CORRUPT, and the message names the file. Not collective. The child is a fork: it has one
 * thread and must use no MPI. Whatever `work` takes it gives back, for it may run in this process. */
dt_status dt_guard_run(const dt_guard_job *job);

/* Whether, from here on in this thread, `work` runs in this process instead, with no bounds, and what it sends is kept
 * until `take` has it: for a host program in which a fork is no good idea, with files that are trusted. Returns what it
 * was before, to be restored. */
bool dt_guard_within(bool within);
bool dt_guard_is_within(void);

/* In `work`: bytes for the other side. */
dt_status dt_guard_send(dt_guard *to, const void *bytes, size_t count);
/* In `take`: exactly so many bytes of what was sent; fails with the status of `work` when that ended before. */
dt_status dt_guard_take(dt_guard *from, void *bytes, size_t count);

/* A child that stays, and answers one question after another. `work` takes them with dt_guard_receive until there are
 * no more, sends to each an answer, and may end before with a failure; job->seconds, stoppable and take are not used.
 * To be dismissed. A process that ends takes its children with it. */
typedef struct dt_guard_server dt_guard_server;
dt_status dt_guard_serve(dt_guard_server **out, const dt_guard_job *job);
/* Exactly `answer_bytes` of what `work` sends, within `seconds` on the wall. Once it fails it always does, in the same
 * words. One thread at a time. */
dt_status dt_guard_ask(dt_guard_server *server, const void *question, size_t bytes, double seconds, void *answer,
                       size_t answer_bytes);
/* The two halves of it: questions may be told ahead of the answers to those before them, few and short ones, and
 * answers are heard in their order. */
void dt_guard_tell(dt_guard_server *server, const void *question, size_t bytes);
dt_status dt_guard_hear(dt_guard_server *server, double seconds, void *answer, size_t answer_bytes);
void dt_guard_dismiss(dt_guard_server *server); /* accepts NULL */

/* In `work` of a child that stays: the next question, of so many bytes; false: there are no more. */
bool dt_guard_receive(dt_guard *from, void *question, size_t bytes);

/* In `work`: lets the child take `bytes` more memory, for a file that has shown that it needs them. */
void dt_guard_allow(size_t bytes);

#endif
