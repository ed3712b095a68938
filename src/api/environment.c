/* Finding the OpenMP runtime that oneDNN may have brought into the process, without needing one. */
#include "environment.h"

#include <dlfcn.h>
#include <string.h>

/* ISO C has no way from an object's address to a function's but through their bytes. */
static void find(const char *name, void *function, size_t size) {
    void *found = dlsym(RTLD_DEFAULT, name);
    memcpy(function, &found, size);
}

void dt_openmp_find(dt_openmp *out) {
    find("omp_get_max_threads", &out->get_max_threads, sizeof out->get_max_threads);
    find("omp_set_num_threads", &out->set_num_threads, sizeof out->set_num_threads);
    if (!out->set_num_threads) out->get_max_threads = NULL;
}
