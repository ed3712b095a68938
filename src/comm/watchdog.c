/* The watchdog. Its threads make no MPI calls, since the main thread may be stuck in one: they read a window of shared
 * memory with one entry a rank of this machine. The entries that hold the others up are those that are not themselves
 * waiting, or wait in an earlier step. A machine whose ranks all wait speaks two seconds later than one that has the
 * culprit, so that the job's last words come from where it is. */
#include "dtrain/watchdog.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "comm_internal.h"
#include "dtrain/clock.h"
#include "dtrain/log.h"
#include "dtrain/memory.h"

typedef struct entry {
    _Atomic double since; /* clock */
    _Atomic double seen;  /* when its own thread last looked on */
    _Atomic int64_t step;
    _Atomic int activity; /* dt_activity */
    int rank;             /* in the job */
    char padding[DT_ALIGNMENT - 3 * sizeof(double) - 2 * sizeof(int)];
} entry;

struct dt_watchdog {
    MPI_Comm node;
    MPI_Win window;
    entry *entries; /* of this machine's ranks; behind them one whose activity is 1 once somebody has spoken */
    entry *own;
    int count;
    int job_size;
    _Atomic double allowed;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t end; /* signals `ends` */
    bool ends;
};

static const char *doing(int activity) {
    switch (activity) {
    case DT_ACTIVITY_START: return "starting";
    case DT_ACTIVITY_COMPUTE: return "computing";
    case DT_ACTIVITY_MEET: return "waiting for other ranks";
    case DT_ACTIVITY_STORAGE: return "at the checkpoint's storage";
    case DT_ACTIVITY_END: return "closing down";
    default: return "idle";
    }
}

/* Its own thread no longer looks on: the process is stopped, or its machine is. */
static bool is_stopped(const dt_watchdog *w, const entry *e, double now) {
    return e->activity != DT_ACTIVITY_IDLE && now - e->seen > w->allowed;
}

/* Writes "rank 3 (computing in step 120 for 31 s), …" for those that hold the others up, the stopped ones if there are
 * any; how many there are. */
static int name_late(const dt_watchdog *w, double now, char *out, size_t size) {
    int64_t newest = -1;
    bool any_stopped = false;
    for (int i = 0; i < w->count; i++) {
        if (w->entries[i].step > newest) newest = w->entries[i].step;
        any_stopped = any_stopped || is_stopped(w, &w->entries[i], now);
    }
    size_t used = 0;
    int late = 0;
    for (int i = 0; i < w->count; i++) {
        const entry *e = &w->entries[i];
        bool stopped = is_stopped(w, e, now);
        bool waits = e->activity == DT_ACTIVITY_MEET && e->step == newest;
        if (any_stopped ? !stopped : waits) continue;
        late++;
        if (used + 96 < size)
            used += (size_t)snprintf(out + used, size - used, "%srank %d (%s%s in step %lld for %.0f s)",
                                     used ? ", " : "", e->rank, stopped ? "stopped while " : "", doing(e->activity),
                                     (long long)e->step, now - e->since);
    }
    return late;
}

static void bark(dt_watchdog *w, double now, double waited) {
    char names[1024] = "";
    int late = name_late(w, now, names, sizeof names);
    if (late == 0 && waited < w->allowed + 2) return;
    int silent = 0;
    if (!atomic_compare_exchange_strong(&w->entries[w->count].activity, &silent, 1)) return;
    if (late > 0)
        dt_log_error("no progress for %.0f s (train.timeout): held up by %s", waited, names);
    else
        dt_log_error("no progress for %.0f s (train.timeout): all %d ranks of this machine wait in step %lld for ranks "
                     "elsewhere (%d ranks in all)",
                     waited, w->count, (long long)w->own->step, w->job_size);
    _exit(1);
}

/* One look: barks when this rank has waited too long, or another of this machine is stopped. */
static void look(dt_watchdog *w, bool *warned) {
    double now = dt_clock_now(), waited = now - w->own->since, allowed = w->allowed;
    w->own->seen = now;
    bool slow = w->own->activity == DT_ACTIVITY_START, storage = false;
    for (int i = 0; i < w->count; i++) {
        if (is_stopped(w, &w->entries[i], now)) bark(w, now, now - w->entries[i].seen);
        storage = storage || w->entries[i].activity == DT_ACTIVITY_STORAGE;
    }
    if (w->own->activity == DT_ACTIVITY_IDLE || waited < allowed) {
        *warned = false;
        return;
    }
    if (storage && !*warned && w->own == w->entries)
        dt_log_warn("the storage is slow: %.0f s for a checkpoint so far", waited);
    *warned = true;
    if (waited > 10 * allowed || !(slow || storage)) bark(w, now, waited);
}

/* Sleeps until the next look is due; true when it was woken to end. */
static bool sleep_or_end(dt_watchdog *w) {
    double pause = w->allowed < 10 ? w->allowed / 10 : 1, until = dt_clock_now() + pause;
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

/* The condition is timed by the clock of dt_clock_now. */
static int start_thread(dt_watchdog *w) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&w->end, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&w->lock, NULL);
    return pthread_create(&w->thread, NULL, watch, w);
}

dt_status dt_watchdog_open(dt_watchdog **out, dt_comm *comm, double seconds) {
    *out = NULL;
    dt_watchdog *w = dt_alloc(1, sizeof *w);
    DT_TRY(dt_comm_agree(comm, w ? dt_ok() : dt_fail_memory("the watchdog", sizeof *w)));
    w->node = dt_comm_node_mpi(comm);
    w->count = dt_comm_node_size(comm);
    w->job_size = dt_comm_size(comm);
    w->allowed = seconds;
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
    w->own->seen = dt_clock_now();
    dt_watchdog_note(w, DT_ACTIVITY_START, 0);
    DT_TRY(dt_comm_barrier(comm));
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
    MPI_Win_free(&w->window);
    dt_free(w);
}

void dt_watchdog_note(dt_watchdog *w, dt_activity activity, int64_t step) {
    if (!w) return;
    atomic_store_explicit(&w->own->since, dt_clock_now(), memory_order_relaxed);
    atomic_store_explicit(&w->own->step, step, memory_order_relaxed);
    atomic_store_explicit(&w->own->activity, (int)activity, memory_order_release);
}

void dt_watchdog_limit(dt_watchdog *w, double seconds) {
    if (w) w->allowed = seconds > 0 ? seconds : INFINITY;
}

void dt_watchdog_allow(dt_watchdog *w, double seconds) {
    if (w && seconds > w->allowed) w->allowed = seconds;
}
