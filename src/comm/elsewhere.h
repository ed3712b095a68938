/* The machines of the job other than this one, for the watchdog: who they are, and what becomes of a launcher that
 * would wait for one for ever. */
#ifndef DTRAIN_ELSEWHERE_H
#define DTRAIN_ELSEWHERE_H

#include <stdbool.h>
#include <sys/types.h>

#include "comm/comm.h"

/* Collective. Writes "hostB (ranks 2 to 3), hostC (rank 4)", "" with one machine, for as many as there is room for. */
dt_status dt_elsewhere_describe(char *out, size_t size, dt_comm *comm);

/* Leaves a process behind that ends `launcher`, the parent of this one, if it is mpirun and still there after
 * `seconds`: it waits for the daemon of a machine that is silent as long as that is, which may be for ever. Returns at
 * once. */
void dt_elsewhere_end_launcher(pid_t launcher, int seconds);

#endif
