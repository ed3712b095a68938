/* What a machine does by itself: products, memory traffic, checkpoints. */
#include <stdlib.h>
#include <string.h>

#include "arithmetic.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/stop.h"
#include "bench_parts.h"
#include "comm/comm_ranks.h"
#include "measure.h"
#include "store/publish.h"

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double dt_bench_median(double values[DT_BENCH_REPEATS]) {
    qsort(values, DT_BENCH_REPEATS, sizeof *values, by_size);
    return values[DT_BENCH_REPEATS / 2];
}

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

/* The limit that the products have. */
static dt_status bench_peak(dt_comm *comm, const dt_kernels *kernels, dt_precision precision) {
    double rate = dt_measure_peak(kernels, precision, 0.2), least, mean;
    DT_TRY(dt_comm_spread(comm, &rate, 1, &least, &mean, NULL));
    dt_log_info("peak       %-7s multiply-adds in registers %6.1f GF/s a core, %.1f the slowest",
                precision == DT_PRECISION_BF16 ? "bf16" : "float32", mean / 1e9, least / 1e9);
    return dt_ok();
}

dt_status dt_bench_products(dt_comm *comm, const dt_kernels *kernels) {
    DT_TRY(bench_peak(comm, kernels, DT_PRECISION_FLOAT32));
    DT_TRY(bench_products_in(comm, DT_PRECISION_FLOAT32));
    DT_TRY(bench_peak(comm, kernels, DT_PRECISION_BF16));
    return bench_products_in(comm, DT_PRECISION_BF16);
}

/* y += x over arrays larger than any cache: three words of traffic for one of result. */
dt_status dt_bench_memory(dt_comm *comm, const dt_kernels *kernels) {
    const size_t count = (size_t)16 << 20;
    dt_real *x = dt_alloc(2 * count, sizeof *x);
    DT_TRY(dt_comm_agree(comm, x ? dt_ok() : dt_fail_memory("the bench", 2 * count * sizeof *x)));
    double seconds[DT_BENCH_REPEATS];
    dt_status status = dt_ok();
    for (int i = 0; i < DT_BENCH_REPEATS && status.code == DT_OK; i++) {
        status = dt_comm_barrier(comm);
        double began = dt_clock_now();
        kernels->add(x, x + count, (int64_t)count);
        seconds[i] = dt_clock_now() - began;
    }
    dt_free(x);
    DT_TRY(status);
    double rate = 3.0 * (double)(count * sizeof *x) / dt_bench_median(seconds), mean;
    DT_TRY(dt_comm_spread(comm, &rate, 1, NULL, &mean, NULL));
    dt_log_info("memory     y += x, 64 MB each              %8.1f GB/s a rank, %.1f all ranks of a machine", mean / 1e9,
                mean / 1e9 * dt_comm_node_size(comm));
    return dt_ok();
}

dt_status dt_bench_checkpoint(dt_comm *comm, const char *directory) {
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
    const dt_ranks ranks = dt_ranks_of(comm);
    if (status.code == DT_OK) status = dt_checkpoint_publish(&ranks, directory, &state, NULL, NULL);
    double seconds = dt_clock_now() - began;
    if (status.code == DT_OK)
        dt_log_info("checkpoint %.1f MB written, synced and verified %6.1f MB/s", (double)elements * 4e-6,
                    (double)elements * 4e-6 / seconds);
    dt_free(data);
    dt_table_finish(&table);
    return status;
}
