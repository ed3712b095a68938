/* What rows carry from one batch to the next: the state of recurrent layers along the streams of a text. Row r of every
 * global batch is stream r. A step reads what the one before left and writes beside it, so it can be computed again, or
 * passed over, until it is committed. A rank knows the rows it computes; the ranks of a team those of each other, in
 * shared memory; those of other teams are fetched when the whole is needed, for a checkpoint or a digest. */
#include <string.h>

#include "dtrain/memory.h"
#include "train_internal.h"

dt_status dt_carried_open(dt_run *run) {
    dt_carried *carried = &run->carried;
    *carried = (dt_carried){.width = dt_model_carried(run->model), .streams = run->train.text.streams, .whole = true};
    if (carried->width == 0 || carried->streams == 0) return dt_ok();
    size_t count = 0;
    dt_status status = dt_size_mul((size_t)carried->streams, (size_t)carried->width, &count)
                           ? dt_ok()
                           : dt_fail_memory("the state of the streams", SIZE_MAX);
    DT_TRY(dt_comm_agree(run->comm, status));
    carried->count = (int64_t)count;
    carried->now = dt_team_alloc(run->team, count, sizeof *carried->now, &status);
    if (status.code == DT_OK) carried->next = dt_team_alloc(run->team, count, sizeof *carried->next, &status);
    DT_TRY(status);
    if (dt_team_count(run->team) == 1) return dt_ok();
    carried->word_count = (count * sizeof *carried->now + sizeof(int64_t) - 1) / sizeof(int64_t);
    carried->words = dt_alloc(carried->word_count, sizeof *carried->words);
    return dt_comm_agree(
        run->comm, carried->words ? dt_ok() : dt_fail_memory("the state of the streams", count * sizeof *carried->now));
}

void dt_carried_close(dt_run *run) {
    dt_free(run->carried.words);
    run->carried.words = NULL;
}

int dt_carried_extras(dt_run *run, dt_extra *out) {
    dt_carried *carried = &run->carried;
    if (carried->count == 0) return 0;
    *out = (dt_extra){"carried", DT_F32, carried->count, carried->now};
    carried->extra = out;
    return 1;
}

void dt_carried_pass(const dt_run *run, dt_pass *pass, int64_t row, bool fresh) {
    const dt_carried *carried = &run->carried;
    if (carried->count == 0) return;
    pass->carried = fresh ? NULL : carried->now + row * carried->width;
    pass->carry = carried->next + row * carried->width;
}

void dt_carried_commit(dt_run *run) {
    dt_carried *carried = &run->carried;
    if (carried->count == 0) return;
    dt_real *before = carried->now;
    carried->now = carried->next;
    carried->next = before;
    carried->extra->data = carried->now;
    carried->whole = dt_team_count(run->team) == 1;
}

void dt_carried_skip(dt_run *run) {
    const dt_carried *carried = &run->carried;
    bool first = run->position.sample == 0;
    if (carried->count > 0 && first && dt_team_rank(run->team) == 0)
        memset(carried->now, 0, (size_t)carried->count * sizeof *carried->now);
}

/* The bits of every row are added to zeros: exact, whoever had it. */
dt_status dt_carried_gather(dt_run *run) {
    dt_carried *carried = &run->carried;
    if (carried->count == 0 || carried->whole) return dt_ok();
    memset(carried->words, 0, carried->word_count * sizeof *carried->words);
    int64_t first, own;
    dt_rank_shards(run->shards, dt_comm_size(run->comm), dt_comm_rank(run->comm), &first, &own);
    for (int64_t shard = first; shard < first + own; shard++) {
        int64_t offset, rows;
        dt_shard_range(carried->streams, run->shards, shard, &offset, &rows);
        memcpy((dt_real *)(void *)carried->words + offset * carried->width, carried->now + offset * carried->width,
               (size_t)(rows * carried->width) * sizeof *carried->now);
    }
    DT_TRY(dt_comm_sum_i64(run->comm, carried->words, carried->word_count));
    if (dt_team_rank(run->team) == 0)
        memcpy(carried->now, carried->words, (size_t)carried->count * sizeof *carried->now);
    dt_team_meet(run->team);
    carried->whole = true;
    return dt_ok();
}

dt_status dt_relay_create(dt_relay *relay, const dt_model *model, int64_t rows) {
    int64_t width = dt_model_carried(model);
    for (int i = 0; i < 2 && width > 0; i++) {
        size_t count = 0;
        if (dt_size_mul((size_t)rows, (size_t)width, &count)) relay->state[i] = dt_alloc(count, sizeof(dt_real));
        if (!relay->state[i]) return dt_fail_memory("the state of the streams", (size_t)rows * (size_t)width);
    }
    return dt_ok();
}

void dt_relay_finish(dt_relay *relay) {
    for (int i = 0; i < 2; i++) dt_free(relay->state[i]);
}

void dt_relay_pass(dt_relay *relay, dt_pass *pass, bool fresh) {
    dt_real *last = relay->state[0];
    pass->carried = fresh ? NULL : last;
    pass->carry = relay->state[1];
    relay->state[0] = relay->state[1];
    relay->state[1] = last;
}
