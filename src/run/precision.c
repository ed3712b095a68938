/* What compute.precision means to a run: whether all machines of the job can, and the rounded copy of the weights that
 * its products read. The copy follows from the weights, so it is neither saved nor part of the digest. */
#include "base/log.h"
#include "run_internal.h"

dt_status dt_precision_everywhere(dt_comm *comm, bool *all) {
    int64_t lacking = !dt_compute_has_bf16();
    DT_TRY(dt_comm_sum_i64(comm, &lacking, 1));
    *all = lacking == 0;
    return dt_ok();
}

dt_status dt_precision_settle(dt_comm *comm, dt_recipe *recipe, bool *lacks) {
    *lacks = false;
    if (recipe->compute.precision != DT_PRECISION_BF16) return dt_ok();
    bool all;
    DT_TRY(dt_precision_everywhere(comm, &all));
    if (all) return dt_ok();
    *lacks = true;
    recipe->compute.precision = DT_PRECISION_FLOAT32;
    return dt_ok();
}

void dt_precision_warn(const dt_comm *comm, const dt_recipe *recipe) {
    if (dt_comm_rank(comm) != 0) return;
    dt_log_warn("compute.precision is bf16, which this machine%s does not multiply (with compute.isa %s); going on in "
                "float32",
                dt_comm_size(comm) > 1 ? ", or another of the job," : "", dt_isa_name((dt_isa)recipe->compute.isa));
}

dt_status dt_precision_check(const char *recipe) {
    dt_recipe old;
    DT_TRY(dt_recipe_read_resolved(&old, "the checkpoint's recipe", recipe));
    bool bf16 = old.compute.precision == DT_PRECISION_BF16;
    dt_recipe_finish(&old);
    if (!bf16) return dt_ok();
    return dt_fail(DT_ERR_INPUT, "it was trained with compute.precision bf16, which this machine lacks; go on where "
                                 "there is bf16, or in float32 with --set compute.precision=float32");
}

void dt_run_round_weights(dt_run *run) {
    if (!run->weights16) return;
    size_t total = run->table->total, rank = (size_t)dt_node_rank(run->node), size = (size_t)dt_node_size(run->node);
    size_t begin = total * rank / size, end = total * (rank + 1) / size;
    run->kernels->to_bf16(run->weights16 + begin, run->weights + begin, (int64_t)(end - begin));
    dt_node_meet(run->node);
}
