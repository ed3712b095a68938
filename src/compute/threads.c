/* Threads of a rank (compute.threads). Work is cut into blocks whose bounds follow from its size alone, and no block's
 * result depends on another's, so the bits are the same on any number of threads. */
#include "threads.h"

#include <omp.h>
#include <unistd.h>

#include "compute_internal.h"

void dt_threads_open(int threads, void (*each_thread)(void)) {
    omp_set_num_threads(threads);
#pragma omp parallel num_threads(threads)
    each_thread();
}

int dt_threads(void) {
    return omp_get_max_threads();
}

int dt_threads_allowed(int64_t wanted) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t most = 4 * (processors > 0 ? (int64_t)processors : 1);
    return (int)(wanted < 1 ? 1 : wanted < most ? wanted : most);
}

int dt_thread(void) {
    return omp_get_thread_num();
}

void dt_parallel(int64_t count, int64_t block, dt_task task, void *context) {
    int64_t blocks = (count + block - 1) / block;
    if (blocks < 2 || omp_get_max_threads() == 1) {
        if (count > 0) task(context, 0, count);
        return;
    }
#pragma omp parallel for schedule(static)
    for (int64_t b = 0; b < blocks; b++) task(context, b * block, b + 1 < blocks ? (b + 1) * block : count);
}
