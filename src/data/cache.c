/* The memory is a file without a name that the first rank of a machine makes (memfd_create) and the others open by its
 * descriptor in /proc: it is bounded by nothing but memory, where /dev/shm often is by 64 MB. Readers write through the
 * file, so a child process that reads needs none of it mapped and can spoil nothing but the bytes of its unit.
 *
 * A hold of a unit that is there takes no lock: it counts a user in the slot, and looks whether the slot still is the
 * unit's. A slot is emptied by taking its count from 0 to -1, which fails while anybody holds it. All else is under one
 * lock; what is done under it is short. */
#include "cache.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/alive.h"
#include "base/memory.h"

#define DEMANDS 1024 /* waited for at a time, at most */
#define FOLLOWING 64 /* that follow what is held */
#define AHEAD 2      /* units that are asked for behind the one held */

enum { NOWHERE, WANTED, READING, PRESENT };

typedef struct cache_unit {
    _Atomic int32_t slot; /* of a unit that is PRESENT; else -1 */
    int32_t state;
    int64_t part; /* the last part of the plan that wants it */
} cache_unit;

typedef struct cache_slot {
    _Atomic int32_t users; /* -1: being emptied or filled */
    int32_t unused;
    _Atomic int64_t unit; /* -1: none */
    _Atomic int64_t used; /* when it was last held, by head.clock */
} cache_slot;

typedef struct unit_list {
    int64_t count, at; /* units before `at` need not be read */
} unit_list;

/* What processes share, before units, slots, the plan's two lists, and the data. */
typedef struct shared {
    pthread_mutex_t lock;
    pthread_cond_t arrived, wanted;
    _Atomic int failed;
    _Atomic int starved; /* a reader found no slot but such that somebody held: whoever releases one is to wake it */
    dt_status failure;
    _Atomic int64_t clock;
    int64_t part;
    unit_list plan[2];
    int64_t demand_count, demand[DEMANDS];
    int64_t following_count, following[FOLLOWING];
    int64_t filled; /* units before it are or were there */
    int64_t read, awaited;
} shared;

struct dt_cache {
    dt_cache_size size;
    int file;
    bool ends;
    char *map;
    size_t bytes, data; /* where the data begin */
    shared *head;
    cache_unit *units;
    cache_slot *slots;
    int64_t *plan[2];
};

/* ---- memory ---- */

static size_t page_up(size_t bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (bytes + page - 1) / page * page;
}

static size_t head_bytes(const dt_cache_size *size) {
    return page_up(sizeof(shared) + (size_t)size->units * sizeof(cache_unit) +
                   (size_t)size->slots * sizeof(cache_slot) + 2 * (size_t)size->plan * sizeof(int64_t));
}

size_t dt_cache_bytes(const dt_cache_size *size) {
    return head_bytes(size) + (size_t)size->slots * size->unit_bytes;
}

static dt_status create_file(dt_cache *cache, char path[64]) {
    cache->file = memfd_create("dtrain-cache", MFD_CLOEXEC);
    snprintf(path, 64, "/proc/%ld/fd/%d", (long)getpid(), cache->file);
    size_t there = dt_memory_available("");
    if (there < cache->bytes)
        return dt_fail(DT_ERR_MEMORY, "data.memory: a cache of %.3g MB does not fit in memory: there are %.3g MB",
                       (double)cache->bytes / 1e6, (double)there / 1e6);
    if (cache->file >= 0 && ftruncate(cache->file, (off_t)cache->bytes) == 0) return dt_ok();
    return dt_fail(DT_ERR_MEMORY, "data.memory: no memory that processes can share: %s", strerror(errno));
}

static dt_status find_file(dt_cache *cache, const char *path, const dt_ranks *ranks) {
    cache->file = open(path, O_RDWR | O_CLOEXEC);
    if (cache->file >= 0) return dt_ok();
    return dt_fail(DT_ERR_IO,
                   "data.memory: the cache that the ranks on %s share cannot be opened: %s: %s (they must see each "
                   "other's processes)",
                   ranks->host, path, strerror(errno));
}

static dt_status map_file(dt_cache *cache) {
    void *map = mmap(NULL, cache->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, cache->file, 0);
    if (map == MAP_FAILED)
        return dt_fail(DT_ERR_MEMORY, "data.memory: the cache cannot be mapped: %s", strerror(errno));
    cache->map = map;
    cache->head = map;
    cache->units = (cache_unit *)(cache->head + 1);
    cache->slots = (cache_slot *)(cache->units + cache->size.units);
    cache->plan[0] = (int64_t *)(cache->slots + cache->size.slots);
    cache->plan[1] = cache->plan[0] + cache->size.plan;
    return dt_ok();
}

/* The first rank of a machine, before the others have the file. */
static void initialise(const dt_cache *cache) {
    pthread_mutexattr_t lock;
    pthread_mutexattr_init(&lock);
    pthread_mutexattr_setpshared(&lock, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&cache->head->lock, &lock);
    pthread_mutexattr_destroy(&lock);
    pthread_condattr_t condition;
    pthread_condattr_init(&condition);
    pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
    pthread_condattr_setclock(&condition, CLOCK_MONOTONIC);
    pthread_cond_init(&cache->head->arrived, &condition);
    pthread_cond_init(&cache->head->wanted, &condition);
    pthread_condattr_destroy(&condition);
    cache->head->part = -1;
    for (int64_t i = 0; i < cache->size.units; i++) cache->units[i] = (cache_unit){.slot = -1, .part = -1};
    for (int64_t i = 0; i < cache->size.slots; i++) cache->slots[i] = (cache_slot){.users = -1, .unit = -1};
}

static dt_status open_shared(dt_cache *cache, const dt_ranks *ranks) {
    bool first = ranks->node_rank == 0;
    char path[64] = "";
    dt_status status = first ? create_file(cache, path) : dt_ok();
    if (status.code == DT_OK && first) status = map_file(cache);
    if (status.code == DT_OK && first) initialise(cache);
    DT_TRY(dt_ranks_agree(ranks, status));
    DT_TRY(dt_ranks_agree(ranks, dt_ranks_node_broadcast(ranks, path, sizeof path)));
    if (!first) status = find_file(cache, path, ranks);
    if (!first && status.code == DT_OK) status = map_file(cache);
    return dt_ranks_agree(ranks, status);
}

dt_status dt_cache_open(dt_cache **out, const dt_ranks *ranks, const dt_cache_size *size) {
    *out = NULL;
    dt_cache *cache = dt_alloc(1, sizeof *cache);
    DT_TRY(dt_ranks_agree(ranks, cache ? dt_ok() : dt_fail_memory("a cache", sizeof *cache)));
    *cache = (dt_cache){.size = *size, .file = -1, .bytes = dt_cache_bytes(size), .data = head_bytes(size)};
    dt_status status = open_shared(cache, ranks);
    if (status.code == DT_OK)
        *out = cache;
    else
        dt_cache_close(cache);
    return status;
}

void dt_cache_close(dt_cache *cache) {
    if (!cache) return;
    if (cache->map) munmap(cache->map, cache->bytes);
    if (cache->file >= 0) close(cache->file);
    dt_free(cache);
}

int dt_cache_file(const dt_cache *cache) {
    return cache->file;
}
size_t dt_cache_file_bytes(const dt_cache *cache) {
    return cache->bytes;
}
size_t dt_cache_offset(const dt_cache *cache, int64_t number) {
    return cache->data + (size_t)number * cache->size.unit_bytes;
}

static void lock(dt_cache *cache) {
    pthread_mutex_lock(&cache->head->lock);
}
static void unlock(dt_cache *cache) {
    pthread_mutex_unlock(&cache->head->lock);
}

/* At most a second. */
static void await(dt_cache *cache, pthread_cond_t *condition) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec++;
    pthread_cond_timedwait(condition, &cache->head->lock, &until);
}

/* ---- who computes ---- */

/* A slot has a user less. A reader says that it starves before it looks at users once more, and here they are counted
 * before it is asked whether one does: one of the two sees the other. */
static void leave(dt_cache *cache, cache_slot *slot) {
    if (atomic_fetch_sub(&slot->users, 1) > 1 || !atomic_load(&cache->head->starved)) return;
    lock(cache);
    atomic_store(&cache->head->starved, 0);
    pthread_cond_broadcast(&cache->head->wanted);
    unlock(cache);
}

/* Holds a unit that is there; else NULL. Also under the lock, under which a unit's slot is its own. */
static const char *hold_present(dt_cache *cache, int64_t number) {
    int32_t at = atomic_load(&cache->units[number].slot);
    if (at < 0) return NULL;
    cache_slot *slot = &cache->slots[at];
    int32_t users = atomic_load(&slot->users);
    do {
        if (users < 0) return NULL;
    } while (!atomic_compare_exchange_weak(&slot->users, &users, users + 1));
    if (atomic_load(&slot->unit) == number) return cache->map + dt_cache_offset(cache, at);
    leave(cache, slot);
    return NULL;
}

/* Under the lock. */
static void want(dt_cache *cache, int64_t number) {
    shared *head = cache->head;
    if (cache->units[number].state != NOWHERE || head->demand_count == DEMANDS) return;
    cache->units[number].state = WANTED;
    head->demand[head->demand_count++] = number;
    head->awaited++;
    pthread_cond_broadcast(&head->wanted);
}

/* Under the lock: what follows a unit. The oldest wishes are forgotten. */
static void want_following(dt_cache *cache, int64_t number) {
    shared *head = cache->head;
    for (int64_t i = number + 1; i <= number + AHEAD && i < cache->size.units; i++) {
        if (cache->units[i].state != NOWHERE) continue;
        if (head->following_count == FOLLOWING)
            memmove(head->following, head->following + 1, (size_t)--head->following_count * sizeof *head->following);
        head->following[head->following_count++] = i;
        pthread_cond_broadcast(&head->wanted);
    }
}

static const char *hold_awaited(dt_cache *cache, int64_t number) {
    const char *bytes = hold_present(cache, number);
    if (bytes) return bytes;
    bool waited = dt_alive_wait(true);
    lock(cache);
    while (!(bytes = hold_present(cache, number)) && !atomic_load(&cache->head->failed)) {
        want(cache, number);
        await(cache, &cache->head->arrived);
    }
    unlock(cache);
    dt_alive_wait(waited);
    return bytes;
}

const char *dt_cache_hold(dt_cache *cache, int64_t number, bool follows) {
    if (atomic_load(&cache->head->failed)) return NULL;
    if (follows) {
        lock(cache);
        want_following(cache, number);
        unlock(cache);
    }
    const char *bytes = hold_awaited(cache, number);
    int32_t at = bytes ? atomic_load(&cache->units[number].slot) : -1;
    if (at >= 0 && follows) atomic_store(&cache->slots[at].used, atomic_fetch_add(&cache->head->clock, 1));
    return bytes;
}

void dt_cache_release(dt_cache *cache, int64_t number) {
    leave(cache, &cache->slots[atomic_load(&cache->units[number].slot)]);
}

static void set_plan(dt_cache *cache, int which, int64_t part, const int64_t *units, int64_t count) {
    cache->head->plan[which] = (unit_list){.count = count};
    memcpy(cache->plan[which], units, (size_t)count * sizeof *units);
    for (int64_t i = 0; i < count; i++)
        if (cache->units[units[i]].part < part) cache->units[units[i]].part = part;
}

void dt_cache_plan(dt_cache *cache, int64_t part, const int64_t *now, int64_t now_count, const int64_t *next,
                   int64_t next_count) {
    lock(cache);
    if (part > cache->head->part) {
        cache->head->part = part;
        set_plan(cache, 0, part, now, now_count);
        set_plan(cache, 1, part + 1, next, next_count);
        pthread_cond_broadcast(&cache->head->wanted);
    }
    unlock(cache);
}

dt_status dt_cache_failure(const dt_cache *cache) {
    return atomic_load(&cache->head->failed) ? cache->head->failure : dt_ok();
}

void dt_cache_counts(dt_cache *cache, int64_t *read, int64_t *awaited) {
    lock(cache);
    *read = cache->head->read;
    *awaited = cache->head->awaited;
    unlock(cache);
}

/* ---- who reads; under the lock ---- */

/* How much the plan wants a unit: not, later, now. */
static int wanted_by_plan(const dt_cache *cache, const cache_unit *unit) {
    int64_t part = cache->head->part;
    return part < 0 || unit->part < part ? 0 : unit->part > part ? 1 : 2;
}

/* A slot with nothing in it, or whose unit goes: one that the plan does not want or, where somebody waits, any. -1:
 * there is none; *held: but there are such that are held. */
static int64_t choose_slot(dt_cache *cache, bool any, bool *held) {
    int64_t best = -1, best_used = 0;
    int best_wanted = any ? 2 : 0;
    *held = false;
    for (int64_t i = 0; i < cache->size.slots; i++) {
        cache_slot *slot = &cache->slots[i];
        int64_t number = atomic_load(&slot->unit), used = atomic_load(&slot->used);
        if (number < 0) return i;
        if (cache->units[number].state != PRESENT) continue;
        int wanted = wanted_by_plan(cache, &cache->units[number]);
        bool in_use = atomic_load(&slot->users) != 0;
        *held |= in_use && wanted <= (any ? 2 : 0);
        if (in_use) continue;
        if (wanted > best_wanted || (best >= 0 && wanted == best_wanted && used >= best_used)) continue;
        best = i;
        best_wanted = wanted;
        best_used = used;
    }
    return best;
}

/* Empties a slot; false: somebody holds it again. */
static bool empty_slot(dt_cache *cache, int64_t number) {
    cache_slot *slot = &cache->slots[number];
    int64_t old = atomic_load(&slot->unit);
    int32_t none = 0;
    if (old < 0) return true;
    if (!atomic_compare_exchange_strong(&slot->users, &none, -1)) return false;
    atomic_store(&cache->units[old].slot, -1);
    cache->units[old].state = NOWHERE;
    return true;
}

static int64_t free_slot(dt_cache *cache, bool any, bool *held) {
    int64_t at = choose_slot(cache, any, held);
    while (at >= 0 && !empty_slot(cache, at)) at = choose_slot(cache, any, held);
    return at;
}

static bool place(dt_cache *cache, int64_t number, bool any, dt_cache_task *task) {
    bool held;
    int64_t at = free_slot(cache, any, &held);
    if (at < 0 && held) {
        atomic_store(&cache->head->starved, 1);
        at = free_slot(cache, any, &held);
    }
    if (at < 0) return false;
    atomic_store(&cache->slots[at].unit, number);
    cache->units[number].state = READING;
    *task = (dt_cache_task){number, at};
    return true;
}

static bool take_demand(dt_cache *cache, dt_cache_task *task) {
    shared *head = cache->head;
    if (head->demand_count == 0 || !place(cache, head->demand[0], true, task)) return false;
    memmove(head->demand, head->demand + 1, (size_t)--head->demand_count * sizeof *head->demand);
    return true;
}

static bool take_planned(dt_cache *cache, int which, dt_cache_task *task) {
    unit_list *list = &cache->head->plan[which];
    for (; list->at < list->count; list->at++) {
        int64_t number = cache->plan[which][list->at];
        if (cache->units[number].state != NOWHERE) continue;
        return place(cache, number, false, task);
    }
    return false;
}

static bool take_following(dt_cache *cache, dt_cache_task *task) {
    shared *head = cache->head;
    while (head->following_count > 0) {
        int64_t number = head->following[0];
        bool needed = cache->units[number].state == NOWHERE;
        if (needed && !place(cache, number, false, task)) return false;
        memmove(head->following, head->following + 1, (size_t)--head->following_count * sizeof *head->following);
        if (needed) return true;
    }
    return false;
}

/* Where there is room for all. */
static bool take_any(dt_cache *cache, dt_cache_task *task) {
    shared *head = cache->head;
    if (cache->size.slots < cache->size.units) return false;
    while (head->filled < cache->size.units && cache->units[head->filled].state != NOWHERE) head->filled++;
    return head->filled < cache->size.units && place(cache, head->filled, false, task);
}

static bool take(dt_cache *cache, dt_cache_task *task) {
    return take_demand(cache, task) || take_planned(cache, 0, task) || take_planned(cache, 1, task) ||
           take_following(cache, task) || take_any(cache, task);
}

/* ---- who reads ---- */

bool dt_cache_next(dt_cache *cache, dt_cache_task *task) {
    bool found = false;
    lock(cache);
    while (!cache->ends && !atomic_load(&cache->head->failed) && !(found = take(cache, task)))
        await(cache, &cache->head->wanted);
    unlock(cache);
    return found;
}

bool dt_cache_next_now(dt_cache *cache, dt_cache_task *task) {
    lock(cache);
    bool found = !cache->ends && !atomic_load(&cache->head->failed) && take(cache, task);
    unlock(cache);
    return found;
}

void dt_cache_done(dt_cache *cache, const dt_cache_task *task, dt_status status) {
    shared *head = cache->head;
    lock(cache);
    if (status.code == DT_OK) {
        head->read++;
        cache->units[task->unit].state = PRESENT;
        atomic_store(&cache->slots[task->slot].used, atomic_fetch_add(&head->clock, 1));
        atomic_store(&cache->slots[task->slot].users, 0);
        atomic_store(&cache->units[task->unit].slot, (int32_t)task->slot);
    } else if (!atomic_load(&head->failed)) {
        head->failure = status;
        atomic_store(&head->failed, 1);
    }
    pthread_cond_broadcast(&head->arrived);
    pthread_cond_broadcast(&head->wanted);
    unlock(cache);
}

void dt_cache_end(dt_cache *cache) {
    lock(cache);
    cache->ends = true;
    pthread_cond_broadcast(&cache->head->wanted);
    unlock(cache);
}
