/* The communicator behind a dt_comm: for the reducer and for HDF5's parallel driver, nobody else. */
#ifndef DTRAIN_COMM_INTERNAL_H
#define DTRAIN_COMM_INTERNAL_H

#include <mpi.h>

#include "dtrain/comm.h"

MPI_Comm dt_comm_mpi(const dt_comm *comm);
MPI_Comm dt_comm_node_mpi(const dt_comm *comm);

/* A failed MPI call as a status; MPI_SUCCESS is success. */
dt_status dt_comm_check(int mpi_code, const char *what);

#endif
