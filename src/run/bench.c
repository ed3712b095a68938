/* dtrain bench: what the machine can do with all ranks at work at once, and what a recipe gets of it. Figures are
 * medians; a rank's time is that of the slowest. */
#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arithmetic.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/stop.h"
#include "comm/reduce.h"
#include "measure.h"
#include "optim/optim.h"
#include "store/publish.h"
#include "train.h"

#define REPEATS 15

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, by_size);
    return values[count / 2];
}

/* ---- products and memory -------------------------------------------------------------------------------------------
 */

static dt_status bench_products_in(dt_comm *comm, dt_precision precision) {
    static const int64_t sizes[] = {64, 256, 512, 1024};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        DT_TRY(dt_comm_agree(comm, dt_stop_status()));
        double rate, least, mean;
        DT_TRY(dt_comm_agree(comm, dt_measure_products(sizes[i], precision, 0.2, &rate)));
        DT_TRY(dt_comm_spread(comm, &rate, 1, &least, &mean, NULL));
        dt_log_info("products   %-7s %4lld x %4lld          %8.1f GF/s a rank, %.1f the slowest",
                    precision == DT_PRECISION_BF16 ? "bf16" : "float32", (long long)sizes[i], (long long)sizes[i],
                    mean / 1e9, least / 1e9);
    }
    return dt_ok();
}

static dt_status bench_products(dt_comm *comm) {
    bool all;
    DT_TRY(dt_precision_everywhere(comm, &all));
    DT_TRY(bench_products_in(comm, DT_PRECISION_FLOAT32));
    return all ? bench_products_in(comm, DT_PRECISION_BF16) : dt_ok();
}

/* y += x over arrays larger than any cache: three words of traffic for one of result. */
static dt_status bench_memory(dt_comm *comm, const dt_kernels *kernels) {
    const size_t count = (size_t)16 << 20;
    dt_real *x = dt_alloc(2 * count, sizeof *x);
    DT_TRY(dt_comm_agree(comm, x ? dt_ok() : dt_fail_memory("the bench", 2 * count * sizeof *x)));
    double seconds[REPEATS];
    dt_status status = dt_ok();
    for (int i = 0; i < REPEATS && status.code == DT_OK; i++) {
        status = dt_comm_barrier(comm);
        double began = dt_clock_now();
        kernels->add(x, x + count, (int64_t)count);
        seconds[i] = dt_clock_now() - began;
    }
    dt_free(x);
    DT_TRY(status);
    double rate = 3.0 * (double)(count * sizeof *x) / median(seconds, REPEATS), mean;
    DT_TRY(dt_comm_spread(comm, &rate, 1, NULL, &mean, NULL));
    dt_log_info("memory     y += x, 64 MB each              %8.1f GB/s a rank, %.1f all ranks of a machine", mean / 1e9,
                mean / 1e9 * dt_comm_node_size(comm));
    return dt_ok();
}

/* ---- reduce and update ---------------------------------------------------------------------------------------------
 */

typedef struct stage {
    dt_comm *comm;
    const dt_kernels *kernels;
    dt_recipe_optimizer adam;
    dt_table table;
    dt_node *node;
    dt_reducer *reducer;
    dt_real *weights, *slots[DT_MAX_SLOTS];
} stage;

static dt_status stage_open(stage *s, int64_t elements, int64_t most, int64_t shards, dt_wire wire) {
    int64_t ranks = dt_comm_size(s->comm);
    DT_TRY(dt_comm_agree(s->comm, dt_table_add(&s->table, "bench/w", &(dt_shape){1, {elements}}, 0)));
    DT_TRY(dt_node_open(&s->node, s->comm, most));
    dt_status status;
    s->weights = dt_node_alloc(s->node, s->table.total, sizeof *s->weights, &status);
    for (int i = 0; i < DT_MAX_SLOTS && status.code == DT_OK; i++)
        s->slots[i] = dt_node_alloc(s->node, s->table.total, sizeof *s->slots[i], &status);
    DT_TRY(status);
    return dt_reduce_create(&s->reducer, s->node, s->kernels, &s->table, shards, (shards + ranks - 1) / ranks, wire);
}

static void stage_close(stage *s) {
    dt_reduce_destroy(s->reducer);
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
    for (size_t at = begin; at < end; at += DT_TABLE_BLOCK) {
        size_t to = end - at < DT_TABLE_BLOCK ? end : at + DT_TABLE_BLOCK;
        const dt_real *sum = dt_reduce_take(s->reducer, at, to);
        if (update)
            dt_optim_update(s->kernels, &s->adam, &s->table, s->weights, s->slots, sum, at, to, step, 1, 1, 0, 1e-3);
    }
    dt_reduce_done(s->reducer);
    *seconds = dt_clock_now() - began;
    return dt_ok();
}

static dt_status time_steps(stage *s, bool update, double *seconds) {
    double all[REPEATS], own;
    for (int i = -2; i < REPEATS; i++) {
        DT_TRY(one_step(s, update, i + 2, &own));
        if (i >= 0) DT_TRY(dt_comm_spread(s->comm, &own, 1, NULL, NULL, &all[i]));
    }
    *seconds = median(all, REPEATS);
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
static dt_status bench_reduce(dt_comm *comm, const dt_kernels *kernels, bool update) {
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

/* ---- checkpoints ---------------------------------------------------------------------------------------------------
 */

static dt_status bench_checkpoint(dt_comm *comm, const char *directory) {
    const int64_t elements = 16 << 20;
    dt_table table;
    memset(&table, 0, sizeof table);
    dt_status status = dt_table_add(&table, "bench/w", &(dt_shape){1, {elements}}, 0);
    float *data = status.code == DT_OK ? dt_alloc((size_t)elements, sizeof *data) : NULL;
    if (status.code == DT_OK && !data)
        status = dt_fail_memory("the bench", (unsigned long long)elements * sizeof *data);
    status = dt_comm_agree(comm, status);
    dt_section section = {.group = "/weights", .table = &table, .data = data};
    dt_state state = {.recipe = "", .shards = 1, .sections = &section, .section_count = 1};
    double began = dt_clock_now();
    if (status.code == DT_OK) status = dt_checkpoint_publish(comm, directory, &state, NULL, NULL);
    double seconds = dt_clock_now() - began;
    if (status.code == DT_OK)
        dt_log_info("checkpoint %.1f MB written, synced and verified %6.1f MB/s", (double)elements * 4e-6,
                    (double)elements * 4e-6 / seconds);
    dt_free(data);
    dt_table_finish(&table);
    return status;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *at) {
    (void)info, (void)type, (void)at;
    return remove(path);
}

static dt_status bench_machine(dt_comm *comm, const dt_recipe *recipe, const char *directory) {
    const dt_kernels *kernels;
    DT_TRY(dt_comm_agree(comm, dt_compute_open(&kernels, (dt_isa)recipe->compute.isa, (int)recipe->compute.threads)));
    dt_log_info("machine    %d ranks, %d on %s; %s", dt_comm_size(comm), dt_comm_node_size(comm), dt_comm_host(comm),
                dt_isa_name(kernels->isa));
    DT_TRY(bench_products(comm));
    DT_TRY(bench_memory(comm, kernels));
    DT_TRY(bench_reduce(comm, kernels, false));
    DT_TRY(bench_reduce(comm, kernels, true));
    return bench_checkpoint(comm, directory);
}

static dt_status bench_recipe(dt_comm *comm, dt_recipe *recipe, int64_t steps, const char *directory) {
    dt_train_options options = {.run = directory, .resume = "auto", .profile = true};
    const char *const none[] = {NULL};
    options.allowed = none;
    recipe->train.stop_after = (dt_span){(double)steps, DT_SPAN_STEPS};
    dt_outcome outcome;
    return dt_train_run(comm, recipe, &options, &outcome);
}

dt_status dt_bench_run(dt_comm *comm, dt_recipe *recipe, int64_t steps, const char *directory) {
    bool first = dt_comm_rank(comm) == 0;
    char path[4096] = "", run[4096] = "";
    dt_status status = dt_path_join(path, directory, "dtrain-bench-XXXXXX");
    if (first && status.code == DT_OK && !mkdtemp(path))
        status = dt_fail(DT_ERR_IO, "%s: cannot make a directory there: %s", directory, strerror(errno));
    if (status.code == DT_OK) status = dt_path_join(run, path, "run");
    DT_TRY(dt_comm_agree(comm, status));
    DT_TRY(dt_comm_broadcast(comm, path, sizeof path, 0));
    DT_TRY(dt_comm_broadcast(comm, run, sizeof run, 0));
    status = bench_machine(comm, recipe, path);
    if (status.code == DT_OK) status = bench_recipe(comm, recipe, steps, run);
    if (first) nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    return status;
}
