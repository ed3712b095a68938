/* A thread beats; who wants the lock watches. Of several jobs that find a lock stale one claims the right to remove it,
 * with a second file made like the first, so that none removes a lock that was taken over meanwhile. */
#include "lease.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "lock_file.h"

#define BEATS 15         /* in the time after which a holder without any counts as gone */
#define LONGEST_LOOK 1.0 /* seconds between two looks that count as watching: we may have been suspended ourselves */
#define STACK_BYTES ((size_t)256 << 10)

struct dt_lease {
    char file[4096], what[4096];
    dt_lock_owner me;
    bool taken;
    dt_lock_owner watched; /* a holder that cannot be asked: as it was first seen */
    double looked;         /* clock */
    double unchanged;      /* seconds it was seen without a heartbeat */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t end; /* signals `ends` */
    bool ends;
    _Atomic bool lost;
    _Atomic double beaten; /* clock; the last heartbeat */
};

/* ---- the heartbeat -------------------------------------------------------------------------------------------------
 */

static void beat(dt_lease *lease, int *absent, bool *warned) {
    bool written;
    dt_lock_reading seen = dt_lock_count_up(lease->file, &lease->me, &written);
    *absent = seen == DT_LOCK_ABSENT ? *absent + 1 : 0;
    if (*absent > 1)
        atomic_store(&lease->lost, true); /* twice: a network file system may not show a file for a moment */
    if (written) {
        atomic_store(&lease->beaten, dt_clock_now());
        *warned = false;
    } else if (seen != DT_LOCK_ABSENT && !*warned && dt_clock_now() - lease->beaten > lease->me.seconds / 2) {
        dt_log_warn("%s: the heartbeat in %s cannot be written; jobs on other machines may take this one for gone",
                    lease->what, lease->file);
        *warned = true;
    }
}

/* True when it was woken to end. */
static bool sleep_or_end(dt_lease *lease, double seconds) {
    double until = dt_clock_now() + seconds;
    struct timespec moment = {(time_t)until, (long)((until - floor(until)) * 1e9)};
    int code = 0;
    pthread_mutex_lock(&lease->lock);
    while (!lease->ends && code == 0) code = pthread_cond_timedwait(&lease->end, &lease->lock, &moment);
    bool ends = lease->ends;
    pthread_mutex_unlock(&lease->lock);
    return ends;
}

static void *keep_beating(void *argument) {
    dt_lease *lease = argument;
    double pause = lease->me.seconds / BEATS;
    int absent = 0;
    bool warned = false;
    while (!sleep_or_end(lease, absent > 0 ? pause / 4 : pause) && !lease->lost) beat(lease, &absent, &warned);
    return NULL;
}

/* The condition is timed by the clock of dt_clock_now. Signals are for the main thread. */
static int start_thread(dt_lease *lease) {
    sigset_t all, before;
    pthread_condattr_t clock;
    pthread_attr_t small;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&lease->end, &clock);
    pthread_condattr_destroy(&clock);
    pthread_mutex_init(&lease->lock, NULL);
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&lease->thread, &small, keep_beating, lease);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&small);
    return code;
}

static void end_thread(dt_lease *lease) {
    pthread_mutex_lock(&lease->lock);
    lease->ends = true;
    pthread_cond_signal(&lease->end);
    pthread_mutex_unlock(&lease->lock);
    pthread_join(lease->thread, NULL);
    pthread_cond_destroy(&lease->end);
    pthread_mutex_destroy(&lease->lock);
}

/* ---- taking it -----------------------------------------------------------------------------------------------------
 */

/* Of all who find a lock stale the first claims its owner's place, and only who holds that claim removes the lock: none
 * removes one that was taken over, or shows a heartbeat, meanwhile. */
static dt_status remove_stale(dt_lease *lease, const dt_lock_owner *holder, bool certain) {
    char claim[4096 + 32];
    snprintf(claim, sizeof claim, "%s.stale.%016" PRIx64, lease->file, holder->token);
    bool claimed = false;
    DT_TRY(dt_lock_make(claim, &lease->me, &claimed));
    if (!claimed) return dt_ok();
    dt_lock_owner found;
    bool same =
        dt_lock_read(lease->file, &found) == DT_LOCK_READ && found.token == holder->token && found.beat == holder->beat;
    if (same && unlink(lease->file) == 0 && certain)
        dt_log_warn("%s: taking over from process %ld on %s, which is gone (since %s)", lease->what,
                    holder->process.pid, holder->host, holder->since);
    else if (same && !certain)
        dt_log_warn("%s: taking over from process %ld on %s (job %s, since %s), of which no heartbeat was seen for "
                    "%.0f s",
                    lease->what, holder->process.pid, holder->host, holder->job, holder->since, holder->seconds);
    unlink(claim);
    return dt_ok();
}

/* Of a holder that cannot be asked: whether its heartbeat changes, by our own clock. */
static dt_fate watch(dt_lease *lease, const dt_lock_owner *holder) {
    double now = dt_clock_now(), passed = now - lease->looked;
    lease->looked = now;
    if (lease->watched.token != holder->token) {
        lease->watched = *holder;
        lease->unchanged = 0;
        return DT_FATE_UNKNOWN;
    }
    if (lease->watched.beat != holder->beat) return DT_FATE_LIVES;
    double before = lease->unchanged, patience = holder->seconds / 5;
    lease->unchanged += passed < LONGEST_LOOK ? passed : LONGEST_LOOK;
    if (before < patience && lease->unchanged >= patience)
        dt_log_warn("%s: process %ld on %s (job %s, since %s) holds it and cannot be asked from here; waiting for its "
                    "heartbeat, to take over if there is none for %.0f s",
                    lease->what, holder->process.pid, holder->host, holder->job, holder->since, holder->seconds);
    return lease->unchanged >= holder->seconds ? DT_FATE_GONE : DT_FATE_UNKNOWN;
}

static dt_status begin(dt_lease *lease, bool *taken) {
    atomic_store(&lease->beaten, dt_clock_now());
    int code = start_thread(lease);
    lease->taken = *taken = code == 0;
    if (code == 0) return dt_ok();
    unlink(lease->file);
    return dt_fail(DT_ERR_MEMORY, "%s: cannot start the thread of its lock: %s", lease->what, strerror(code));
}

dt_status dt_lease_try(dt_lease *lease, bool *taken) {
    *taken = false;
    for (int attempt = 0; attempt < 5; attempt++) {
        bool made = false;
        dt_lock_owner holder;
        DT_TRY(dt_lock_make(lease->file, &lease->me, &made));
        if (made) return begin(lease, taken);
        dt_lock_reading seen = dt_lock_read(lease->file, &holder);
        if (seen == DT_LOCK_ABSENT) continue; /* released meanwhile */
        if (seen == DT_LOCK_UNREADABLE)
            return dt_fail(DT_ERR_BUSY, "%s: its lock cannot be read; remove %s if no job uses the run", lease->what,
                           lease->file);
        dt_fate asked = dt_process_fate(&holder.process), fate = asked;
        if (asked == DT_FATE_UNKNOWN) fate = watch(lease, &holder);
        if (fate == DT_FATE_UNKNOWN) return dt_ok();
        if (fate == DT_FATE_LIVES)
            return dt_fail(DT_ERR_BUSY,
                           "%s is in use by process %ld on %s (job %s, since %s); if that job is gone, remove %s",
                           lease->what, holder.process.pid, holder.host, holder.job, holder.since, lease->file);
        DT_TRY(remove_stale(lease, &holder, asked == DT_FATE_GONE));
    }
    return dt_fail(DT_ERR_BUSY, "%s: another job is taking the lock; try again, and if there is none remove %s*",
                   lease->what, lease->file);
}

/* ---- having it -----------------------------------------------------------------------------------------------------
 */

static dt_status fail_lost(const dt_lease *lease, dt_lock_reading seen, const dt_lock_owner *found) {
    if (seen == DT_LOCK_READ && found->token != lease->me.token)
        return dt_fail(DT_ERR_BUSY,
                       "%s was taken over by process %ld on %s (job %s, since %s), which saw no heartbeat of this one; "
                       "this run stops and writes nothing more",
                       lease->what, found->process.pid, found->host, found->job, found->since);
    return dt_fail(DT_ERR_BUSY, "%s: its lock %s was removed; this run stops and writes nothing more", lease->what,
                   lease->file);
}

dt_status dt_lease_check(dt_lease *lease) {
    dt_lock_owner found;
    dt_lock_reading seen = DT_LOCK_ABSENT;
    for (int attempt = 0; attempt < 3 && seen == DT_LOCK_ABSENT; attempt++) {
        if (attempt > 0) nanosleep(&(struct timespec){0, 50000000}, NULL);
        seen = dt_lock_read(lease->file, &found);
    }
    bool ours = seen == DT_LOCK_READ && found.token == lease->me.token;
    if (!lease->lost && ours) return dt_ok();
    if (!lease->lost && seen == DT_LOCK_UNREADABLE) {
        if (dt_clock_now() - lease->beaten < lease->me.seconds / 2) return dt_ok();
        return dt_fail(DT_ERR_IO, "%s: its lock %s can no longer be read; nothing is written without it", lease->what,
                       lease->file);
    }
    atomic_store(&lease->lost, true);
    return fail_lost(lease, ours ? DT_LOCK_ABSENT : seen, &found);
}

bool dt_lease_is_lost(const dt_lease *lease) {
    return lease->lost;
}

dt_status dt_lease_create(dt_lease **out, const char *file, const char *what, double seconds) {
    *out = NULL;
    dt_lease *lease = dt_alloc(1, sizeof *lease);
    if (!lease) return dt_fail_memory("a lock", sizeof *lease);
    snprintf(lease->file, sizeof lease->file, "%s", file);
    snprintf(lease->what, sizeof lease->what, "%s", what);
    dt_status status = dt_lock_describe_myself(&lease->me, seconds);
    if (status.code == DT_OK)
        *out = lease;
    else
        dt_free(lease);
    return status;
}

void dt_lease_destroy(dt_lease *lease) {
    if (!lease) return;
    if (lease->taken) {
        dt_lock_owner found;
        end_thread(lease);
        if (dt_lock_read(lease->file, &found) == DT_LOCK_READ && found.token == lease->me.token) unlink(lease->file);
    }
    dt_free(lease);
}
