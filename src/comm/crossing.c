/* Chunks cross in the order of a fixed grid, the last one first, so that owners of the same slice in all teams call the
 * same collectives in the same order, whenever each of them gets there. A chunk can start when every rank of the team
 * has completed its part of it: each publishes how far it is in a counter that only grows, so that no rank mistakes the
 * last step's for this one's. Open MPI has no thread that moves messages; they move when MPI is called, so between the
 * layers each start also looks after the chunks on their way. */
#include "crossing.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include "dtrain/memory.h"

#define CHUNK ((size_t)1 << 18) /* elements: large enough that latency does not count */
#define MOST_CHUNKS 32

typedef struct mark {
    _Atomic uint64_t done; /* steps*(total + 1) + complete elements of the present one */
    char padding[DT_ALIGNMENT - sizeof(uint64_t)];
} mark;

struct dt_crossing {
    dt_team *team;
    MPI_Datatype type;
    size_t word, head, total, begin, end;
    size_t chunk, next; /* elements of one; those from `next` on have been started */
    uint64_t steps;
    mark *marks;  /* of the ranks of the team */
    char *sent;   /* [head + slice]: sums over the team; the message itself in a team of one */
    char *summed; /* [head + slice]: over all teams */
    MPI_Request requests[MOST_CHUNKS];
    int request_count;
    int code; /* MPI's, of the first chunk that could not be started */
};

static size_t round_up(size_t n, size_t unit) {
    return (n + unit - 1) / unit * unit;
}

static dt_status alloc(dt_crossing **out, dt_team *team, dt_wire wire, void *message, size_t head, size_t begin,
                       size_t end) {
    size_t word = wire == DT_WIRE_I64 ? sizeof(int64_t) : sizeof(int32_t), words = head + end - begin;
    dt_crossing *c = *out = dt_alloc(1, sizeof *c);
    if (!c) return dt_fail_memory("the gradient to other teams", sizeof *c);
    c->word = word;
    c->type = wire == DT_WIRE_F32 ? MPI_FLOAT : wire == DT_WIRE_I32 ? MPI_INT32_T : MPI_INT64_T;
    c->sent = dt_team_size(team) > 1 ? dt_alloc(words, word) : message;
    c->summed = dt_alloc(words, word);
    size_t share = round_up((end - begin + MOST_CHUNKS - 1) / MOST_CHUNKS, DT_REDUCE_BLOCK);
    c->chunk = share > CHUNK ? share : CHUNK;
    c->team = team;
    c->head = head;
    c->begin = begin;
    c->end = end;
    return c->sent && c->summed ? dt_ok() : dt_fail_memory("the gradient to other teams", 2 * words * word);
}

dt_status dt_crossing_create(dt_crossing **out, dt_team *team, dt_wire wire, void *message, size_t head, size_t total,
                             size_t begin, size_t end) {
    *out = NULL;
    if (dt_team_count(team) == 1) return dt_ok();
    dt_status status;
    mark *marks = dt_team_alloc(team, (size_t)dt_team_size(team), sizeof *marks, &status);
    DT_TRY(status);
    status = alloc(out, team, wire, message, head, begin, end);
    DT_TRY(dt_comm_agree(dt_team_comm(team), status));
    assert(*out);
    (*out)->marks = marks;
    (*out)->total = total;
    return dt_ok();
}

void dt_crossing_destroy(dt_crossing *c) {
    if (!c) return;
    if (dt_team_size(c->team) > 1) dt_free(c->sent);
    dt_free(c->summed);
    dt_free(c);
}

size_t dt_crossing_memory(const dt_crossing *c) {
    return c ? (dt_team_size(c->team) > 1 ? 2 : 1) * (c->head + c->end - c->begin) * c->word : 0;
}

void dt_crossing_begin(dt_crossing *c) {
    if (!c) return;
    c->steps++;
    c->next = c->end;
    c->code = MPI_SUCCESS;
}

static void *sent_at(const dt_crossing *c, size_t element) {
    return c->sent + (c->head + element - c->begin) * c->word;
}

static void *summed_at(const dt_crossing *c, size_t element) {
    return c->summed + (c->head + element - c->begin) * c->word;
}

static void publish(dt_crossing *c, size_t begin) {
    atomic_store_explicit(&c->marks[dt_team_rank(c->team)].done, c->steps * (c->total + 1) + c->total - begin,
                          memory_order_release);
}

/* Whether every rank of the team has completed its gradient from `begin` on. */
static bool is_complete(const dt_crossing *c, size_t begin) {
    uint64_t wanted = c->steps * (c->total + 1) + c->total - begin;
    for (int i = 0; i < dt_team_size(c->team); i++)
        if (atomic_load_explicit(&c->marks[i].done, memory_order_acquire) < wanted) return false;
    return true;
}

static void start_chunk(dt_crossing *c, const dt_reducer *reducer, size_t begin) {
    size_t words = c->next - begin;
    if (dt_team_size(c->team) > 1) dt_reduce_sum_team(reducer, sent_at(c, begin), begin, words);
    c->code = MPI_Iallreduce(sent_at(c, begin), summed_at(c, begin), (int)words, c->type, MPI_SUM,
                             dt_team_across_mpi(c->team), &c->requests[c->request_count]);
    if (c->code == MPI_SUCCESS) c->request_count++;
    c->next = begin;
}

void dt_crossing_ready(dt_crossing *c, const dt_reducer *reducer, size_t begin) {
    if (!c) return;
    publish(c, begin);
    /* All chunks but the first: that one goes with the head. */
    while (c->code == MPI_SUCCESS && c->next - c->begin > c->chunk) {
        size_t from = c->begin + (c->next - c->begin - 1) / c->chunk * c->chunk;
        if (!is_complete(c, from)) break;
        start_chunk(c, reducer, from);
    }
    int all;
    if (c->request_count > 0) MPI_Testall(c->request_count, c->requests, &all, MPI_STATUSES_IGNORE);
}

static dt_status wait_for_chunks(dt_crossing *c) {
    int code = MPI_Waitall(c->request_count, c->requests, MPI_STATUSES_IGNORE);
    c->request_count = 0;
    return dt_comm_check(code, "MPI_Waitall of the gradient");
}

dt_status dt_crossing_finish(dt_crossing *c, const dt_reducer *reducer, void **head) {
    if (c->begin == c->end) return dt_ok();
    dt_crossing_ready(c, reducer, 0);
    DT_TRY(dt_comm_check(c->code, "MPI_Iallreduce of the gradient"));
    if (dt_team_size(c->team) > 1) {
        memcpy(c->sent, *head, c->head * c->word);
        dt_reduce_sum_team(reducer, sent_at(c, c->begin), c->begin, c->next - c->begin);
    }
    *head = c->summed;
    dt_status status = dt_comm_check(MPI_Allreduce(c->sent, c->summed, (int)(c->head + c->next - c->begin), c->type,
                                                   MPI_SUM, dt_team_across_mpi(c->team)),
                                     "MPI_Allreduce of the gradient");
    dt_status waited = wait_for_chunks(c);
    return status.code != DT_OK ? status : waited;
}

const void *dt_crossing_sums(const dt_crossing *c, size_t begin) {
    return summed_at(c, begin);
}
