/* The lock file is made with link(2), which is atomic on NFS too, so it appears with its contents. Heartbeats are a
 * number at its end, written in place between open and close: closing is what makes a network file system show it to
 * others, and opening what makes them look. Of several jobs that find a lock stale one claims the right to remove it,
 * with a second file made like the first, so that none removes a lock that was taken over meanwhile. */
#include "lease.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/process.h"

#define BEATS 15          /* in the time after which a holder without any counts as gone */
#define BEAT_DIGITS 10    /* of the count at the end of the file, before its newline */
#define LONGEST_LOOK 1.0  /* seconds between two looks that count as watching: we may have been suspended ourselves */
#define MOST_SECONDS 3600 /* a lock of somebody else's is not believed more */
#define STACK_BYTES ((size_t)256 << 10)

typedef struct owner {
    char host[256], job[64], since[32];
    dt_process process;
    double seconds; /* without a heartbeat until it counts as gone */
    uint64_t token; /* of this lease alone */
    uint64_t beat;
} owner;

struct dt_lease {
    char file[4096], what[4096];
    owner me;
    bool taken;
    owner watched;    /* a holder that cannot be asked: as it was first seen */
    double looked;    /* clock */
    double unchanged; /* seconds it was seen without a heartbeat */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t end; /* signals `ends` */
    bool ends;
    _Atomic bool lost;
    _Atomic double beaten; /* clock; the last heartbeat */
};

/* ---- who holds it --------------------------------------------------------------------------------------------------
 */

static const char *job_id(void) {
    static const char *const names[] = {"SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *job = getenv(names[i]); // NOLINT(concurrency-mt-unsafe)
        if (job && *job) return job;
    }
    return "-";
}

/* The lock is read word by word. */
static void make_word(char *text) {
    for (char *c = text; (c = strpbrk(c, " \t\n\v\f\r")) != NULL;) *c = '_';
}

static dt_status describe_myself(owner *me, double seconds) {
    memset(me, 0, sizeof *me);
    gethostname(me->host, sizeof me->host - 1);
    snprintf(me->job, sizeof me->job, "%s", job_id());
    make_word(me->host);
    make_word(me->job);
    if (!me->host[0]) me->host[0] = '-';
    dt_clock_utc(me->since);
    me->process = dt_process_self();
    me->seconds = seconds;
    if (getrandom(&me->token, sizeof me->token, 0) == (ssize_t)sizeof me->token) return dt_ok();
    return dt_fail(DT_ERR_IO, "no random number for a lock: %s", strerror(errno));
}

static int print_owner(char *text, size_t size, const owner *o) {
    return snprintf(text, size,
                    "dtrain lock host %s pid %ld started %llu boot %s space %llu job %s since %s lease %.3f token "
                    "%016" PRIx64 " beat %0*" PRIu64 "\n",
                    o->host, o->process.pid, o->process.started, o->process.boot, o->process.space, o->job, o->since,
                    o->seconds, o->token, BEAT_DIGITS, o->beat);
}

/* The owner in an open file, and where the count of its heartbeats stands. */
static bool read_open(int fd, owner *o, off_t *beat_at) {
    char text[1024];
    memset(o, 0, sizeof *o);
    ssize_t got = pread(fd, text, sizeof text - 1, 0);
    if (got < BEAT_DIGITS + 1) return false;
    text[got] = '\0';
    *beat_at = (off_t)got - BEAT_DIGITS - 1;
    int fields =
        sscanf(text,
               "dtrain lock host %255s pid %ld started %llu boot %39s space %llu job %63s since %31s lease %lf "
               "token %" SCNx64 " beat %" SCNu64,
               o->host, &o->process.pid, &o->process.started, o->process.boot, &o->process.space, o->job, o->since,
               &o->seconds, &o->token, &o->beat);
    if (fields != 10 || !(o->seconds > 0)) return false;
    if (o->seconds > MOST_SECONDS) o->seconds = MOST_SECONDS;
    return true;
}

typedef enum reading { READ, ABSENT, UNREADABLE } reading;

static reading read_owner(const char *file, owner *o) {
    int fd = open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    off_t beat_at;
    if (fd < 0) return errno == ENOENT ? ABSENT : UNREADABLE;
    bool whole = read_open(fd, o, &beat_at);
    close(fd);
    return whole ? READ : UNREADABLE;
}

/* ---- the heartbeat -------------------------------------------------------------------------------------------------
 */

/* Counts one up in a lock that is still ours. */
static reading count_up(dt_lease *lease, bool *written) {
    owner found;
    char digits[BEAT_DIGITS + 1];
    off_t beat_at;
    int fd = open(lease->file, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    *written = false;
    if (fd < 0) return errno == ENOENT ? ABSENT : UNREADABLE;
    reading seen = read_open(fd, &found, &beat_at) ? READ : UNREADABLE;
    bool ours = seen == READ && found.token == lease->me.token;
    if (ours) {
        snprintf(digits, sizeof digits, "%0*" PRIu64, BEAT_DIGITS, ++lease->me.beat % 10000000000U);
        *written = pwrite(fd, digits, BEAT_DIGITS, beat_at) == BEAT_DIGITS;
    }
    if (close(fd) != 0) *written = false;
    return seen == READ && !ours ? ABSENT : seen;
}

static void beat(dt_lease *lease, int *absent, bool *warned) {
    bool written;
    reading seen = count_up(lease, &written);
    *absent = seen == ABSENT ? *absent + 1 : 0;
    if (*absent > 1)
        atomic_store(&lease->lost, true); /* twice: a network file system may not show a file for a moment */
    if (written) {
        atomic_store(&lease->beaten, dt_clock_now());
        *warned = false;
    } else if (seen != ABSENT && !*warned && dt_clock_now() - lease->beaten > lease->me.seconds / 2) {
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

/* Makes `file` with us in it; *made false: there is one. */
static dt_status make_lock(const char *file, const owner *me, bool *made) {
    char own[4096 + 320], text[1024];
    int fd, length = print_owner(text, sizeof text, me);
    snprintf(own, sizeof own, "%s.%016" PRIx64, file, me->token);
    DT_TRY(dt_file_create(own, &fd));
    bool written = write(fd, text, (size_t)length) == length;
    int reason = errno;
    if (close(fd) != 0 && written) {
        written = false;
        reason = errno;
    }
    *made = written && link(own, file) == 0;
    if (written) reason = *made ? 0 : errno;
    unlink(own);
    return *made || reason == EEXIST ? dt_ok() : dt_fail(DT_ERR_IO, "%s: %s", file, strerror(reason));
}

/* Of all who find a lock stale the first claims its owner's place, and only who holds that claim removes the lock: none
 * removes one that was taken over, or shows a heartbeat, meanwhile. */
static dt_status remove_stale(dt_lease *lease, const owner *holder, bool certain) {
    char claim[4096 + 32];
    snprintf(claim, sizeof claim, "%s.stale.%016" PRIx64, lease->file, holder->token);
    bool claimed = false;
    DT_TRY(make_lock(claim, &lease->me, &claimed));
    if (!claimed) return dt_ok();
    owner found;
    bool same = read_owner(lease->file, &found) == READ && found.token == holder->token && found.beat == holder->beat;
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
static dt_fate watch(dt_lease *lease, const owner *holder) {
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
        owner holder;
        DT_TRY(make_lock(lease->file, &lease->me, &made));
        if (made) return begin(lease, taken);
        reading seen = read_owner(lease->file, &holder);
        if (seen == ABSENT) continue; /* released meanwhile */
        if (seen == UNREADABLE)
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

static dt_status fail_lost(const dt_lease *lease, reading seen, const owner *found) {
    if (seen == READ && found->token != lease->me.token)
        return dt_fail(DT_ERR_BUSY,
                       "%s was taken over by process %ld on %s (job %s, since %s), which saw no heartbeat of this one; "
                       "this run stops and writes nothing more",
                       lease->what, found->process.pid, found->host, found->job, found->since);
    return dt_fail(DT_ERR_BUSY, "%s: its lock %s was removed; this run stops and writes nothing more", lease->what,
                   lease->file);
}

dt_status dt_lease_check(dt_lease *lease) {
    owner found;
    reading seen = ABSENT;
    for (int attempt = 0; attempt < 3 && seen == ABSENT; attempt++) {
        if (attempt > 0) nanosleep(&(struct timespec){0, 50000000}, NULL);
        seen = read_owner(lease->file, &found);
    }
    bool ours = seen == READ && found.token == lease->me.token;
    if (!lease->lost && ours) return dt_ok();
    if (!lease->lost && seen == UNREADABLE) {
        if (dt_clock_now() - lease->beaten < lease->me.seconds / 2) return dt_ok();
        return dt_fail(DT_ERR_IO, "%s: its lock %s can no longer be read; nothing is written without it", lease->what,
                       lease->file);
    }
    atomic_store(&lease->lost, true);
    return fail_lost(lease, ours ? ABSENT : seen, &found);
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
    dt_status status = describe_myself(&lease->me, seconds);
    if (status.code == DT_OK)
        *out = lease;
    else
        dt_free(lease);
    return status;
}

void dt_lease_destroy(dt_lease *lease) {
    if (!lease) return;
    if (lease->taken) {
        owner found;
        end_thread(lease);
        if (read_owner(lease->file, &found) == READ && found.token == lease->me.token) unlink(lease->file);
    }
    dt_free(lease);
}
