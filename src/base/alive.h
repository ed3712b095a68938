/* Signs of life. A watchdog (watchdog.h) cannot tell work that takes long from work that stands still, unless the work
 * says so: whatever may take longer than a moment calls dt_alive between its pieces, in every room, at the cost of an
 * increment. It is a global because it has no meaning of its own for those who call it, and those who would have to
 * pass it on are everywhere; without a watchdog it counts for nobody. A child made by fork counts for its parent. In
 * the same way whoever waits for other processes says so, so that the blame for a stand-still does not fall on it.
 *
 * In the public library nobody watches, and threads of others share nothing: there it does nothing (DT_LIBRARY). */
#ifndef DTRAIN_ALIVE_H
#define DTRAIN_ALIVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* What this process has moved; never NULL. Changes count, not the value: two threads may take one number. */
extern _Atomic uint64_t *dt_alive_count;
/* Whether this process waits for others; never NULL. */
extern _Atomic int *dt_alive_waits;
/* Whether one of the processes that share it has said the job's last words; never NULL. */
extern _Atomic int *dt_alive_spoken;

static inline void dt_alive(void) {
#ifndef DT_LIBRARY
    uint64_t count = atomic_load_explicit(dt_alive_count, memory_order_relaxed);
    atomic_store_explicit(dt_alive_count, count + 1, memory_order_relaxed);
#endif
}

/* Of a model: a layer has gone forward or backward. Tests count, delay and hold these from outside, by preloading a
 * function of this name; nothing else has one. */
#ifndef DT_LIBRARY
extern void dt_test_layer(void) __attribute__((weak));
#endif

static inline void dt_alive_layer(void) {
#ifndef DT_LIBRARY
    dt_alive();
    if (dt_test_layer) dt_test_layer();
#endif
}

/* This process waits for others from here on, or no longer; a sign of life, too. Returns whether it waited before, to
 * be restored by who may be called within a wait. */
static inline bool dt_alive_wait(bool waits) {
    bool before = atomic_load_explicit(dt_alive_waits, memory_order_relaxed) != 0;
    atomic_store_explicit(dt_alive_waits, waits, memory_order_relaxed);
    dt_alive();
    return before;
}

/* From here on in this memory; NULL: in this process's own. */
void dt_alive_in(_Atomic uint64_t *count, _Atomic int *waits, _Atomic int *spoken);

/* True for the first process to ask: its words are the last, the others of this machine go in silence. May be called in
 * a signal handler. */
bool dt_alive_last_words(void);

#endif
