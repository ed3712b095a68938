/* The seam between rooms without MPI and the ranks of a job: the functions of base/ranks.h over a communicator. */
#include "comm/comm_ranks.h"

static dt_status agree(void *comm, dt_status status) {
    return dt_comm_agree(comm, status);
}

static dt_status sum(void *comm, int64_t *values, size_t count) {
    return dt_comm_sum_i64(comm, values, count);
}

static dt_status least(void *comm, int64_t *values, size_t count) {
    return dt_comm_least_i64(comm, values, count);
}

static dt_status broadcast(void *comm, void *bytes, size_t count, int root) {
    return dt_comm_broadcast(comm, bytes, count, root);
}

static dt_status node_broadcast(void *comm, void *bytes, size_t count) {
    return dt_comm_node_broadcast(comm, bytes, count);
}

dt_ranks dt_ranks_of(dt_comm *comm) {
    return (dt_ranks){
        dt_comm_rank(comm), dt_comm_size(comm), dt_comm_node_rank(comm), dt_comm_host(comm), comm, agree, sum, least,
        broadcast,          node_broadcast};
}
