/* The gradient's way across: shard gradients in, their sum over all shards of all ranks out.
 *
 * The unit is the shard: a rank adds the gradient of each shard it owns, then every rank finishes. The sum's number
 * format on the way is the recipe's wire. With an integer wire the sum, and everything else this interface reports, is
 * the same for every number of ranks, every algorithm of MPI_Allreduce and every order of the shards. */
#ifndef DTRAIN_REDUCE_H
#define DTRAIN_REDUCE_H

#include "dtrain/comm.h"
#include "dtrain/compute.h"
#include "dtrain/recipe.h"
#include "dtrain/table.h"

typedef struct dt_reducer dt_reducer;

/* For gradients of `table`'s arena, cut into `shards` of which a rank owns at most `shards_per_rank`. `comm`, `kernels`
 * and `table` outlive the reducer. */
dt_status dt_reduce_create(dt_reducer **out, dt_comm *comm, const dt_kernels *kernels, const dt_table *table,
                           int64_t shards, int64_t shards_per_rank, dt_wire wire);
void dt_reduce_destroy(dt_reducer *reducer); /* accepts NULL */

/* The part of the trained state that belongs to the wire: *exponents is [*count] int32, valid and live until destroy;
 * NULL and 0 for the f32 wire. Goes into checkpoints and the digest. */
void dt_reduce_state(dt_reducer *reducer, int32_t **exponents, int64_t *count);

/* A step begins: nothing has been added, no flag is raised. */
void dt_reduce_begin(dt_reducer *reducer);
/* Where the next shard's gradient [table->total] is to be written; every element must be. Borrowed. */
dt_real *dt_reduce_next(dt_reducer *reducer);
/* The buffer of dt_reduce_next now holds a shard's gradient. */
void dt_reduce_add(dt_reducer *reducer);

/* Small signals that cross with the gradient, at no extra cost: any rank may raise one before dt_reduce_finish, and
 * after it every rank knows how many ranks did. */
typedef enum dt_flag {
    DT_FLAG_STOP,
    DT_FLAG_CHECKPOINT,
    DT_FLAG_EVALUATE,
    DT_FLAG_NOT_FINITE, /* also raised by dt_reduce_add for a gradient that is not */
    DT_FLAG_COUNT = 16
} dt_flag;
void dt_reduce_raise(dt_reducer *reducer, dt_flag flag);
int dt_reduce_raised(const dt_reducer *reducer, dt_flag flag);

/* Collective. *sum [table->total] is the sum over all shards of all ranks; valid until the next dt_reduce_begin. Ranks
 * that added nothing take part. When *redo is true a value did not fit the wire on some rank: *sum is unusable, the
 * exponents have been adapted on every rank by the same rule, and the step is to be computed again from
 * dt_reduce_begin. */
dt_status dt_reduce_finish(dt_reducer *reducer, const dt_real **sum, bool *redo);

/* The name of a tensor whose gradient was not finite on this rank in this step; NULL when none was. */
const char *dt_reduce_not_finite(const dt_reducer *reducer);

#endif
