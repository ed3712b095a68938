/* Planning: what layers ask for before anything runs. Parameters go into the model's table, memory into one arena that
 * is allocated when all is known, so that nothing that runs allocates or fails. */
#ifndef DTRAIN_PLAN_H
#define DTRAIN_PLAN_H

#include "layer.h"

/* ---- for a kind's plan: scratch is asked for in elements per row, and is there from the end of planning on ---- */

bool dt_plan_training(const dt_plan *plan);
int64_t dt_plan_rows(const dt_plan *plan); /* at most this many at once */
const dt_model_spec *dt_plan_spec(const dt_plan *plan);
/* Positions of a sample that is a sequence: its first dimension or, when decoding, as many as there can be. For layers
 * that have something for each position, and so can go on no further. */
int64_t dt_plan_positions(dt_plan *plan, const dt_layer *layer);
/* Elements of a row's recurrent state, at layer->state_at. Once a layer. */
dt_status dt_plan_recurrent_state(dt_plan *plan, dt_layer *layer, int64_t per_row);
dt_status dt_plan_param(dt_plan *plan, dt_layer *layer, const char *name, const dt_shape *shape, unsigned flags);
/* Another layer's parameter, [any, width], as the layer's own next one; both add to its gradient. `owner` must be a
 * layer planned before, and the tensor one it lends (DT_TENSOR_LENT). */
dt_status dt_plan_share(dt_plan *plan, dt_layer *layer, const char *owner, const char *name, int64_t width);
/* A running mean of what the batches show (DT_TENSOR_STATISTIC); `keep` as in the table. */
dt_status dt_plan_statistic(dt_plan *plan, dt_layer *layer, const char *name, const dt_shape *shape, double keep);
dt_status dt_plan_scratch(dt_plan *plan, dt_layer *layer, int64_t per_row);
/* Scratch of `count` elements, however many rows there are. */
dt_status dt_plan_fixed(dt_plan *plan, dt_layer *layer, int64_t count);
dt_status dt_plan_workspace(dt_plan *plan, dt_layer *layer, size_t bytes); /* at least this much layer->workspace */
/* The layer gives `out` numbers for those along its input's last dimension, at each position by itself, and
 * reads its input on the way back. */
void dt_plan_along(dt_layer *layer, int64_t out);
/* Refuses a normalisation over so few values (of a channel, of a group): of one there is nothing left. `per_sample`:
 * the others are of other samples, so that these count too. */
dt_status dt_plan_check_values(const dt_plan *plan, const dt_layer *layer, int64_t values, bool per_sample);
/* Asks for [max_rows, per_row] elements at *where, which must stay where it is until dt_plan_bind. */
dt_status dt_plan_memory(dt_plan *plan, dt_real **where, int64_t per_row);
/* Memory for rounded numbers, shared by all who ask here: nothing stays in it between calls. */
dt_status dt_plan_rounded(dt_plan *plan, dt_real **where, int64_t per_row);

/* ---- for lists of layers, and the model ---- */

/* One request for elements of the model's arena: *where is set once the arena exists. */
typedef struct dt_request {
    dt_real **where;
    size_t offset; /* elements; in the pool */
    int pool;      /* which of dt_plan.pools; -1: memory of its own */
} dt_request;

/* Memory that several take in turn: the layers' workspace, numbers rounded for one product, and the two gradients of
 * the lists of a depth, of which one goes back at a time. */
#define DT_MAX_DEPTH 32
enum { DT_POOL_WORKSPACE, DT_POOL_ROUNDED, DT_POOL_GRADIENTS, DT_POOLS = DT_POOL_GRADIENTS + 2 * DT_MAX_DEPTH };

struct dt_plan {
    dt_table *table;
    const dt_model_spec *spec;
    int64_t state_width; /* elements of a row's recurrent state, so far */
    bool bounded;        /* a layer has something for each position */
    uint64_t layers;     /* planned so far, nested ones included: gives each its index */
    int depth;           /* of the list that is planned: 1 is the model's own */
    dt_request *requests;
    size_t count, capacity;
    size_t total;           /* elements */
    size_t pools[DT_POOLS]; /* elements: the largest that was asked for */
};

/* Asks for [max_rows, per_row] elements at *where: gradient number `which` of the list, which lists of the same depth
 * share. */
dt_status dt_plan_gradient(dt_plan *plan, dt_real **where, int which, int64_t per_row);
/* Asks for [rows, per_row] elements at *where. */
dt_status dt_plan_portion(dt_plan *plan, dt_real **where, int64_t rows, int64_t per_row);
/* *where will be where *of is, which has been asked for. */
dt_status dt_plan_same(dt_plan *plan, dt_real **where, dt_real *const *of);
/* Allocates one arena for all requests and sets their pointers. The caller frees it. */
dt_status dt_plan_bind(dt_plan *plan, dt_real **arena);
void dt_plan_finish(dt_plan *plan);

#endif
