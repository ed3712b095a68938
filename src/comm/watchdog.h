/* The watchdog: no job hangs in silence, and no healthy one is ended. Every rank notes what it is about to do in memory
 * its machine's ranks share, and between the pieces of it that it moves (alive.h); a thread of each rank looks on. When
 * none of them has moved for longer than allowed, the job ends with exit code 1, and standard error names the ranks
 * that did not arrive and what they last did. Time in which the looking thread itself did not run, because the job was
 * suspended, does not count. */
#ifndef DTRAIN_WATCHDOG_H
#define DTRAIN_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

#include "comm/comm.h"

typedef enum dt_activity {
    DT_ACTIVITY_IDLE,     /* leaving; never times out */
    DT_ACTIVITY_START,    /* reading data, planning, resuming: ten times as long without a move is allowed */
    DT_ACTIVITY_COMPUTE,  /* on its own */
    DT_ACTIVITY_MEET,     /* waiting for others, in the midst of whatever it was noted for before */
    DT_ACTIVITY_EVALUATE, /* ten times as long is allowed */
    DT_ACTIVITY_STORAGE,  /* writing or reading a checkpoint: slow storage is warned of, and given ten times as long */
    DT_ACTIVITY_END,      /* closing down */
} dt_activity;

typedef struct dt_watchdog dt_watchdog;

/* Collective. Looks on from here to dt_watchdog_close, which is collective on the machine; dt_comm_open and
 * dt_comm_close call them. */
dt_status dt_watchdog_open(dt_watchdog **out, dt_comm *comm, double seconds);
void dt_watchdog_close(dt_watchdog *watchdog); /* accepts NULL */

/* The one that looks on from dt_comm_open to dt_comm_close; NULL, which the functions below accept, where `comm` is not
 * the world. */
dt_watchdog *dt_comm_watchdog(const dt_comm *comm);

/* The longest all ranks may be without a move, in seconds; 0: as long as they like. */
void dt_watchdog_limit(dt_watchdog *watchdog, double seconds);

/* This rank begins `activity` in step `step`; costs some stores. That it waits for others the collective calls of
 * comm.h and dt_node_meet say themselves (dt_alive_wait). */
void dt_watchdog_note(dt_watchdog *watchdog, dt_activity activity, int64_t step);

/* Seconds the job has been running, as far as it is known: those in which it was suspended hardly count. */
double dt_watchdog_ran(const dt_watchdog *watchdog);

/* Allows at least `seconds` from now on: for steps that are observed to be long. */
void dt_watchdog_allow(dt_watchdog *watchdog, double seconds);

#endif
