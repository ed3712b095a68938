/* The communicator behind a dt_comm: for the reducer and for HDF5's parallel driver, nobody else. */
#ifndef DTRAIN_COMM_INTERNAL_H
#define DTRAIN_COMM_INTERNAL_H

#include <mpi.h>

#include "comm/comm.h"
#include "comm/node.h"
#include "comm/watchdog.h"

MPI_Comm dt_comm_mpi(const dt_comm *comm);
MPI_Comm dt_comm_node_mpi(const dt_comm *comm);

/* A failed MPI call as a status; MPI_SUCCESS is success. */
dt_status dt_comm_check(int mpi_code, const char *what);

dt_comm *dt_node_comm(const dt_node *node);
/* The owners of a slice in all nodes; MPI_COMM_NULL for a rank that owns none. */
MPI_Comm dt_node_across_mpi(const dt_node *node);

/* Collective. Looks on from here to dt_watchdog_close, which is collective on the machine. */
dt_status dt_watchdog_open(dt_watchdog **out, dt_comm *comm, double seconds);
void dt_watchdog_close(dt_watchdog *watchdog); /* accepts NULL */

/* launch.c. Ends the process, in some words, unless dt_launch_timer_end is called within so many seconds of its
 * running. */
void dt_launch_timer_begin(unsigned seconds);
void dt_launch_timer_end(void);

#endif
