/* A gradient's way across without a model: so many elements, added up by the reducer as in training, against one
 * MPI_Allreduce; and with the update that follows. */
#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "bench_parts.h"
#include "comm/reduce.h"
#include "optim/optim.h"

typedef struct stage {
    dt_comm *comm;
    const dt_kernels *kernels;
    dt_recipe_optimizer adam;
    dt_table table;
    dt_node *node;
    dt_reducer *reducer;
    dt_optimizer optimizer;
    dt_real *weights;
} stage;

static dt_status stage_open(stage *s, int64_t elements, int64_t most, int64_t shards, dt_wire wire) {
    int64_t ranks = dt_comm_size(s->comm);
    DT_TRY(dt_comm_agree(s->comm, dt_table_add(&s->table, "bench/w", &(dt_shape){1, {elements}}, 0)));
    DT_TRY(dt_node_open(&s->node, s->comm, most));
    dt_status status;
    s->weights = dt_node_alloc(s->node, s->table.total, sizeof *s->weights, &status);
    DT_TRY(status);
    DT_TRY(dt_comm_agree(s->comm, dt_optimizer_plan(&s->optimizer, s->kernels, &s->adam, NULL, &s->table)));
    for (int i = 0; i < s->optimizer.slot_count && status.code == DT_OK; i++)
        s->optimizer.slots[i].data = dt_node_alloc(s->node, s->table.total, sizeof(dt_real), &status);
    DT_TRY(status);
    dt_work work = {.shards = shards, .shards_per_rank = (shards + ranks - 1) / ranks, .wire = wire};
    return dt_reduce_create(&s->reducer, s->node, s->kernels, &s->table, &work);
}

static void stage_close(stage *s) {
    dt_reduce_destroy(s->reducer);
    dt_optimizer_finish(&s->optimizer);
    dt_node_close(s->node);
    dt_table_finish(&s->table);
    s->reducer = NULL;
    s->node = NULL;
}

/* Seconds of one step of a rank's gradient across, and of the update that follows when `update`. */
static dt_status one_step(stage *s, bool update, int64_t step, double *seconds) {
    dt_reduce_begin(s->reducer);
    dt_real *g = dt_reduce_next(s->reducer);
    for (size_t i = 0; i < s->table.total; i++) g[i] = (dt_real)((int)(i % 251) - 125) * 1e-4F;
    DT_TRY(dt_comm_barrier(s->comm));
    double began = dt_clock_now();
    for (bool redo = true; redo;) {
        dt_reduce_add(s->reducer);
        DT_TRY(dt_reduce_finish(s->reducer, &redo));
        if (!redo) break;
        dt_reduce_begin(s->reducer);
        dt_reduce_next(s->reducer); /* what is there: only an integer wire asks for it, and leaves it as it was */
    }
    size_t begin, end;
    dt_reduce_slice(s->reducer, &begin, &end);
    dt_optimizer_step numbers = dt_optimizer_begin(&s->optimizer, step, 1, 1, 0, 1e-3);
    for (size_t at = begin; at < end; at += DT_TABLE_BLOCK) {
        size_t to = end - at < DT_TABLE_BLOCK ? end : at + DT_TABLE_BLOCK;
        const dt_real *sum = dt_reduce_take(s->reducer, at, to);
        if (update) dt_optimizer_apply(&s->optimizer, &numbers, s->weights, sum, at, to);
    }
    dt_reduce_done(s->reducer);
    *seconds = dt_clock_now() - began;
    return dt_ok();
}

static dt_status time_steps(stage *s, bool update, double *seconds) {
    double all[DT_BENCH_REPEATS], own;
    for (int i = -2; i < DT_BENCH_REPEATS; i++) {
        DT_TRY(one_step(s, update, i + 2, &own));
        if (i >= 0) DT_TRY(dt_comm_spread(s->comm, &own, 1, NULL, NULL, &all[i]));
    }
    *seconds = dt_bench_median(all);
    return dt_ok();
}

static dt_status time_path(stage *s, int64_t elements, int64_t most, int64_t shards, dt_wire wire, bool update,
                           double *seconds) {
    dt_status status = stage_open(s, elements, most, shards, wire);
    if (status.code == DT_OK) status = time_steps(s, update, seconds);
    stage_close(s);
    return status;
}

/* As many shards as ranks, but at least three, so that the integer wire has integers to send. */
dt_status dt_bench_reduce(dt_comm *comm, const dt_kernels *kernels, bool update) {
    static const int64_t sizes[] = {1000, 10000, 100000, 800000, 10750000};
    stage s = {.comm = comm, .kernels = kernels};
    s.adam = (dt_recipe_optimizer){.kind = DT_ADAM, .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};
    int64_t ranks = dt_comm_size(comm), shards = ranks < 3 ? 3 : ranks;
    dt_log_info("%s     one MPI_Allreduce of floats%s | ranks that share a replica: f32 wire, i32 wire",
                update ? "update" : "reduce", update ? ", Adam on every rank" : "");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        double flat, node, integer;
        DT_TRY(dt_comm_agree(comm, dt_stop_status()));
        DT_TRY(time_path(&s, sizes[i], 1, ranks, DT_WIRE_F32, update, &flat));
        DT_TRY(time_path(&s, sizes[i], 0, ranks, DT_WIRE_F32, update, &node));
        DT_TRY(time_path(&s, sizes[i], 0, shards, DT_WIRE_I32, update, &integer));
        dt_log_info("%s %10.3f MB   %10.1f us | %10.1f us (%.2f x)  %10.1f us (%.2f x)", update ? "update" : "reduce",
                    (double)sizes[i] * 4e-6, 1e6 * flat, 1e6 * node, flat / node, 1e6 * integer, flat / integer);
    }
    return dt_ok();
}
