/* The cache where threads and processes meet at the worst of moments: its source is compiled here once more, with a
 * pause before each of its atomic steps every so often, and with waits that last ten seconds if nobody wakes them, so
 * that wake-ups that are forgotten are a test that runs out of time. One alone may be the C library's: glibc
 * before 2.41 loses one in a great many (its bug 25847). */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static _Thread_local uint64_t draws;

static uint64_t draw(void) {
    draws = draws * UINT64_C(6364136223846793005) + 1442695040888963407;
    return draws >> 33;
}

static void perhaps_pause(void) {
    uint64_t n = draw() % 64;
    if (n < 8) sched_yield();
    if (n == 63) usleep(50);
}

#undef atomic_load
#undef atomic_store
#undef atomic_fetch_sub
#undef atomic_compare_exchange_weak
#undef atomic_compare_exchange_strong
#define atomic_load(at) (perhaps_pause(), atomic_load_explicit(at, memory_order_seq_cst))
#define atomic_store(at, value) (perhaps_pause(), atomic_store_explicit(at, value, memory_order_seq_cst))
#define atomic_fetch_sub(at, value) (perhaps_pause(), atomic_fetch_sub_explicit(at, value, memory_order_seq_cst))
#define atomic_compare_exchange_weak(at, is, value)                                                                    \
    (perhaps_pause(), atomic_compare_exchange_weak_explicit(at, is, value, memory_order_seq_cst, memory_order_seq_cst))
#define atomic_compare_exchange_strong(at, is, value)                                                                  \
    (perhaps_pause(),                                                                                                  \
     atomic_compare_exchange_strong_explicit(at, is, value, memory_order_seq_cst, memory_order_seq_cst))

static int wait_long(pthread_cond_t *condition, pthread_mutex_t *lock, struct timespec until) {
    until.tv_sec += 10;
    return pthread_cond_timedwait(condition, lock, &until);
}
#define pthread_cond_timedwait(condition, lock, until) wait_long(condition, lock, *(until))
#include "data/cache.c" // NOLINT(bugprone-suspicious-include): with pauses in it
#include "suite.h"

enum { UNITS = 12, WORDS = 16, ROUNDS = 1500, MOST = 8 };

static dt_cache *cache;

/* A unit's words are its number and their place. */
static void *fill_units(void *context) {
    dt_cache_task task;
    draws = (uint64_t)(uintptr_t)context;
    while (dt_cache_next(cache, &task)) {
        int32_t words[WORDS];
        for (int i = 0; i < WORDS; i++) words[i] = (int32_t)task.unit * WORDS + i;
        bool good = pwrite(dt_cache_file(cache), words, sizeof words, (off_t)dt_cache_offset(cache, task.slot)) ==
                    (ssize_t)sizeof words;
        dt_cache_done(cache, &task, good ? dt_ok() : dt_fail(DT_ERR_IO, "a unit cannot be written"));
    }
    return NULL;
}

static bool is_unit(const char *bytes, int64_t unit) {
    const int32_t *words = (const int32_t *)bytes;
    for (int i = 0; bytes && i < WORDS; i++)
        if (words[i] != (int32_t)unit * WORDS + i) return false;
    return bytes != NULL;
}

static atomic_int wrong;

static void *hold_many(void *context) {
    draws = (uint64_t)(uintptr_t)context + 77;
    for (int64_t i = 0; i < ROUNDS; i++) {
        const int64_t unit = (int64_t)(draw() % UNITS);
        const int64_t now[] = {unit, (unit + 1) % UNITS}, next[] = {(unit + 5) % UNITS};
        if (i % 50 == 0) dt_cache_plan(cache, i / 50, now, 2, next, 1);
        const char *bytes = dt_cache_hold(cache, unit, i % 3 == 0);
        int bad = !is_unit(bytes, unit);
        sched_yield();
        bad += !is_unit(bytes, unit);
        atomic_fetch_add(&wrong, bad);
        if (bytes) dt_cache_release(cache, unit);
    }
    return NULL;
}

static void open_cache(int64_t slots) {
    dt_ranks alone = dt_ranks_alone();
    dt_cache_size size = {.units = UNITS, .slots = slots, .unit_bytes = WORDS * sizeof(int32_t), .plan = 2};
    assert_ok(dt_cache_open(&cache, &alone, &size));
    atomic_store_explicit(&wrong, 0, memory_order_seq_cst);
}

typedef struct crew {
    pthread_t threads[MOST];
    int count;
} crew;

static void start(crew *c, int count, void *(*work)(void *), uintptr_t seed) {
    c->count = count;
    for (int i = 0; i < count; i++) pthread_create(&c->threads[i], NULL, work, (void *)(seed + (uintptr_t)i));
}

static void join(const crew *c) {
    for (int i = 0; i < c->count; i++) pthread_join(c->threads[i], NULL);
}

static int count_wrong(void) {
    return atomic_load_explicit(&wrong, memory_order_seq_cst);
}

/* Whatever room there is, less than there are threads, too: none gets another's bytes, and none waits for ever. */
START_TEST(threads_that_share_a_cache_have_the_bytes_they_asked_for) {
    static const int64_t slots[] = {1, 3, 7};
    open_cache(slots[_i]);
    crew readers, holders;
    start(&readers, 2, fill_units, 50);
    start(&holders, 5, hold_many, 1);
    join(&holders);
    dt_cache_end(cache);
    join(&readers);
    ck_assert_int_eq(count_wrong(), 0);
    dt_cache_close(cache);
}
END_TEST

/* Ranks of a machine, some of which read. */
START_TEST(processes_that_share_a_cache_have_the_bytes_they_asked_for) {
    enum { PROCESSES = 3 };
    static const int64_t slots[] = {2, 5};
    pid_t ranks[PROCESSES];
    int status, broken = 0;
    open_cache(slots[_i]);
    for (int p = 0; p < PROCESSES; p++) {
        ranks[p] = fork();
        ck_assert_int_ge(ranks[p], 0);
        if (ranks[p] == 0) {
            crew holders;
            start(&holders, 2, hold_many, 10 * (uintptr_t)(p + 1));
            join(&holders);
            _exit(count_wrong() > 0);
        }
    }
    crew readers;
    start(&readers, 2, fill_units, 50);
    for (int p = 0; p < PROCESSES; p++) {
        ck_assert_int_eq(waitpid(ranks[p], &status, 0), ranks[p]);
        broken += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    dt_cache_end(cache);
    join(&readers);
    ck_assert_int_eq(broken, 0);
    dt_cache_close(cache);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cache races");
    TCase *tests = tcase_create("cache races");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, threads_that_share_a_cache_have_the_bytes_they_asked_for, 0, 3);
    tcase_add_loop_test(tests, processes_that_share_a_cache_have_the_bytes_they_asked_for, 0, 2);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
