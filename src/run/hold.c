/* Holding the run directory: it is taken before anything is read from it or written to it, and looked after while the
 * run goes on. Rank 0 holds it for all; what it learns is agreed on, so every rank waits, goes on or stops alike. */
#include <stdio.h>
#include <time.h>

#include "base/file.h"
#include "base/stop.h"
#include "session.h"

#define LOOKS_A_SECOND 4

/* Collective. Tries until the directory is ours, or somebody who lives has it. Waiting is no hang: each look is
 * progress the watchdog hears of, and a signal ends it. */
static dt_status take_lock(dt_session *session) {
    for (;;) {
        bool taken = true;
        DT_TRY(dt_session_agree(session, session->first ? dt_rundir_lock(session->lock, &taken) : dt_ok()));
        int64_t votes[2] = {!taken, dt_stop_requested};
        DT_TRY(dt_comm_sum_i64(session->comm, votes, 2));
        if (votes[0] == 0) return dt_ok();
        if (votes[1] > 0)
            return dt_fail(DT_ERR_STOPPED, "%s: stopped while waiting for its lock; nothing was changed",
                           session->directory);
        dt_session_note(session, DT_ACTIVITY_START, 0);
        nanosleep(&(struct timespec){0, 1000000000 / LOOKS_A_SECOND}, NULL);
    }
}

dt_status dt_session_hold(dt_session *session) {
    const dt_recipe *recipe = session->recipe;
    const char *asked = session->options->run;
    snprintf(session->directory, sizeof session->directory, "%s", asked ? asked : recipe->run);
    dt_status status = dt_ok();
    if (!session->directory[0]) status = dt_path_join(session->directory, "runs", recipe->name);
    if (status.code == DT_OK) status = dt_path_join(session->checkpoints, session->directory, "checkpoints");
    if (status.code == DT_OK && session->first)
        status = dt_rundir_open(&session->lock, session->directory, recipe->train.lease);
    DT_TRY(dt_session_agree(session, status));
    return take_lock(session);
}

dt_status dt_session_check_hold(const dt_session *session) {
    return dt_session_agree(session, session->first ? dt_rundir_check(session->lock) : dt_ok());
}

dt_status dt_session_may_commit(void *lock) {
    return dt_rundir_check(lock);
}
