/* The node: ranks of one machine that share one replica of the model. Weights and moments are in memory all of them
 * see; every rank updates its slice of them. A node of one is a rank with a replica of its own.
 *
 * Functions marked "collective" must be called by every rank of the job, in the same order. */
#ifndef DTRAIN_NODE_H
#define DTRAIN_NODE_H

#include "comm/comm.h"

typedef struct dt_node dt_node;

/* Collective. Ranks of a machine, in the order of their numbers, at most `most` of them to a node (0: all). */
dt_status dt_node_open(dt_node **out, dt_comm *comm, int64_t most);
/* Collective. Frees what dt_node_alloc gave. Accepts NULL. */
void dt_node_close(dt_node *node);

int dt_node_rank(const dt_node *node);
int dt_node_size(const dt_node *node);
int dt_node_count(const dt_node *node); /* nodes in the job */
/* Ranks of a node that have a counterpart in every other node: those own a slice. Rank r of a node is one when
 * r < dt_node_owners(node). */
int dt_node_owners(const dt_node *node);

/* Collective. Zeroed memory every rank of the node sees, which begins at a page; lives until dt_node_close. Each page
 * is touched first by the rank that owns that share of it, so it is near that rank. NULL on every rank when it cannot
 * be had, and *status says why. (It returns the memory, and not through a void **: that would store a void * into a
 * pointer of another type, which compilers that look across files may take to be unrelated.) */
void *dt_node_alloc(dt_node *node, size_t count, size_t size, dt_status *status);

/* Returns when every rank of the node has called it; what they wrote to shared memory before is then seen by all. Waits
 * by spinning for some microseconds, then by giving way, at once where ranks outnumber cores. */
void dt_node_meet(dt_node *node);

/* Collective. What rank 0 of the job has in memory of dt_node_alloc, in every node. */
dt_status dt_node_share(dt_node *node, void *shared, size_t bytes);

#endif
