/* The seam between a trained model's work and MPI: the functions of use/ranks.h over a communicator. */
#include "comm_ranks.h"

static dt_status agree(void *comm, dt_status status) {
    return dt_comm_agree(comm, status);
}

static dt_status sum(void *comm, int64_t *values, size_t count) {
    return dt_comm_sum_i64(comm, values, count);
}

static dt_status broadcast(void *comm, void *bytes, size_t count, int root) {
    return dt_comm_broadcast(comm, bytes, count, root);
}

dt_ranks dt_ranks_of(dt_comm *comm) {
    return (dt_ranks){dt_comm_rank(comm), dt_comm_size(comm), comm, agree, sum, broadcast};
}
