/* Threads of a rank (compute.threads): loops cut in blocks. */
#ifndef DTRAIN_COMPUTE_THREADS_H
#define DTRAIN_COMPUTE_THREADS_H

#include <stdint.h>

/* task(context, begin, end) for [0, count): all at once on one thread, else in blocks of `block`, some on each thread
 * of the rank. The task's results must not depend on how the range is cut at multiples of `block`. */
typedef void (*dt_task)(void *context, int64_t begin, int64_t end);
void dt_parallel(int64_t count, int64_t block, dt_task task, void *context);
int dt_threads(void); /* how many there are */
/* As many of `wanted` threads as this machine is to be asked for by a file of somebody else's: four a processor. */
int dt_threads_allowed(int64_t wanted);
int dt_thread(void); /* which of them this is; within a task */

#endif
