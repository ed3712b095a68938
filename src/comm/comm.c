/* Ranks and agreement. MPI errors are returned, not fatal, so a failed call can be named before the job ends; but a
 * rank that dies still takes the job with it (Open MPI 4 has no recovery), and going on is the checkpoint's business.
 */
#include "comm_internal.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/alive.h"
#include "base/memory.h"

/* Counts in MPI are int; longer arrays cross in pieces. */
#define PIECE ((size_t)1 << 28)

struct dt_comm {
    MPI_Comm world, node;
    int rank, size, node_rank, node_size;
    int named;                /* what messages call this rank: its number in the world */
    dt_comm_session *session; /* of the world only */
    char host[MPI_MAX_PROCESSOR_NAME];
};

MPI_Comm dt_comm_mpi(const dt_comm *comm) {
    return comm->world;
}

MPI_Comm dt_comm_node_mpi(const dt_comm *comm) {
    return comm->node;
}

dt_comm_session *dt_comm_session_of(const dt_comm *comm) {
    return comm->session;
}

void dt_comm_attach(dt_comm *comm, dt_comm_session *session) {
    comm->session = session;
}

dt_status dt_comm_check(int mpi_code, const char *what) {
    if (mpi_code == MPI_SUCCESS) return dt_ok();
    char text[MPI_MAX_ERROR_STRING];
    int length = 0;
    if (MPI_Error_string(mpi_code, text, &length) != MPI_SUCCESS) snprintf(text, sizeof text, "code %d", mpi_code);
    return dt_fail(DT_ERR_COMM, "%s failed: %s", what, text);
}

/* An MPI call that waits for other ranks, and says so. */
#define MEET(call) (dt_alive_wait(true), met(call))

static int met(int mpi_code) {
    dt_alive_wait(false);
    return mpi_code;
}

static dt_status join(dt_comm *comm, MPI_Comm parent) {
    DT_TRY(dt_comm_check(MPI_Comm_dup(parent, &comm->world), "MPI_Comm_dup"));
    MPI_Comm_set_errhandler(comm->world, MPI_ERRORS_RETURN);
    MPI_Comm_rank(comm->world, &comm->rank);
    MPI_Comm_size(comm->world, &comm->size);
    comm->named = comm->rank;
    DT_TRY(dt_comm_check(MPI_Comm_split_type(comm->world, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &comm->node),
                         "MPI_Comm_split_type"));
    MPI_Comm_set_errhandler(comm->node, MPI_ERRORS_RETURN);
    MPI_Comm_rank(comm->node, &comm->node_rank);
    MPI_Comm_size(comm->node, &comm->node_size);
    int length = 0;
    MPI_Get_processor_name(comm->host, &length);
    return dt_ok();
}

dt_status dt_comm_create(dt_comm **out, MPI_Comm parent) {
    *out = NULL;
    dt_comm *comm = dt_alloc(1, sizeof *comm);
    if (!comm) return dt_fail_memory("the communicator", sizeof *comm);
    comm->world = comm->node = MPI_COMM_NULL;
    dt_status status = join(comm, parent);
    if (status.code == DT_OK)
        *out = comm;
    else
        dt_comm_destroy(comm);
    return status;
}

void dt_comm_destroy(dt_comm *comm) {
    if (!comm) return;
    if (comm->node != MPI_COMM_NULL) MPI_Comm_free(&comm->node);
    if (comm->world != MPI_COMM_NULL) MPI_Comm_free(&comm->world);
    dt_free(comm);
}

dt_status dt_comm_alone(dt_comm **out, const dt_comm *comm) {
    (void)comm;
    return dt_comm_create(out, MPI_COMM_SELF);
}

dt_status dt_comm_split(dt_comm **out, dt_comm *comm, int group) {
    *out = NULL;
    MPI_Comm part = MPI_COMM_NULL;
    DT_TRY(dt_comm_check(MPI_Comm_split(comm->world, group, comm->rank, &part), "MPI_Comm_split"));
    dt_status status = dt_comm_create(out, part);
    MPI_Comm_free(&part);
    if (*out) (*out)->named = comm->rank;
    return dt_comm_agree(comm, status);
}

int dt_comm_rank(const dt_comm *comm) {
    return comm->rank;
}
int dt_comm_size(const dt_comm *comm) {
    return comm->size;
}
int dt_comm_node_rank(const dt_comm *comm) {
    return comm->node_rank;
}
int dt_comm_node_size(const dt_comm *comm) {
    return comm->node_size;
}
const char *dt_comm_host(const dt_comm *comm) {
    return comm->host;
}

dt_status dt_comm_agree(dt_comm *comm, dt_status status) {
    int mine = status.code == DT_OK ? INT_MAX : comm->rank;
    int lowest = INT_MAX;
    DT_TRY(dt_comm_check(MEET(MPI_Allreduce(&mine, &lowest, 1, MPI_INT, MPI_MIN, comm->world)), "agreement"));
    if (lowest == INT_MAX) return dt_ok();
    /* what some of the ranks have agreed on before says it already */
    bool told = strncmp(status.message, "rank ", 5) == 0;
    if (comm->rank == lowest && comm->named > 0 && !told) status = dt_status_within(status, "rank %d", comm->named);
    DT_TRY(dt_comm_check(MEET(MPI_Bcast(&status, (int)sizeof status, MPI_BYTE, lowest, comm->world)), "agreement"));
    return status;
}

bool dt_comm_any(dt_comm *comm, bool flag) {
    int mine = flag, any = flag;
    if (MEET(MPI_Allreduce(&mine, &any, 1, MPI_INT, MPI_MAX, comm->world)) != MPI_SUCCESS) return true;
    return any != 0;
}

static dt_status broadcast(MPI_Comm among, void *bytes, size_t count, int root) {
    char *at = bytes;
    while (count > 0) {
        size_t piece = count < PIECE ? count : PIECE;
        DT_TRY(dt_comm_check(MEET(MPI_Bcast(at, (int)piece, MPI_BYTE, root, among)), "MPI_Bcast"));
        at += piece;
        count -= piece;
    }
    return dt_ok();
}

dt_status dt_comm_broadcast(dt_comm *comm, void *bytes, size_t count, int root) {
    return broadcast(comm->world, bytes, count, root);
}

dt_status dt_comm_node_broadcast(dt_comm *comm, void *bytes, size_t count) {
    return broadcast(comm->node, bytes, count, 0);
}

/* Rank 0 has memory for the longest text before any is sent: a sender whose text is not received waits for ever. */
dt_status dt_comm_collect_text(dt_comm *comm, const char *text,
                               void (*take)(void *argument, int rank, const char *text), void *argument) {
    if (!text) text = "";
    size_t length = strlen(text);
    dt_status status = length < PIECE ? dt_ok() : dt_fail(DT_ERR_INPUT, "a text of %zu bytes is too long", length);
    DT_TRY(dt_comm_agree(comm, status));
    int own = (int)length, longest = 0;
    DT_TRY(dt_comm_check(MEET(MPI_Allreduce(&own, &longest, 1, MPI_INT, MPI_MAX, comm->world)), "MPI_Allreduce"));
    char *received = comm->rank == 0 ? dt_alloc((size_t)longest + 1, 1) : NULL;
    if (comm->rank == 0 && !received) status = dt_fail_memory("texts from other ranks", (unsigned long long)longest);
    status = dt_comm_agree(comm, status);
    if (status.code == DT_OK && comm->rank != 0)
        status = dt_comm_check(MEET(MPI_Send(text, own, MPI_CHAR, 0, 0, comm->world)), "MPI_Send");
    if (status.code == DT_OK && comm->rank == 0) take(argument, 0, text);
    for (int rank = 1; comm->rank == 0 && rank < comm->size && status.code == DT_OK; rank++) {
        MPI_Status message;
        int count = 0;
        status = dt_comm_check(MEET(MPI_Recv(received, longest, MPI_CHAR, rank, 0, comm->world, &message)), "MPI_Recv");
        if (status.code != DT_OK) break;
        MPI_Get_count(&message, MPI_CHAR, &count);
        assert(received);
        received[count] = '\0';
        take(argument, rank, received);
    }
    dt_free(received);
    return dt_comm_agree(comm, status);
}

static dt_status reduce(dt_comm *comm, void *values, size_t count, MPI_Datatype type, size_t bytes, MPI_Op op) {
    if (comm->size == 1) return dt_ok();
    for (size_t at = 0; at < count; at += PIECE) {
        int piece = (int)(count - at < PIECE ? count - at : PIECE);
        int code = MEET(MPI_Allreduce(MPI_IN_PLACE, (char *)values + at * bytes, piece, type, op, comm->world));
        DT_TRY(dt_comm_check(code, "MPI_Allreduce"));
    }
    return dt_ok();
}

dt_status dt_comm_sum_i64(dt_comm *comm, int64_t *values, size_t count) {
    return reduce(comm, values, count, MPI_INT64_T, sizeof *values, MPI_SUM);
}

dt_status dt_comm_sum_u32(dt_comm *comm, uint32_t *values, size_t count) {
    return reduce(comm, values, count, MPI_UINT32_T, sizeof *values, MPI_SUM);
}

dt_status dt_comm_least_i64(dt_comm *comm, int64_t *values, size_t count) {
    return reduce(comm, values, count, MPI_INT64_T, sizeof *values, MPI_MIN);
}

static dt_status reduce_doubles(dt_comm *comm, const double *values, size_t count, double *out, MPI_Op op) {
    if (!out) return dt_ok();
    return dt_comm_check(MEET(MPI_Allreduce(values, out, (int)count, MPI_DOUBLE, op, comm->world)), "MPI_Allreduce");
}

dt_status dt_comm_spread(dt_comm *comm, const double *values, size_t count, double *min, double *mean, double *max) {
    DT_TRY(reduce_doubles(comm, values, count, min, MPI_MIN));
    DT_TRY(reduce_doubles(comm, values, count, mean, MPI_SUM));
    DT_TRY(reduce_doubles(comm, values, count, max, MPI_MAX));
    for (size_t i = 0; mean && i < count; i++) mean[i] /= comm->size;
    return dt_ok();
}

dt_status dt_comm_gather_u64(dt_comm *comm, uint64_t value, uint64_t *all) {
    int code = MEET(MPI_Allgather(&value, 1, MPI_UINT64_T, all, 1, MPI_UINT64_T, comm->world));
    return dt_comm_check(code, "MPI_Allgather");
}

dt_status dt_comm_barrier(dt_comm *comm) {
    return dt_comm_check(MEET(MPI_Barrier(comm->world)), "MPI_Barrier");
}
