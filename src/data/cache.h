/* A cache of units, pieces of data that are read from a file when they are wanted, in memory that the ranks of a
 * machine share: what one of them has read is there for all. Its size is fixed. Whoever computes holds units, one at a
 * time on each of its threads; readers (row_stream_reader.c) ask what is to be read next, and into which slot. What is
 * ahead can be told, so that it is read before it is wanted: a plan never changes what is held, only how long it takes.
 *
 * A unit is wanted in this order: somebody waits for it; it is of the present part of the plan, or of the next; it
 * follows one that is held, and nothing is planned; there is room for all. It leaves when its slot is needed, first
 * those that no plan wants, those not held for the longest time first. */
#ifndef DTRAIN_CACHE_H
#define DTRAIN_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ranks.h"
#include "base/status.h"

typedef struct dt_cache dt_cache;

typedef struct dt_cache_size {
    int64_t units, slots; /* slots at least 1 */
    size_t unit_bytes;
    int64_t plan; /* units that a part of a plan names, at most */
} dt_cache_size;

/* Bytes that a cache takes. */
size_t dt_cache_bytes(const dt_cache_size *size);
/* Collective. */
dt_status dt_cache_open(dt_cache **out, const dt_ranks *ranks, const dt_cache_size *size);
void dt_cache_close(dt_cache *cache); /* accepts NULL; this process's readers have ended */

/* ---- who computes ---- */

/* The bytes of unit `number`, until dt_cache_release; waits until they are there. `follows`: the units behind it will
 * be wanted too. NULL: reading has failed (dt_cache_failure). */
const char *dt_cache_hold(dt_cache *cache, int64_t number, bool follows);
void dt_cache_release(dt_cache *cache, int64_t number);
/* Part number `part` of a plan, and the one after it: lists of units, any of them more than once. Parts are numbered
 * upwards; of several processes' words the first counts. */
void dt_cache_plan(dt_cache *cache, int64_t part, const int64_t *now, int64_t now_count, const int64_t *next,
                   int64_t next_count);
/* The first failure of any reader of this machine, for good. */
dt_status dt_cache_failure(const dt_cache *cache);

/* ---- who reads ---- */

typedef struct dt_cache_task {
    int64_t unit, slot;
} dt_cache_task;

/* The next unit to be read; waits until there is one. false: the process's readers are to end. */
bool dt_cache_next(dt_cache *cache, dt_cache_task *task);
/* The same without waiting; false also where there is none now. */
bool dt_cache_next_now(dt_cache *cache, dt_cache_task *task);
void dt_cache_done(dt_cache *cache, const dt_cache_task *task, dt_status status);
/* Makes dt_cache_next say so. */
void dt_cache_end(dt_cache *cache);
/* The memory as a file, and where slot `number` is in it; its size. */
int dt_cache_file(const dt_cache *cache);
size_t dt_cache_offset(const dt_cache *cache, int64_t number);
size_t dt_cache_file_bytes(const dt_cache *cache);

/* Units read so far on this machine, and those somebody had to wait for. */
void dt_cache_counts(dt_cache *cache, int64_t *read, int64_t *awaited);

#endif
