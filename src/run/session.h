/* A run's session: what it has of the outside. Its ranks, the directory it holds, and what it was asked for. */
#ifndef DTRAIN_SESSION_H
#define DTRAIN_SESSION_H

#include "base/ranks.h"
#include "comm/comm.h"
#include "comm/node.h"
#include "comm/watchdog.h"
#include "config/recipe.h"
#include "store/rundir.h"
#include "train.h"

typedef struct dt_session {
    dt_comm *comm;
    dt_ranks ranks; /* the same ranks, as use/ sees them */
    bool first;     /* rank 0, which writes and speaks for all */
    dt_watchdog *watchdog;
    dt_node *node; /* the ranks that share a replica */
    const dt_train_options *options;
    dt_recipe *recipe;
    char directory[4096], checkpoints[4096];
    dt_rundir *lock; /* rank 0 */
} dt_session;

/* Nothing but the ranks and the questions; the watchdog knows the recipe's limit from here on. */
void dt_session_begin(dt_session *session, dt_comm *comm, dt_recipe *recipe, const dt_train_options *options);
/* Gives the node's memory back, and the directory. Collective. */
void dt_session_close(dt_session *session);

/* hold.c. Collective. Names the run's directories and takes the lock, waiting where it must. */
dt_status dt_session_hold(dt_session *session);
/* Collective. That the directory is still ours, before anything is written to it. */
dt_status dt_session_check_hold(const dt_session *session);
/* The same on rank 0 alone, of its dt_rundir, for the store. */
dt_status dt_session_may_commit(void *lock);

/* This rank begins `activity`, for the watchdog. */
static inline void dt_session_note(const dt_session *session, dt_activity activity, int64_t step) {
    dt_watchdog_note(session->watchdog, activity, step);
}
/* Collective. The status of the lowest rank that failed, on all of them. */
static inline dt_status dt_session_agree(const dt_session *session, dt_status status) {
    return dt_comm_agree(session->comm, status);
}

#endif
