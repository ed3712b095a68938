/* What dtrain bench measures of a machine, with all ranks at work at once: each is collective and prints its lines.
 * Figures are medians; a rank's time is that of the slowest. */
#ifndef DTRAIN_BENCH_PARTS_H
#define DTRAIN_BENCH_PARTS_H

#include "comm/comm.h"
#include "compute/compute.h"

#define DT_BENCH_REPEATS 15
/* Sorts them. */
double dt_bench_median(double values[DT_BENCH_REPEATS]);

/* bench_machine.c */
dt_status dt_bench_products(dt_comm *comm, const dt_kernels *kernels);
dt_status dt_bench_memory(dt_comm *comm, const dt_kernels *kernels);
/* Into `directory`. */
dt_status dt_bench_checkpoint(dt_comm *comm, const char *directory);
/* bench_reduce.c. The gradient's way across at growing sizes, with `update` also what follows it. */
dt_status dt_bench_reduce(dt_comm *comm, const dt_kernels *kernels, bool update);

#endif
