/* The communicator behind a dt_comm, for the files of this room alone. */
#ifndef DTRAIN_COMM_INTERNAL_H
#define DTRAIN_COMM_INTERNAL_H

#include <mpi.h>

#include "comm/comm.h"
#include "comm/node.h"

/* Collective over `parent`. A dt_comm of a communicator, which it copies, without MPI's beginning and end. */
dt_status dt_comm_create(dt_comm **out, MPI_Comm parent);
void dt_comm_destroy(dt_comm *comm); /* accepts NULL */

/* What session.c keeps with the world; NULL with others. */
typedef struct dt_comm_session dt_comm_session;
dt_comm_session *dt_comm_session_of(const dt_comm *comm);
void dt_comm_attach(dt_comm *comm, dt_comm_session *session);

MPI_Comm dt_comm_mpi(const dt_comm *comm);
MPI_Comm dt_comm_node_mpi(const dt_comm *comm);

/* A failed MPI call as a status; MPI_SUCCESS is success. */
dt_status dt_comm_check(int mpi_code, const char *what);

dt_comm *dt_node_comm(const dt_node *node);
/* The ranks of this node. */
MPI_Comm dt_node_local_mpi(const dt_node *node);
/* The owners of a slice in all nodes; MPI_COMM_NULL for a rank that owns none. */
MPI_Comm dt_node_across_mpi(const dt_node *node);

/* launch.c. Ends the process, in some words, unless dt_launch_timer_end is called within so many seconds of its
 * running. */
void dt_launch_timer_begin(unsigned seconds);
void dt_launch_timer_end(void);

/* help_texts.c. The MPI library's help texts are this process's business from here on, not the launcher's. */
void dt_help_texts_own(void);

#endif
