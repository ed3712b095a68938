/* Between the files of the compute room. */
#ifndef DTRAIN_COMPUTE_INTERNAL_H
#define DTRAIN_COMPUTE_INTERNAL_H

#include "isa.h"
#include "kernels.h"

/* Sets the number of threads and runs `each_thread` once on every one of them (threads.c). */
void dt_threads_open(int threads, void (*each_thread)(void));

/* The same kernels on the threads of this rank (threaded.h). */
const dt_kernels *dt_kernels_threaded(const dt_kernels *kernels);

#endif
