/* Between the files of the compute room. */
#ifndef DTRAIN_COMPUTE_INTERNAL_H
#define DTRAIN_COMPUTE_INTERNAL_H

#include "isa.h"
#include "kernels.h"

/* Sets the number of threads and runs `each_thread` once on every one of them (threads.c). */
void dt_threads_open(int threads, void (*each_thread)(void));

/* Pins oneDNN to an instruction set (onednn.c). */
dt_status dt_onednn_open(dt_isa isa);

/* Success where there is room for the code oneDNN writes for products and convolutions: where there is none it crashes
 * (failure.c). To be asked before it writes some. */
dt_status dt_compute_room(void);

/* The same kernels on the threads of this rank (threaded.h). */
const dt_kernels *dt_kernels_threaded(const dt_kernels *kernels);

#endif
