/* The watchdog. Its threads make no MPI calls, since the main thread may be stuck in one: they read a window of shared
 * memory with one entry a rank of this machine. An entry holds counts that rise, no times: each looking thread keeps
 * time by itself, and only of what it saw, so a job that was suspended as a whole finds nothing amiss when it goes on.
 * The entries that hold the others up are those that do not wait, or wait in an earlier step. A machine whose ranks all
 * wait speaks two seconds later than one that has the culprit, so that the job's last words come from where it is.
 * What moves on other machines the first rank's thread hears of (pulse.h).
 *
 * Once somebody has spoken every rank goes by itself, and so it does when its launcher is gone: not every launcher ends
 * the ranks that are left. */
#include "comm/watchdog.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alive.h"
#include "base/append.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/process.h"
#include "comm_internal.h"
#include "elsewhere.h"
#include "pulse.h"

#define PATIENCE 10        /* times as long is allowed where one move may take long: storage, start, evaluation */
#define LAST_SECONDS 3     /* for a launcher that ends the ranks, before they go by themselves */
#define LAUNCHER_SECONDS 8 /* for a launcher to end, before it is ended */

typedef struct entry {
    _Atomic uint64_t moves; /* changes whenever the rank does something */
    _Atomic uint64_t looks; /* of its watchdog's thread */
    _Atomic int64_t step;
    _Atomic int activity; /* dt_activity, but not DT_ACTIVITY_MEET */
    _Atomic int waits;    /* for others */
    int rank;             /* in the job */
    char padding[DT_ALIGNMENT - 3 * sizeof(int64_t) - 3 * sizeof(int)];
} entry;

/* What this thread last saw of an entry, and when that was new, in seconds it was running itself. */
typedef struct sight {
    uint64_t moves, looks;
    double moved, looked;
} sight;

struct dt_watchdog {
    MPI_Comm node;
    MPI_Win window;
    entry *entries; /* of this machine's ranks; behind them one of what moves elsewhere, whose activity is 1 once
                       somebody has spoken */
    entry *own;
    sight *seen;     /* of the entries */
    dt_pulse *pulse; /* the first rank's, where there are other machines */
    int count;
    const char *host;
    char elsewhere[400];    /* the other machines and their ranks; "" when there are none */
    pid_t launcher;         /* 0: there is none */
    _Atomic double ran;     /* seconds this thread has looked on */
    _Atomic double looked;  /* clock, of its last look */
    double spoken;          /* `ran` when it found that somebody has spoken; negative: nobody yet */
    _Atomic double allowed; /* seconds */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t end; /* signals `ends` */
    bool ends;
};

static const char *doing(const entry *e) {
    if (e->waits) return "waiting for other ranks";
    switch ((dt_activity)e->activity) {
    case DT_ACTIVITY_START: return "starting";
    case DT_ACTIVITY_COMPUTE: return "computing";
    case DT_ACTIVITY_EVALUATE: return "evaluating";
    case DT_ACTIVITY_STORAGE: return "at the checkpoint's storage";
    case DT_ACTIVITY_END: return "closing down";
    default: return "idle";
    }
}

static double pause_of(const dt_watchdog *w) {
    return w->allowed < 10 ? w->allowed / 10 : 1;
}

/* ---- speaking ------------------------------------------------------------------------------------------------------
 */

/* Its own thread no longer looks on: the process is stopped, or gone. */
static bool is_stopped(const dt_watchdog *w, int i) {
    return w->entries[i].activity != DT_ACTIVITY_IDLE && w->ran - w->seen[i].looked > w->allowed;
}

/* Writes "rank 3 (computing in step 120 for 31 s), …" for those that hold the others up, the stopped ones if there are
 * any; how many there are. Who waits holds nobody up, in whatever step: a collective call lets some ranks go on before
 * others. */
static int name_late(const dt_watchdog *w, char *out, size_t size) {
    bool any_stopped = false;
    for (int i = 0; i < w->count; i++) any_stopped = any_stopped || is_stopped(w, i);
    int late = 0;
    out[0] = '\0';
    for (int i = 0; i < w->count; i++) {
        const entry *e = &w->entries[i];
        bool stopped = is_stopped(w, i);
        if (any_stopped ? !stopped : e->waits) continue;
        late++;
        if (strlen(out) + 96 < size)
            dt_append(out, size, "%srank %d (%s%s in step %lld for %.0f s)", out[0] ? ", " : "", e->rank,
                      stopped ? "stopped while " : "", doing(e), (long long)e->step, w->ran - w->seen[i].moved);
    }
    return late;
}

/* With the other machines. */
static void exchange(dt_watchdog *w) {
    if (!w->pulse) return;
    uint64_t moves = 0;
    for (int i = 0; i < w->count; i++) moves += w->entries[i].moves;
    bool spoken;
    w->entries[w->count].moves = dt_pulse_exchange(w->pulse, moves, *dt_alive_spoken, &spoken);
    if (spoken) dt_alive_last_words();
}

static void bark(dt_watchdog *w, double waited, double limit) {
    char names[1024] = "";
    int late = name_late(w, names, sizeof names);
    if (late == 0 && waited < limit + 2) return;
    if (!dt_alive_last_words()) return;
    exchange(w);
    if (late > 0)
        dt_log_error("no progress for %.0f s (train.timeout): held up by %s", waited, names);
    else if (w->elsewhere[0])
        dt_log_error("no progress for %.0f s (train.timeout): the ranks of %s wait in step %lld for those of %s, where "
                     "nobody says why",
                     waited, w->host, (long long)w->own->step, w->elsewhere);
    else
        dt_log_error(
            "no progress for %.0f s (train.timeout): all %d ranks wait for one another in step %lld, which is a "
            "fault of dtrain or of MPI",
            waited, w->count, (long long)w->own->step);
    dt_elsewhere_end_launcher(w->launcher, LAUNCHER_SECONDS);
    _exit(1);
}

/* Somebody has spoken, or the launcher is gone and nobody else will end this rank. */
static void go_with_the_others(dt_watchdog *w) {
    if (w->launcher != 0 && getppid() != w->launcher) {
        if (dt_alive_last_words()) dt_log_error("the launcher of this job is gone; its ranks end");
        _exit(1);
    }
    if (*dt_alive_spoken && w->spoken < 0) w->spoken = w->ran;
    if (w->spoken >= 0 && w->ran - w->spoken > LAST_SECONDS) _exit(1);
}

/* ---- looking -------------------------------------------------------------------------------------------------------
 */

/* Since the last look, as far as this thread can have run. */
static double running(const dt_watchdog *w, double now) {
    double passed = now - w->looked, most = 3 * pause_of(w);
    return passed < most ? passed : most;
}

/* Time goes on, and what has changed since the last look is new. */
static void keep_time(dt_watchdog *w) {
    double now = dt_clock_now();
    w->ran = w->ran + running(w, now);
    w->looked = now;
    w->own->looks++;
    exchange(w);
    for (int i = 0; i <= w->count; i++) {
        uint64_t moves = w->entries[i].moves, looks = w->entries[i].looks;
        if (moves != w->seen[i].moves) w->seen[i].moved = w->ran;
        if (looks != w->seen[i].looks) w->seen[i].looked = w->ran;
        w->seen[i].moves = moves;
        w->seen[i].looks = looks;
    }
}

/* One look: barks when no rank has moved for too long, or one of this machine is stopped. */
static void look(dt_watchdog *w, bool *warned) {
    keep_time(w);
    go_with_the_others(w);
    double newest = w->seen[w->count].moved, allowed = w->allowed;
    bool slow = false, storage = false;
    for (int i = 0; i < w->count; i++) {
        int activity = w->entries[i].activity;
        if (w->seen[i].moved > newest) newest = w->seen[i].moved;
        if (is_stopped(w, i)) bark(w, w->ran - w->seen[i].looked, allowed);
        storage = storage || activity == DT_ACTIVITY_STORAGE;
        slow = slow || activity == DT_ACTIVITY_START || activity == DT_ACTIVITY_EVALUATE;
    }
    double waited = w->ran - newest, limit = slow || storage ? PATIENCE * allowed : allowed;
    if (w->own->activity == DT_ACTIVITY_IDLE || waited < allowed) {
        *warned = false;
        return;
    }
    if (storage && !*warned && w->own == w->entries)
        dt_log_warn("the storage is slow: %.0f s for a checkpoint so far", waited);
    *warned = true;
    if (waited > limit) bark(w, waited, limit);
}

/* Sleeps until the next look is due; true when it was woken to end. */
static bool sleep_or_end(dt_watchdog *w) {
    double until = dt_clock_now() + pause_of(w);
    struct timespec moment = {(time_t)until, (long)((until - floor(until)) * 1e9)};
    int code = 0;
    pthread_mutex_lock(&w->lock);
    while (!w->ends && code == 0) code = pthread_cond_timedwait(&w->end, &w->lock, &moment);
    bool ends = w->ends;
    pthread_mutex_unlock(&w->lock);
    return ends;
}

static void *watch(void *argument) {
    dt_watchdog *w = argument;
    bool warned = false;
    while (!sleep_or_end(w)) look(w, &warned);
    return NULL;
}

/* ---- opening and closing -------------------------------------------------------------------------------------------
 */

/* The condition is timed by the clock of dt_clock_now. */
static int start_thread(dt_watchdog *w) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&w->end, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&w->lock, NULL);
    w->looked = dt_clock_now();
    sigset_t all, before; /* signals are for the main thread, whose stack for them is its own */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&w->thread, NULL, watch, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

dt_status dt_watchdog_open(dt_watchdog **out, dt_comm *comm, double seconds) {
    *out = NULL;
    dt_watchdog *w = dt_alloc(1, sizeof *w);
    size_t count = (size_t)dt_comm_node_size(comm);
    sight *seen = dt_alloc(count + 1, sizeof *seen);
    DT_TRY(dt_comm_agree(comm, w && seen ? dt_ok() : dt_fail_memory("the watchdog", sizeof *w + count * sizeof *seen)));
    w->seen = seen;
    w->node = dt_comm_node_mpi(comm);
    w->count = (int)count;
    w->host = dt_comm_host(comm);
    w->allowed = seconds;
    w->spoken = -1;
    w->launcher = (pid_t)dt_process_launcher();
    MPI_Aint bytes = dt_comm_node_rank(comm) == 0 ? (MPI_Aint)sizeof(entry) * (w->count + 1) : 0;
    int unit = 1;
    void *base = NULL;
    dt_status status = dt_comm_check(MPI_Win_allocate_shared(bytes, 1, MPI_INFO_NULL, w->node, &base, &w->window),
                                     "MPI_Win_allocate_shared");
    DT_TRY(dt_comm_agree(comm, status));
    MPI_Win_shared_query(w->window, 0, &bytes, &unit, &base);
    w->entries = base;
    w->own = &w->entries[dt_comm_node_rank(comm)];
    memset(w->own, 0, sizeof *w->own);
    if (w->own == w->entries) memset(&w->entries[w->count], 0, sizeof *w->entries);
    w->own->rank = dt_comm_rank(comm);
    dt_watchdog_note(w, DT_ACTIVITY_START, 0);
    DT_TRY(dt_elsewhere_describe(w->elsewhere, sizeof w->elsewhere, comm));
    DT_TRY(dt_comm_barrier(comm));
    DT_TRY(dt_pulse_open(&w->pulse, comm));
    dt_alive_in(&w->own->moves, &w->own->waits, &w->entries[w->count].activity);
    int code = start_thread(w);
    DT_TRY(dt_comm_agree(
        comm, code == 0 ? dt_ok() : dt_fail(DT_ERR_MEMORY, "cannot start the watchdog's thread: %s", strerror(code))));
    *out = w;
    return dt_ok();
}

void dt_watchdog_close(dt_watchdog *w) {
    if (!w) return;
    dt_watchdog_note(w, DT_ACTIVITY_IDLE, w->own->step);
    pthread_mutex_lock(&w->lock);
    w->ends = true;
    pthread_cond_signal(&w->end);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->end);
    pthread_mutex_destroy(&w->lock);
    dt_alive_in(NULL, NULL, NULL);
    dt_pulse_close(w->pulse);
    MPI_Win_free(&w->window);
    dt_free(w->seen);
    dt_free(w);
}

/* ---- noting --------------------------------------------------------------------------------------------------------
 */

void dt_watchdog_note(dt_watchdog *w, dt_activity activity, int64_t step) {
    if (!w) return;
    bool waits = activity == DT_ACTIVITY_MEET;
    atomic_store_explicit(&w->own->step, step, memory_order_relaxed);
    if (!waits) atomic_store_explicit(&w->own->activity, (int)activity, memory_order_relaxed);
    atomic_store_explicit(&w->own->waits, waits, memory_order_release);
    dt_alive();
}

void dt_watchdog_limit(dt_watchdog *w, double seconds) {
    if (w) w->allowed = seconds > 0 ? seconds : INFINITY;
}

double dt_watchdog_ran(const dt_watchdog *w) {
    return w ? w->ran + running(w, dt_clock_now()) : 0;
}

void dt_watchdog_allow(dt_watchdog *w, double seconds) {
    if (w && seconds > w->allowed) w->allowed = seconds;
}
