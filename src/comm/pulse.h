/* Signs of life between machines (watchdog.c). Watchdogs make no MPI calls, so what a machine waits for elsewhere is
 * known by datagrams: the first rank of each machine tells rank 0's machine what has moved there, and that tells all
 * the sum. Where datagrams do not get through nothing is heard, and a watchdog has only its own machine to look at. */
#ifndef DTRAIN_COMM_PULSE_H
#define DTRAIN_COMM_PULSE_H

#include <stdbool.h>
#include <stdint.h>

#include "comm/comm.h"

typedef struct dt_pulse dt_pulse;

/* Collective. NULL on all but the first rank of each machine, where the job has one machine only, and where the system
 * gives no socket. */
dt_status dt_pulse_open(dt_pulse **out, dt_comm *comm);
void dt_pulse_close(dt_pulse *pulse); /* accepts NULL */

/* Tells that this machine has moved `moves`, and whether it has spoken its last words; hears what has come. Returns
 * what all have moved, of which only changes count. *spoken: another machine has spoken. */
uint64_t dt_pulse_exchange(dt_pulse *pulse, uint64_t moves, bool said, bool *spoken);

#endif
