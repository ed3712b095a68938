/* What arithmetic a run is made of: its instruction set, which all ranks must have, and what compute.precision means on
 * these machines. A run goes on with the instruction set it began with, for another gives other bits. */
#include "arithmetic.h"

#include "alike.h"
#include "base/log.h"

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

void dt_round_shared(const dt_kernels *kernels, dt_node *node, dt_bf16 *rounded, const dt_real *weights, size_t count) {
    size_t rank = (size_t)dt_node_rank(node), size = (size_t)dt_node_size(node);
    size_t begin = count * rank / size, end = count * (rank + 1) / size;
    kernels->to_bf16(rounded + begin, weights + begin, (int64_t)(end - begin));
    dt_node_meet(node);
}

dt_status dt_arithmetic_open(dt_session *session, const dt_start *start, const dt_kernels **kernels) {
    const dt_recipe_compute *compute = &session->recipe->compute;
    dt_isa isa, best = dt_kernels_for(DT_ISA_AUTO)->isa;
    bool named = dt_recipe_allows(session->options->allowed, "compute.isa");
    dt_status status = dt_isa_resume((dt_isa)compute->isa, (dt_isa)start->isa, named, best, &isa);
    status = dt_status_within(status, "%s", start->path);
    if (status.code == DT_OK) status = dt_compute_open(kernels, isa, (int)compute->threads);
    DT_TRY(dt_session_agree(session, status));
    DT_TRY(dt_check_alike(session->comm, (uint64_t)(*kernels)->isa, "instruction set",
                          "set compute.isa to one that all machines have (avx2, or baseline)"));
    if (session->first && compute->isa == DT_ISA_AUTO && isa != DT_ISA_AUTO && isa != best)
        dt_log_info("going on with compute.isa %s, as the run began; here auto is %s", dt_isa_name(isa),
                    dt_isa_name(best));
    return dt_precision_settle(session->comm, session->recipe, &session->lacks_bf16);
}
