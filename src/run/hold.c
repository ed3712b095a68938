/* Holding the run directory: it is taken before anything is read from it or written to it, and looked after while the
 * run goes on. Rank 0 holds it for all; what it learns is agreed on, so every rank waits, goes on or stops alike. */
#include <time.h>

#include "base/file.h"
#include "base/stop.h"
#include "run_internal.h"

#define LOOKS_A_SECOND 4

/* Collective. Tries until the directory is ours, or somebody who lives has it. Waiting is no hang: each look is
 * progress the watchdog hears of, and a signal ends it. */
static dt_status take_lock(dt_run *run) {
    bool first = dt_comm_rank(run->comm) == 0;
    for (;;) {
        bool taken = true;
        DT_TRY(dt_comm_agree(run->comm, first ? dt_rundir_lock(run->lock, &taken) : dt_ok()));
        int64_t votes[2] = {!taken, dt_stop_requested};
        DT_TRY(dt_comm_sum_i64(run->comm, votes, 2));
        if (votes[0] == 0) return dt_ok();
        if (votes[1] > 0)
            return dt_fail(DT_ERR_STOPPED, "%s: stopped while waiting for its lock; nothing was changed",
                           run->directory);
        dt_watchdog_note(run->watchdog, DT_ACTIVITY_START, 0);
        nanosleep(&(struct timespec){0, 1000000000 / LOOKS_A_SECOND}, NULL);
    }
}

dt_status dt_run_hold(dt_run *run) {
    bool first = dt_comm_rank(run->comm) == 0;
    snprintf(run->directory, sizeof run->directory, "%s", run->options->run ? run->options->run : run->recipe->run);
    dt_status status = dt_ok();
    if (!run->directory[0]) status = dt_path_join(run->directory, "runs", run->recipe->name);
    if (status.code == DT_OK) status = dt_path_join(run->checkpoints, run->directory, "checkpoints");
    if (status.code == DT_OK && first) status = dt_rundir_open(&run->lock, run->directory, run->recipe->train.lease);
    DT_TRY(dt_comm_agree(run->comm, status));
    return take_lock(run);
}

dt_status dt_run_check_hold(dt_run *run) {
    return dt_comm_agree(run->comm, dt_comm_rank(run->comm) == 0 ? dt_rundir_check(run->lock) : dt_ok());
}

dt_status dt_run_may_commit(void *lock) {
    return dt_rundir_check(lock);
}
