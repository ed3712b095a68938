/* What computes: the instruction set and the number format of products, the same on all ranks (arithmetic.c). */
#ifndef DTRAIN_ARITHMETIC_H
#define DTRAIN_ARITHMETIC_H

#include "compute/compute.h"
#include "resume.h"
#include "session.h"

/* Collective. Kernels of the recipe's instruction set, or of that of the checkpoint the run goes on from; and bf16
 * settled as below. */
dt_status dt_arithmetic_open(dt_session *session, const dt_start *start, const dt_kernels **kernels);

/* Collective, once kernels are open: whether every rank's machine multiplies bfloat16 numbers. */
dt_status dt_precision_everywhere(dt_comm *comm, bool *all);
/* Collective. Where the recipe asks for bf16 and some rank cannot, it becomes float32 on all of them, and *lacks true.
 */
dt_status dt_precision_settle(dt_comm *comm, dt_recipe *recipe, bool *lacks);
/* Says so, on rank 0. */
void dt_precision_warn(const dt_comm *comm, const dt_recipe *recipe);
/* Collective over the node. `rounded` becomes `weights`, both [count] and the node's. */
void dt_round_shared(const dt_kernels *kernels, dt_node *node, dt_bf16 *rounded, const dt_real *weights, size_t count);
/* That a checkpoint's recipe, which is to be gone on with in float32 for want of bf16, is not one of bf16. */
dt_status dt_precision_check(const char *recipe);

#endif
