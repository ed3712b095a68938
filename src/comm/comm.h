/* Ranks: who they are, how they agree, how numbers cross between them. Functions marked "collective" must be called by
 * every rank of the communicator in the same order. */
#ifndef DTRAIN_COMM_H
#define DTRAIN_COMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct dt_comm dt_comm;

/* Collective over the world. Starts MPI unless it runs already; `out` is the world. A launch that takes longer than 300
 * s (or $DTRAIN_LAUNCH_TIMEOUT), and then 300 s without a move until dt_watchdog_limit says otherwise, ends the
 * process. */
dt_status dt_comm_open(dt_comm **out, int *argc, char ***argv);
/* What the MPI library says it is, on one line; may be asked before MPI runs. Not collective. */
void dt_comm_library(char *out, size_t size);
/* This process alone, while `comm` is open. Not collective. */
dt_status dt_comm_alone(dt_comm **out, const dt_comm *comm);
/* Collective. Those of `comm` that say the same `group`, from 0 on, in the order of their ranks; messages call them by
 * their numbers in `comm`. To dt_comm_close, by them together. */
dt_status dt_comm_split(dt_comm **out, dt_comm *comm, int group);
/* Collective. Ends MPI when dt_comm_open started it. Accepts NULL. */
void dt_comm_close(dt_comm *comm);
/* Collective. Ends this process without MPI_Finalize, which may crash on what a failed write left open, once all ranks
 * are here. */
void dt_comm_leave(dt_comm *comm, int exit_code) __attribute__((noreturn));
/* Ends the whole job at once with `exit_code`. */
void dt_comm_abort(dt_comm *comm, int exit_code) __attribute__((noreturn));

int dt_comm_rank(const dt_comm *comm);
int dt_comm_size(const dt_comm *comm);
int dt_comm_node_rank(const dt_comm *comm); /* rank among those on this machine */
int dt_comm_node_size(const dt_comm *comm);
const char *dt_comm_host(const dt_comm *comm);

/* Collective. Every rank gets the status of the lowest failing rank, or success when none failed; the message is
 * prefixed with "rank N: " when N is not 0 and there is more than one rank. */
dt_status dt_comm_agree(dt_comm *comm, dt_status status);

/* Collective. True on every rank when it is true on any. */
bool dt_comm_any(dt_comm *comm, bool flag);

/* Collective. Rank `root`'s bytes everywhere. */
dt_status dt_comm_broadcast(dt_comm *comm, void *bytes, size_t count, int root);
/* Collective. Calls take(argument, rank, text) on rank 0 with every rank's text, in the order of the ranks. NULL counts
 * as
 * "". */
dt_status dt_comm_collect_text(dt_comm *comm, const char *text,
                               void (*take)(void *argument, int rank, const char *text), void *argument);

/* Collective. Element-wise sums, in place. */
dt_status dt_comm_sum_i64(dt_comm *comm, int64_t *values, size_t count);
/* Collective. The same modulo 2^32. */
dt_status dt_comm_sum_u32(dt_comm *comm, uint32_t *values, size_t count);
/* Collective. Element-wise minima, in place. */
dt_status dt_comm_least_i64(dt_comm *comm, int64_t *values, size_t count);

/* Collective. Minimum, mean and maximum over the ranks of each of `count` values; any of the outputs may be NULL. */
dt_status dt_comm_spread(dt_comm *comm, const double *values, size_t count, double *min, double *mean, double *max);

/* Collective. Every rank's value, in rank order, on every rank: all[dt_comm_size]. */
dt_status dt_comm_gather_u64(dt_comm *comm, uint64_t value, uint64_t *all);

/* Collective. All ranks wait for all. */
dt_status dt_comm_barrier(dt_comm *comm);
/* Collective over the ranks of this machine. The node's first rank's bytes on all of them. */
dt_status dt_comm_node_broadcast(dt_comm *comm, void *bytes, size_t count);

#endif
