/* What computes: kernels, and the number format of products (arithmetic.c). */
#ifndef DTRAIN_ARITHMETIC_H
#define DTRAIN_ARITHMETIC_H

#include "compute/compute.h"
#include "session.h"

/* Collective. Kernels of the recipe's instruction set, on its number of threads. */
dt_status dt_arithmetic_open(dt_session *session, const dt_kernels **kernels);

/* Collective over the node. `rounded` becomes `weights`, both [count] and the node's. */
void dt_round_shared(const dt_kernels *kernels, dt_node *node, dt_bf16 *rounded, const dt_real *weights, size_t count);

#endif
