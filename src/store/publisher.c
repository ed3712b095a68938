/* Checkpoints beside the training: a thread of each rank does what the rank does by itself (publication.c), on a copy
 * of its part. A thread, and no child by fork: a child would share the pages of all that is trained with, and each of
 * them would be copied when it is next written to. Only HDF5 is left to a child, made early (outline.h): it knows one
 * thread, and the training has a file of its own open.
 *
 * Ranks come first: the thread has a low priority, and where that is of no help, as in a container with less time than
 * cores, it rests in proportion to the processor time it takes. Whoever waits for it ends the rests (hurries). */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/alive.h"
#include "base/clock.h"
#include "base/memory.h"
#include "publication.h"

#define STACK_BYTES ((size_t)512 << 10)
#define NICE 10
#define REST 4           /* seconds of rest for one of processor time */
#define STINT 0.002      /* of processor time, between two rests: each of them costs two changes of threads */
#define LOOK_SECONDS 0.2 /* between two looks of who waits */

typedef enum dt_asked { IDLE, ASKED, READY } dt_asked;

struct dt_publisher {
    dt_ranks ranks;
    dt_outliner *outliner;
    void *copy; /* [room] */
    size_t room;
    bool flies;
    dt_publication now;
    pthread_t thread;
    bool runs;
    pthread_mutex_t lock;
    pthread_cond_t asked, answered; /* of `state`, `ends`, `hurries` */
    dt_asked state;
    bool ends;
    _Atomic bool hurries;
    _Atomic double moved; /* clock */
    _Atomic double work;  /* processor time of the thread, seconds */
    double rested;        /* of that, when it rested last; the thread's */
};

/* ---- the thread ----------------------------------------------------------------------------------------------------
 */

static struct timespec moment_in(double seconds) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    double until = (double)at.tv_nsec * 1e-9 + seconds;
    at.tv_sec += (time_t)until;
    at.tv_nsec = (long)((until - (double)(time_t)until) * 1e9);
    return at;
}

static void rest(dt_publisher *p, double seconds) {
    struct timespec until = moment_in(seconds);
    int code = 0;
    pthread_mutex_lock(&p->lock);
    while (code == 0 && !p->ends && !p->hurries) code = pthread_cond_timedwait(&p->asked, &p->lock, &until);
    pthread_mutex_unlock(&p->lock);
}

static bool take_pause(void *context) {
    dt_publisher *p = context;
    double now = dt_clock_work(), worked = now - p->rested;
    p->work = now;
    p->moved = dt_clock_now();
    if (worked < STINT) return !p->ends;
    p->rested = now;
    if (!p->hurries && !p->ends) rest(p, REST * worked);
    p->moved = dt_clock_now();
    return !p->ends;
}

static void *help(void *context) {
    dt_publisher *p = context;
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE); /* of this thread alone, on Linux */
    pthread_mutex_lock(&p->lock);
    while (!p->ends) {
        if (p->state != ASKED) {
            pthread_cond_wait(&p->asked, &p->lock);
            continue;
        }
        pthread_mutex_unlock(&p->lock);
        dt_publication_work(&p->now);
        p->work = dt_clock_work();
        pthread_mutex_lock(&p->lock);
        p->state = READY;
        p->moved = dt_clock_now();
        pthread_cond_broadcast(&p->answered);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Signals are for the thread that computes. */
static int start_thread(dt_publisher *p) {
    sigset_t all, before;
    pthread_attr_t small;
    sigfillset(&all);
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK_BYTES);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&p->thread, &small, help, p);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&small);
    return code;
}

/* ---- who trains ----------------------------------------------------------------------------------------------------
 */

dt_status dt_publisher_open(dt_publisher **out, const dt_ranks *ranks) {
    dt_publisher *p = *out = dt_alloc(1, sizeof *p);
    if (!p) return dt_fail_memory("who publishes checkpoints", sizeof *p);
    p->ranks = *ranks;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->asked, &monotonic);
    pthread_cond_init(&p->answered, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return ranks->rank == 0 ? dt_outliner_start(&p->outliner) : dt_ok();
}

void dt_publisher_close(dt_publisher *p) {
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->ends = true;
    pthread_cond_broadcast(&p->asked);
    pthread_mutex_unlock(&p->lock);
    if (p->runs) pthread_join(p->thread, NULL);
    dt_outliner_end(p->outliner);
    if (p->flies && p->ranks.rank == 0) unlink(p->now.outline.path);
    dt_publication_close(&p->now);
    pthread_cond_destroy(&p->answered);
    pthread_cond_destroy(&p->asked);
    pthread_mutex_destroy(&p->lock);
    if (p->copy) munmap(p->copy, p->room);
    dt_free(p);
}

static dt_status measure(const dt_publisher *p, const dt_state *state, size_t *room) {
    dt_outline outline;
    dt_part part = {0};
    dt_status status = dt_outline_open(&outline, "", state);
    if (status.code == DT_OK) status = dt_part_open(&part, &outline, p->ranks.rank, p->ranks.size);
    *room = part.room > 0 ? part.room : DT_PART_PAGE;
    dt_part_close(&part);
    dt_outline_close(&outline);
    return status;
}

/* The pages are there from now on: the first copy takes no longer than the others, and finds memory. */
static dt_status take_memory(dt_publisher *p) {
    void *copy = mmap(NULL, p->room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (copy == MAP_FAILED) return dt_fail_memory("a copy of the state", p->room);
    madvise(copy, p->room, MADV_HUGEPAGE);
    madvise(copy, p->room, MADV_DONTFORK);
    memset(copy, 0, p->room);
    p->copy = copy;
    return dt_ok();
}

dt_status dt_publisher_fit(dt_publisher *p, const dt_state *state, size_t most) {
    DT_TRY(measure(p, state, &p->room));
    if (most > 0 && p->room > most) return dt_fail_memory("a copy of the state", p->room);
    DT_TRY(take_memory(p));
    int code = start_thread(p);
    if (code != 0) return dt_fail(DT_ERR_IO, "no thread could be started: %s", strerror(code));
    p->runs = true;
    return dt_ok();
}

size_t dt_publisher_memory(const dt_publisher *p) {
    return p->copy ? p->room : 0;
}

static void ask(dt_publisher *p) {
    pthread_mutex_lock(&p->lock);
    p->state = ASKED;
    p->moved = dt_clock_now();
    pthread_cond_broadcast(&p->asked);
    pthread_mutex_unlock(&p->lock);
}

static dt_status fail_step(const dt_publisher *p, dt_status status) {
    return dt_status_within(status, "the checkpoint of step %lld was not written (older ones are untouched)",
                            (long long)p->now.outline.position.step);
}

static dt_status open_publication(dt_publisher *p, const char *directory, const dt_state *state) {
    char temporary[4096 + 8];
    DT_TRY(dt_publication_names(&p->now, temporary, directory, state->position.step));
    DT_TRY(dt_publication_open(&p->now, &p->ranks, temporary, state));
    if (p->now.part.room <= p->room) return dt_ok();
    return dt_fail(DT_ERR_MEMORY, "the state has become larger than its copy may be");
}

dt_status dt_publisher_begin(dt_publisher *p, const char *directory, const dt_state *state, dt_keeping keeping) {
    dt_publication_close(&p->now);
    memset(&p->now, 0, sizeof p->now);
    p->now.outliner = p->outliner;
    p->now.pause = (dt_pause){take_pause, p};
    p->now.prunes = true;
    p->now.keeping = keeping;
    DT_TRY(fail_step(p, dt_ranks_agree(&p->ranks, open_publication(p, directory, state))));
    dt_part_copy(&p->now.part, &p->now.outline, p->copy);
    p->flies = true;
    p->hurries = false;
    ask(p);
    return dt_ok();
}

int64_t dt_publisher_flies(const dt_publisher *p) {
    return p->flies ? p->now.outline.position.step : -1;
}

bool dt_publisher_is_ready(dt_publisher *p) {
    pthread_mutex_lock(&p->lock);
    bool ready = p->flies && p->state == READY;
    pthread_mutex_unlock(&p->lock);
    return ready;
}

/* What the thread moves is a sign of life of who waits for it. */
static void wait_for_thread(dt_publisher *p) {
    double seen = p->moved;
    pthread_mutex_lock(&p->lock);
    while (p->state != READY) {
        struct timespec until = moment_in(LOOK_SECONDS);
        pthread_cond_timedwait(&p->answered, &p->lock, &until);
        if (p->moved != seen) dt_alive();
        seen = p->moved;
    }
    pthread_mutex_unlock(&p->lock);
}

dt_status dt_publisher_meet(dt_publisher *p, bool *over) {
    wait_for_thread(p);
    dt_status status = dt_publication_meet(&p->now);
    *over = p->now.stage == DT_STAGE_OVER;
    p->flies = !*over;
    p->state = IDLE;
    if (!*over) ask(p);
    return fail_step(p, status);
}

dt_status dt_publisher_finish(dt_publisher *p) {
    pthread_mutex_lock(&p->lock);
    p->hurries = true;
    pthread_cond_broadcast(&p->asked);
    pthread_mutex_unlock(&p->lock);
    for (bool over; p->flies;) DT_TRY(dt_publisher_meet(p, &over));
    return dt_ok();
}

double dt_publisher_stands(dt_publisher *p) {
    pthread_mutex_lock(&p->lock);
    double stands = p->flies && p->state == ASKED ? dt_clock_now() - p->moved : 0;
    pthread_mutex_unlock(&p->lock);
    return stands;
}

double dt_publisher_work(const dt_publisher *p) {
    return p->work + dt_outliner_work(p->outliner);
}
