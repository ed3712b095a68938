/* The file that says who holds a lock, and counts his heartbeats. */
#ifndef DTRAIN_LOCK_FILE_H
#define DTRAIN_LOCK_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/process.h"
#include "base/status.h"

typedef struct dt_lock_owner {
    char host[256], job[64], since[32];
    dt_process process;
    double seconds; /* without a heartbeat until it counts as gone */
    uint64_t token; /* of this lease alone */
    uint64_t beat;
} dt_lock_owner;

typedef enum dt_lock_reading { DT_LOCK_READ, DT_LOCK_ABSENT, DT_LOCK_UNREADABLE } dt_lock_reading;

dt_status dt_lock_describe_myself(dt_lock_owner *me, double seconds);
dt_lock_reading dt_lock_read(const char *file, dt_lock_owner *o);
/* Makes `file` with us in it; *made false: there is one. */
dt_status dt_lock_make(const char *file, const dt_lock_owner *me, bool *made);
/* Counts one up in a lock that is still ours; of another's it says that ours is absent. */
dt_lock_reading dt_lock_count_up(const char *file, dt_lock_owner *me, bool *written);

#endif
