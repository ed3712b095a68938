/* The watchdog: no job hangs in silence. Every rank notes what it is about to do in memory its machine's ranks share; a
 * thread of each rank looks on. When a rank has been at one thing for longer than allowed, the job ends with exit code
 * 1, and standard error names the ranks that did not arrive and what they last did. */
#ifndef DTRAIN_WATCHDOG_H
#define DTRAIN_WATCHDOG_H

#include <stdint.h>

#include "dtrain/comm.h"

typedef enum dt_activity {
    DT_ACTIVITY_IDLE,    /* leaving; never times out */
    DT_ACTIVITY_START,   /* reading data, planning, resuming: ten times as long is allowed */
    DT_ACTIVITY_COMPUTE, /* on its own */
    DT_ACTIVITY_MEET,    /* in a collective call: waiting for others */
    DT_ACTIVITY_STORAGE, /* writing a checkpoint: slow storage is warned of, and given ten times as long */
    DT_ACTIVITY_END,     /* closing down */
} dt_activity;

typedef struct dt_watchdog dt_watchdog;

/* The one that looks on from dt_comm_open to dt_comm_close; NULL, which the functions below accept, where `comm` is not
 * the world. */
dt_watchdog *dt_comm_watchdog(const dt_comm *comm);

/* The longest a rank may be at one thing, in seconds; 0: as long as it likes. */
void dt_watchdog_limit(dt_watchdog *watchdog, double seconds);

/* This rank begins `activity` in step `step`; costs a clock reading. */
void dt_watchdog_note(dt_watchdog *watchdog, dt_activity activity, int64_t step);

/* Allows at least `seconds` from now on: for steps that are observed to be long. */
void dt_watchdog_allow(dt_watchdog *watchdog, double seconds);

#endif
