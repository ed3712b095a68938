/* Threads of a rank where there is one and no OpenMP: in the public library, whose threads are its callers'
 * (threads.c). */
#include "threads.h"

#include "compute_internal.h"

void dt_threads_open(int threads, void (*each_thread)(void)) {
    (void)threads;
    each_thread();
}

int dt_threads(void) {
    return 1;
}

int dt_threads_allowed(int64_t wanted) {
    (void)wanted;
    return 1;
}

int dt_thread(void) {
    return 0;
}

void dt_parallel(int64_t count, int64_t block, dt_task task, void *context) {
    (void)block;
    if (count > 0) task(context, 0, count);
}
