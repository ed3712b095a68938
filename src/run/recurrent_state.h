/* State that streams carry from batch to batch, shared by the ranks of a node (recurrent_state.c). */
#ifndef DTRAIN_RECURRENT_STATE_H
#define DTRAIN_RECURRENT_STATE_H

#include "comm/node.h"
#include "model/model.h"
#include "store/checkpoint.h"

/* `count` 0: there is none. */
typedef struct dt_recurrent_state {
    dt_comm *comm;
    dt_node *node;
    int64_t shards;
    dt_real *now, *next; /* [streams, width], the node's: of the last step that counted, and of the one in progress */
    int64_t streams, width, count;
    bool whole; /* rows of other nodes are in `now` too */
    int64_t *words;
    size_t word_count;
    dt_extra *extra; /* `now`, for the store */
} dt_recurrent_state;

/* Collective. For so many streams, a batch of which is cut into `shards`. To be closed, also after a failure. */
dt_status dt_recurrent_state_open(dt_recurrent_state *state, dt_comm *comm, dt_node *node, int64_t streams,
                                  int64_t width, int64_t shards);
void dt_recurrent_state_close(dt_recurrent_state *state);
/* Where it is in a checkpoint: into out[1], which stays there, or nothing. Returns how many. */
int dt_recurrent_state_extras(dt_recurrent_state *state, dt_extra *out);
/* For a pass whose row 0 is `row` of the global batch; `fresh`: nothing was before it. */
void dt_recurrent_state_pass(const dt_recurrent_state *state, dt_pass *pass, int64_t row, bool fresh);
/* The step counts, or it is passed over: then its rows go on from where they were, from zeros at an epoch's `start`. */
void dt_recurrent_state_commit(dt_recurrent_state *state);
void dt_recurrent_state_skip(dt_recurrent_state *state, bool start);
/* Collective. All rows, in every node; between steps. */
dt_status dt_recurrent_state_gather(dt_recurrent_state *state);
/* Collective. All rows of rank 0 of the job, in every node. */
dt_status dt_recurrent_state_share(dt_recurrent_state *state);

#endif
