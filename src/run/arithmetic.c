/* What arithmetic a run is made of: the kernels of each rank's processor, and the weights as products of
 * compute.precision bf16 read them. */
#include "arithmetic.h"

void dt_round_shared(const dt_kernels *kernels, dt_node *node, dt_bf16 *rounded, const dt_real *weights, size_t count) {
    size_t rank = (size_t)dt_node_rank(node), size = (size_t)dt_node_size(node);
    size_t begin = count * rank / size, end = count * (rank + 1) / size;
    kernels->to_bf16(rounded + begin, weights + begin, (int64_t)(end - begin));
    dt_node_meet(node);
}

dt_status dt_arithmetic_open(dt_session *session, const dt_kernels **kernels) {
    const dt_recipe_compute *compute = &session->recipe->compute;
    return dt_session_agree(session, dt_compute_open(kernels, (dt_isa)compute->isa, (int)compute->threads));
}
