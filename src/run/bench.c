/* dtrain bench: what the machine can do with all ranks at work at once, and what a recipe gets of it. */
#include "run/bench.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "bench_parts.h"
#include "train.h"

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *at) {
    (void)info, (void)type, (void)at;
    return remove(path);
}

static dt_status bench_machine(dt_comm *comm, const dt_recipe *recipe, const char *directory) {
    const dt_kernels *kernels;
    DT_TRY(dt_comm_agree(comm, dt_compute_open(&kernels, (dt_isa)recipe->compute.isa, (int)recipe->compute.threads)));
    dt_log_info("machine    %d ranks, %d on %s; %s", dt_comm_size(comm), dt_comm_node_size(comm), dt_comm_host(comm),
                dt_isa_name(kernels->isa));
    DT_TRY(dt_bench_products(comm, kernels));
    DT_TRY(dt_bench_memory(comm, kernels));
    DT_TRY(dt_bench_reduce(comm, kernels, false));
    DT_TRY(dt_bench_reduce(comm, kernels, true));
    return dt_bench_checkpoint(comm, directory);
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
