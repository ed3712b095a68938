/* What rows carry from one batch to the next: the state of recurrent layers along the streams of a text. Row r of every
 * global batch is stream r. A step reads what the one before left and writes beside it, so it can be computed again, or
 * passed over, until it is committed. A rank knows the rows it computes; the ranks of a node those of each other, in
 * shared memory; those of other nodes are fetched when the whole is needed, for a checkpoint or a digest. */
#include <string.h>

#include "base/memory.h"
#include "run_internal.h"

dt_status dt_recurrent_state_open(dt_run *run) {
    dt_recurrent_state *state = &run->recurrent_state;
    *state = (dt_recurrent_state){
        .width = dt_model_state_width(run->model), .streams = run->train.about.streams, .whole = true};
    if (state->width == 0 || state->streams == 0) return dt_ok();
    size_t count = 0;
    dt_status status = dt_size_mul((size_t)state->streams, (size_t)state->width, &count)
                           ? dt_ok()
                           : dt_fail_memory("the state of the streams", SIZE_MAX);
    DT_TRY(dt_comm_agree(run->comm, status));
    state->count = (int64_t)count;
    state->now = dt_node_alloc(run->node, count, sizeof *state->now, &status);
    if (status.code == DT_OK) state->next = dt_node_alloc(run->node, count, sizeof *state->next, &status);
    DT_TRY(status);
    if (dt_node_count(run->node) == 1) return dt_ok();
    state->word_count = (count * sizeof *state->now + sizeof(int64_t) - 1) / sizeof(int64_t);
    state->words = dt_alloc(state->word_count, sizeof *state->words);
    return dt_comm_agree(
        run->comm, state->words ? dt_ok() : dt_fail_memory("the state of the streams", count * sizeof *state->now));
}

void dt_recurrent_state_close(dt_run *run) {
    dt_free(run->recurrent_state.words);
    run->recurrent_state.words = NULL;
}

int dt_recurrent_state_extras(dt_run *run, dt_extra *out) {
    dt_recurrent_state *state = &run->recurrent_state;
    if (state->count == 0) return 0;
    *out = (dt_extra){"carried", DT_F32, state->count, state->now};
    state->extra = out;
    return 1;
}

void dt_recurrent_state_pass(const dt_run *run, dt_pass *pass, int64_t row, bool fresh) {
    const dt_recurrent_state *state = &run->recurrent_state;
    if (state->count == 0) return;
    pass->state_in = fresh ? NULL : state->now + row * state->width;
    pass->state_out = state->next + row * state->width;
}

void dt_recurrent_state_commit(dt_run *run) {
    dt_recurrent_state *state = &run->recurrent_state;
    if (state->count == 0) return;
    dt_real *before = state->now;
    state->now = state->next;
    state->next = before;
    state->extra->data = state->now;
    state->whole = dt_node_count(run->node) == 1;
}

void dt_recurrent_state_skip(dt_run *run) {
    const dt_recurrent_state *state = &run->recurrent_state;
    bool first = run->position.sample == 0;
    if (state->count > 0 && first && dt_node_rank(run->node) == 0)
        memset(state->now, 0, (size_t)state->count * sizeof *state->now);
}

/* The bits of every row are added to zeros: exact, whoever had it. */
dt_status dt_recurrent_state_gather(dt_run *run) {
    dt_recurrent_state *state = &run->recurrent_state;
    if (state->count == 0 || state->whole) return dt_ok();
    memset(state->words, 0, state->word_count * sizeof *state->words);
    int64_t first, own;
    dt_rank_shards(run->shards, dt_comm_size(run->comm), dt_comm_rank(run->comm), &first, &own);
    for (int64_t shard = first; shard < first + own; shard++) {
        int64_t offset, rows;
        dt_shard_range(state->streams, run->shards, shard, &offset, &rows);
        memcpy((dt_real *)(void *)state->words + offset * state->width, state->now + offset * state->width,
               (size_t)(rows * state->width) * sizeof *state->now);
    }
    DT_TRY(dt_comm_sum_i64(run->comm, state->words, state->word_count));
    if (dt_node_rank(run->node) == 0) memcpy(state->now, state->words, (size_t)state->count * sizeof *state->now);
    dt_node_meet(run->node);
    state->whole = true;
    return dt_ok();
}
