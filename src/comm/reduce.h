/* The gradient's way across: shard gradients in, their sum over all shards of all ranks out.
 *
 * The unit is the shard: a rank adds the gradient of each shard it owns, then every rank finishes, takes the sums of
 * its slice, and says when it is done with them. The sum's number format on the way is the recipe's wire. With an
 * integer wire the sum, and everything else this interface reports, is the same for every number of ranks and nodes,
 * every algorithm of MPI_Allreduce and every order of the shards. */
#ifndef DTRAIN_REDUCE_H
#define DTRAIN_REDUCE_H

#include "base/table.h"
#include "comm/comm.h"
#include "comm/node.h"
#include "compute/compute.h"
#include "config/recipe.h"

typedef struct dt_reducer dt_reducer;

/* The parts in which a shard's gradient is computed, from its end on: one is final, and in the message, before the next
 * is begun, which takes its place. */
typedef struct dt_parts {
    size_t most; /* elements of the largest part; 0: a gradient is computed as a whole */
    int kept;    /* a tensor that more than one part adds to, the last of them the one it begins; -1: there is none */
} dt_parts;

/* What a rank computes. */
typedef struct dt_work {
    int64_t shards, shards_per_rank; /* of a batch, and of them at most */
    dt_wire wire;
    dt_parts parts;
    bool checked; /* now and then computed again by another rank (crosscheck.h), in memory of its own */
    /* `fixed`: exponents of an integer wire are all `exponent`, whatever gradients are like, and no step is redone. */
    bool fixed;
    int exponent;
} dt_work;

/* Collective. For gradients of `table`'s arena. `node`, `kernels` and `table` outlive the reducer. */
dt_status dt_reduce_create(dt_reducer **out, dt_node *node, const dt_kernels *kernels, const dt_table *table,
                           const dt_work *work);
void dt_reduce_destroy(dt_reducer *reducer); /* accepts NULL */

#define DT_WIRE_EXPONENTS "wire_exponents" /* its name */
/* The part of the trained state that belongs to the wire: *exponents is [*count] int32, valid and live until destroy;
 * NULL and 0 for the f32 wire. Goes into checkpoints and the digest. */
void dt_reduce_state(dt_reducer *reducer, int32_t **exponents, int64_t *count);
/* It is as a run begins. */
void dt_reduce_forget(dt_reducer *reducer);

/* A step begins: nothing has been added, no flag is raised. */
void dt_reduce_begin(dt_reducer *reducer);
/* Where the next shard's gradient [table->total] is to be written; every element must be. Borrowed. Where it comes in
 * parts, each of them is written there, element 0 the part's first, and dt_reduce_ready is called after each. */
dt_real *dt_reduce_next(dt_reducer *reducer);
/* Whether that one comes in parts; *kept: where the gradient of the kept tensor is to be, and behind it what else is in
 * its part; NULL: there is none. */
bool dt_reduce_in_parts(const dt_reducer *reducer, dt_real **kept);
/* In the buffer of dt_reduce_next every element from `begin` on is final: they can be worked on while the others are
 * computed. `begin` falls from call to call, and none of those between is above `most` in size (infinity or NaN: not
 * known). `last`: no further shard of this rank follows in this step. Need not be called where a gradient is computed
 * as a whole. */
void dt_reduce_ready(dt_reducer *reducer, size_t begin, double most, bool last);
/* Whether `most` spares work. */
bool dt_reduce_wants_bounds(const dt_reducer *reducer);
/* The buffer of dt_reduce_next now holds a shard's gradient. */
void dt_reduce_add(dt_reducer *reducer);

/* Between these, which follow dt_reduce_finish in a step whose sums nobody has taken yet, shards are added to what is
 * aside instead of this rank's message: those of another rank, by the exponents of the sums there are. */
void dt_reduce_begin_aside(dt_reducer *reducer);
void dt_reduce_end_aside(dt_reducer *reducer);

/* Small signals that cross with the gradient, at no extra cost: any rank may raise one before dt_reduce_finish, and
 * after it every rank knows how many ranks did. */
typedef enum dt_flag {
    DT_FLAG_STOP,
    DT_FLAG_CHECKPOINT,
    DT_FLAG_EVALUATE,
    DT_FLAG_LOST,       /* the run directory is another job's now */
    DT_FLAG_NOT_FINITE, /* also raised by dt_reduce_add for a gradient that is not */
    DT_FLAG_FAILED,     /* a rank's gradient was not computed (dt_compute_failure) */
    DT_FLAG_READY,      /* of a checkpoint in flight this rank's share is done */
    DT_FLAG_STANDS,     /* or has not moved for too long */
    DT_FLAG_COUNT = 16
} dt_flag;
void dt_reduce_raise(dt_reducer *reducer, dt_flag flag);
int dt_reduce_raised(const dt_reducer *reducer, dt_flag flag);

/* Collective. The sums over all shards of all ranks can be taken now. Ranks that added nothing take part. When *redo is
 * true a value did not fit the wire on some rank: there are no sums, the exponents have been adapted on every rank by
 * the same rule, and the step is to be computed again from dt_reduce_begin. */
dt_status dt_reduce_finish(dt_reducer *reducer, bool *redo);
/* The elements [*begin, *end) of the arena this rank is to take and update: a multiple of DT_TABLE_BLOCK each, but for
 * the arena's end. In a node the slices of its ranks are the arena; begin = end where a rank has none. */
void dt_reduce_slice(const dt_reducer *reducer, size_t *begin, size_t *end);
/* The sums of elements [begin, end), at most DT_TABLE_BLOCK of this rank's slice; 0 between tensors. Borrowed, until
 * the next call of this thread. */
const dt_real *dt_reduce_take(dt_reducer *reducer, size_t begin, size_t end);
/* The same, for who takes this block once more in this step: the ranks' words are then not added up again. */
const dt_real *dt_reduce_keep(dt_reducer *reducer, size_t begin, size_t end);
/* From now on, of the i32 wire: what is taken are the sums after add(context, words, begin, count), which adds to the
 * words of elements [begin, begin + count), the same whenever it is called in a step and on whatever rank; from any
 * thread. */
void dt_reduce_disturb(dt_reducer *reducer, void (*add)(void *context, int32_t *words, size_t begin, size_t count),
                       void *context);
/* Ends every step, redone ones excepted: returns when no rank of the node needs the sums any more, and what all wrote
 * to shared memory is seen by all. */
void dt_reduce_done(dt_reducer *reducer);

/* Bytes a step of this rank reads from other ranks' messages in shared memory, and sends to other nodes. */
void dt_reduce_traffic(const dt_reducer *reducer, size_t *shared, size_t *crossing);

/* Bytes that the ranks of a node have in common for it, and that this rank has to itself. */
void dt_reduce_memory(const dt_reducer *reducer, size_t *shared, size_t *own);
/* Bytes a rank will take, in a node of many ranks or few. */
size_t dt_reduce_planned(const dt_table *table, const dt_work *work);

/* The name of a tensor whose gradient was not finite on this rank in this step; NULL when none was. */
const char *dt_reduce_not_finite(const dt_reducer *reducer);

#endif
