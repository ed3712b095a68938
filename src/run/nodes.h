/* Memory that the ranks of a machine share, or have each for itself where it cannot be shared (nodes.c). */
#ifndef DTRAIN_NODES_H
#define DTRAIN_NODES_H

#include "comm/node.h"
#include "config/recipe.h"

/* Collective. Nodes as `reduce` says, with what `take` has them share; the node is there also when it fails. Where that
 * fails although every rank for itself may succeed, what was taken is given back, every rank becomes a node of its own,
 * and rank 0 says so. */
dt_status dt_nodes_open(dt_node **node, dt_comm *comm, const dt_recipe_reduce *reduce, dt_status (*take)(void *context),
                        void (*give_back)(void *context), void *context);

#endif
