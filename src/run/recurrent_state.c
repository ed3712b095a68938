/* What rows carry from one batch to the next: the state of recurrent layers along the streams of a text. Row r of every
 * global batch is stream r. A step reads what the one before left and writes beside it, so it can be computed again, or
 * passed over, until it is committed. A rank knows the rows it computes; the ranks of a node those of each other, in
 * shared memory; those of other nodes are fetched when the whole is needed, for a checkpoint or a digest. */
#include "recurrent_state.h"

#include <string.h>

#include "base/memory.h"
#include "data/sampler.h"

dt_status dt_recurrent_state_open(dt_recurrent_state *state, dt_comm *comm, dt_node *node, int64_t streams,
                                  int64_t width, int64_t shards) {
    *state = (dt_recurrent_state){
        .comm = comm, .node = node, .shards = shards, .width = width, .streams = streams, .whole = true};
    if (state->width == 0 || state->streams == 0) return dt_ok();
    size_t count = 0;
    dt_status status = dt_size_mul((size_t)state->streams, (size_t)state->width, &count)
                           ? dt_ok()
                           : dt_fail_memory("the state of the streams", SIZE_MAX);
    DT_TRY(dt_comm_agree(state->comm, status));
    state->count = (int64_t)count;
    state->now = dt_node_alloc(state->node, count, sizeof *state->now, &status);
    if (status.code == DT_OK) state->next = dt_node_alloc(state->node, count, sizeof *state->next, &status);
    DT_TRY(status);
    if (dt_node_count(state->node) == 1) return dt_ok();
    state->word_count = (count * sizeof *state->now + sizeof(int64_t) - 1) / sizeof(int64_t);
    state->words = dt_alloc(state->word_count, sizeof *state->words);
    return dt_comm_agree(
        state->comm, state->words ? dt_ok() : dt_fail_memory("the state of the streams", count * sizeof *state->now));
}

void dt_recurrent_state_close(dt_recurrent_state *state) {
    dt_free(state->words);
    state->words = NULL;
}

int dt_recurrent_state_extras(dt_recurrent_state *state, dt_extra *out) {
    if (state->count == 0) return 0;
    *out = (dt_extra){"carried", DT_F32, state->count, state->now};
    state->extra = out;
    return 1;
}

void dt_recurrent_state_pass(const dt_recurrent_state *state, dt_pass *pass, int64_t row, bool fresh) {
    if (state->count == 0) return;
    pass->state_in = fresh ? NULL : state->now + row * state->width;
    pass->state_out = state->next + row * state->width;
}

void dt_recurrent_state_commit(dt_recurrent_state *state) {
    if (state->count == 0) return;
    dt_real *before = state->now;
    state->now = state->next;
    state->next = before;
    state->extra->data = state->now;
    state->whole = dt_node_count(state->node) == 1;
}

void dt_recurrent_state_skip(dt_recurrent_state *state, bool start) {
    if (state->count > 0 && start && dt_node_rank(state->node) == 0)
        memset(state->now, 0, (size_t)state->count * sizeof *state->now);
}

/* The bits of every row are added to zeros: exact, whoever had it. */
dt_status dt_recurrent_state_gather(dt_recurrent_state *state) {
    if (state->count == 0 || state->whole) return dt_ok();
    memset(state->words, 0, state->word_count * sizeof *state->words);
    int64_t first, own;
    dt_rank_shards(state->shards, dt_comm_size(state->comm), dt_comm_rank(state->comm), &first, &own);
    for (int64_t shard = first; shard < first + own; shard++) {
        int64_t offset, rows;
        dt_shard_range(state->streams, state->shards, shard, &offset, &rows);
        memcpy((dt_real *)(void *)state->words + offset * state->width, state->now + offset * state->width,
               (size_t)(rows * state->width) * sizeof *state->now);
    }
    DT_TRY(dt_comm_sum_i64(state->comm, state->words, state->word_count));
    if (dt_node_rank(state->node) == 0) memcpy(state->now, state->words, (size_t)state->count * sizeof *state->now);
    dt_node_meet(state->node);
    state->whole = true;
    return dt_ok();
}

dt_status dt_recurrent_state_share(dt_recurrent_state *state) {
    state->whole = true;
    if (state->count == 0) return dt_ok();
    return dt_node_share(state->node, state->now, (size_t)state->count * sizeof *state->now);
}
