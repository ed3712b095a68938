/* What arithmetic a run is made of: its instruction set, which all ranks must have, and the weights as products of
 * compute.precision bf16 read them. A run goes on with the instruction set it began with, for another gives other bits.
 */
#include "arithmetic.h"

#include "alike.h"
#include "base/log.h"

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
    return dt_ok();
}
