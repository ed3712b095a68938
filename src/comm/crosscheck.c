/* Words are compared before they are summed, where nothing of a wrong one is lost: integers, or the bits of floats.
 * Within a node a rank reads the other's message. Between nodes a hash of each tensor crosses, and words only of a
 * tensor that differs, once, before the run ends. Two that differ need a third to say who is wrong. */
#include "crosscheck.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alive.h"
#include "base/hash.h"
#include "base/memory.h"
#include "comm_internal.h"
#include "reduce_internal.h"

struct dt_crosscheck {
    dt_reducer *reducer;
    dt_node *node;
    dt_comm *comm;
    int rank, ranks;
    uint64_t *places;      /* [ranks]: number of the node, and of the rank in it */
    uint64_t *found;       /* [ranks]: the tensor that differs, from 1 on */
    uint64_t *own, *other; /* [tensors]: hashes of this rank's message, and of that it computed aside */
};

static const dt_table *table_of(const dt_crosscheck *c) {
    return dt_reduce_table(c->reducer);
}

/* The number of a node is that of its first rank. */
static dt_status find_places(dt_crosscheck *c) {
    uint64_t first = (uint64_t)c->rank;
    int code = MPI_Bcast(&first, 1, MPI_UINT64_T, 0, dt_node_local_mpi(c->node));
    DT_TRY(dt_comm_agree(c->comm, dt_comm_check(code, "MPI_Bcast of a node's number")));
    return dt_comm_gather_u64(c->comm, first << 32 | (uint64_t)dt_node_rank(c->node), c->places);
}

dt_status dt_crosscheck_open(dt_crosscheck **out, dt_reducer *reducer, dt_node *node) {
    dt_comm *comm = dt_node_comm(node);
    dt_crosscheck *c = *out = dt_alloc(1, sizeof *c);
    bool complete = c != NULL;
    if (c) {
        *c = (dt_crosscheck){
            .reducer = reducer, .node = node, .comm = comm, .rank = dt_comm_rank(comm), .ranks = dt_comm_size(comm)};
        const size_t tensors = (size_t)table_of(c)->count;
        c->places = dt_alloc((size_t)c->ranks, sizeof *c->places);
        c->found = dt_alloc((size_t)c->ranks, sizeof *c->found);
        c->own = dt_alloc(tensors, sizeof *c->own);
        c->other = dt_alloc(tensors, sizeof *c->other);
        complete = c->places && c->found && c->own && c->other;
    }
    DT_TRY(dt_comm_agree(comm, complete ? dt_ok() : dt_fail_memory("hashes of gradients", 0)));
    return find_places(c);
}

void dt_crosscheck_close(dt_crosscheck *c) {
    if (!c) return;
    dt_free(c->places);
    dt_free(c->found);
    dt_free(c->own);
    dt_free(c->other);
    dt_free(c);
}

int dt_crosscheck_whose(const dt_crosscheck *c, int shift) {
    return (c->rank + shift) % c->ranks;
}

/* ---- comparing ---- */

static bool is_here(const dt_crosscheck *c, int rank) {
    return c->places[rank] >> 32 == c->places[c->rank] >> 32;
}

static size_t bytes_of(const dt_crosscheck *c, int tensor) {
    return table_of(c)->tensors[tensor].count * dt_reduce_messages(c->reducer)->wire->word;
}

static const void *aside(const dt_crosscheck *c, int tensor) {
    return dt_reduce_aside(c->reducer, table_of(c)->tensors[tensor].offset);
}

static const void *message_of(const dt_crosscheck *c, int node_rank, int tensor) {
    return dt_messages_gradient_of(dt_reduce_messages(c->reducer), node_rank, table_of(c)->tensors[tensor].offset);
}

static void hash_message(const dt_crosscheck *c, uint64_t *hashes) {
    for (int i = 0; i < table_of(c)->count; i++) {
        hashes[i] = dt_hash_bytes(message_of(c, dt_node_rank(c->node), i), bytes_of(c, i));
        dt_alive();
    }
}

/* The first tensor of which the words of a rank of this node differ, from 1 on; 0: none. */
static uint64_t compare_here(const dt_crosscheck *c, int whose) {
    int node_rank = (int)(c->places[whose] & UINT32_MAX);
    for (int i = 0; i < table_of(c)->count; i++)
        if (memcmp(aside(c, i), message_of(c, node_rank, i), bytes_of(c, i)) != 0) return (uint64_t)i + 1;
    return 0;
}

/* The same of a rank elsewhere, whose hashes are in c->other. */
static uint64_t compare_hashes(const dt_crosscheck *c) {
    for (int i = 0; i < table_of(c)->count; i++)
        if (dt_hash_bytes(aside(c, i), bytes_of(c, i)) != c->other[i]) return (uint64_t)i + 1;
    return 0;
}

/* Hashes of this rank's message to who computed it again, and those of whose it did; to and from other nodes alone. */
static dt_status exchange_hashes(dt_crosscheck *c, int whose, int by) {
    int to = is_here(c, by) ? MPI_PROC_NULL : by, from = is_here(c, whose) ? MPI_PROC_NULL : whose;
    const int count = table_of(c)->count;
    if (to != MPI_PROC_NULL) hash_message(c, c->own);
    return dt_comm_check(MPI_Sendrecv(c->own, count, MPI_UINT64_T, to, 0, c->other, count, MPI_UINT64_T, from, 0,
                                      dt_comm_mpi(c->comm), MPI_STATUS_IGNORE),
                         "MPI_Sendrecv of hashes of a gradient");
}

/* Who has not had to do with it. */
static int third_of(const dt_crosscheck *c, int one, int two) {
    for (int rank = 0; rank < c->ranks; rank++)
        if (rank != one && rank != two) return rank;
    return -1;
}

dt_status dt_crosscheck_compare(dt_crosscheck *c, int shift, dt_disagreement *out) {
    int whose = dt_crosscheck_whose(c, shift), by = (c->rank + c->ranks - shift) % c->ranks;
    *out = (dt_disagreement){.tensor = -1, .third = -1};
    DT_TRY(exchange_hashes(c, whose, by));
    uint64_t own = is_here(c, whose) ? compare_here(c, whose) : compare_hashes(c);
    DT_TRY(dt_comm_gather_u64(c->comm, own, c->found));
    for (int rank = 0; rank < c->ranks; rank++) {
        if (c->found[rank] == 0) continue;
        *out = (dt_disagreement){.by = rank, .whose = (rank + shift) % c->ranks, .tensor = (int)c->found[rank] - 1};
        out->third = third_of(c, out->by, out->whose);
        break;
    }
    return dt_ok();
}

/* ---- judging ---- */

enum { OWNER, OTHER, THIRD, SIDES };

/* A rank's words of the tensor, and where it computes. */
typedef struct side {
    int rank; /* -1: there is none */
    char *words;
    char host[256];
    int job_rank; /* the same in the whole job, as its launcher counts; this may be a group of it */
} side;

static dt_status share_side(const dt_crosscheck *c, side *one, int tensor, bool message) {
    const size_t bytes = bytes_of(c, tensor);
    one->words = dt_alloc(bytes, 1);
    DT_TRY(dt_comm_agree(c->comm, one->words ? dt_ok() : dt_fail_memory("a gradient to compare", bytes)));
    if (one->rank == c->rank) {
        memcpy(one->words, message ? message_of(c, dt_node_rank(c->node), tensor) : aside(c, tensor), bytes);
        snprintf(one->host, sizeof one->host, "%s", dt_comm_host(c->comm));
        MPI_Comm_rank(MPI_COMM_WORLD, &one->job_rank);
    }
    DT_TRY(dt_comm_broadcast(c->comm, &one->job_rank, sizeof one->job_rank, one->rank));
    DT_TRY(dt_comm_broadcast(c->comm, one->host, sizeof one->host, one->rank));
    const size_t piece = (size_t)1 << 30;
    for (size_t at = 0; at < bytes; at += piece)
        DT_TRY(dt_comm_broadcast(c->comm, one->words + at, bytes - at < piece ? bytes - at : piece, one->rank));
    return dt_ok();
}

/* "0x0001f3a2 (0.00190)": the word, and the number it stands for. */
static void value_text(const dt_crosscheck *c, const side *one, int tensor, size_t element, char out[64]) {
    const dt_wire_kind *wire = dt_reduce_messages(c->reducer)->wire;
    const char *at = one->words + element * wire->word;
    uint64_t bits = 0;
    float number = 0;
    if (wire->word == sizeof(uint32_t)) {
        uint32_t word;
        memcpy(&word, at, sizeof word);
        bits = word;
    } else {
        memcpy(&bits, at, sizeof bits);
    }
    if (wire->decode)
        wire->decode(dt_reduce_messages(c->reducer)->kernels, &number, at, 1, dt_reduce_exponent(c->reducer, tensor));
    else
        memcpy(&number, at, sizeof number);
    snprintf(out, 64, "0x%0*" PRIx64 " (%.9g)", (int)(2 * wire->word), bits, (double)number);
}

static dt_status tell(const dt_crosscheck *c, const side *sides, int tensor) {
    const side *owner = &sides[OWNER], *other = &sides[OTHER], *third = &sides[THIRD];
    const size_t bytes = bytes_of(c, tensor), word = dt_reduce_messages(c->reducer)->wire->word;
    bool with_owner = third->rank >= 0 && memcmp(third->words, owner->words, bytes) == 0;
    bool with_other = third->rank >= 0 && memcmp(third->words, other->words, bytes) == 0;
    size_t element = 0;
    assert(owner->words && other->words); /* dt_crosscheck_judge shared them */
    while ((element + 1) * word < bytes &&
           memcmp(owner->words + element * word, other->words + element * word, word) == 0)
        element++;
    char one[64], two[64];
    const char *name = table_of(c)->tensors[tensor].name;
    value_text(c, owner, tensor, element, one);
    value_text(c, other, tensor, element, two);
    if (owner->rank == other->rank)
        return dt_fail(DT_ERR_DIVERGED,
                       "rank %d (%s) computed element %zu of the gradient of %s twice, and got %s and %s",
                       owner->job_rank, owner->host, element, name, one, two);
    if (with_owner || with_other) {
        const side *wrong = with_owner ? other : owner, *right = with_owner ? owner : other;
        return dt_fail(
            DT_ERR_DIVERGED,
            "rank %d (%s) computes wrongly: of the gradient of %s, shards of rank %d, it has element %zu as %s, and "
            "ranks %d (%s) and %d (%s) as %s",
            wrong->job_rank, wrong->host, name, owner->job_rank, element, with_owner ? two : one, right->job_rank,
            right->host, third->job_rank, third->host, with_owner ? one : two);
    }
    return dt_fail(DT_ERR_DIVERGED,
                   "rank %d (%s) or rank %d (%s) computes wrongly: of the gradient of %s, shards of rank %d, they have "
                   "element %zu "
                   "as %s and %s%s",
                   owner->job_rank, owner->host, other->job_rank, other->host, name, owner->job_rank, element, one, two,
                   third->rank < 0 ? "" : ", and a third rank has neither");
}

dt_status dt_crosscheck_judge(dt_crosscheck *c, const dt_disagreement *found) {
    side sides[SIDES] = {{.rank = found->whose}, {.rank = found->by}, {.rank = found->third}};
    dt_status status = dt_ok();
    for (int i = 0; i < SIDES && status.code == DT_OK; i++)
        if (sides[i].rank >= 0) status = share_side(c, &sides[i], found->tensor, i == OWNER);
    if (status.code == DT_OK) status = tell(c, sides, found->tensor);
    for (int i = 0; i < SIDES; i++) dt_free(sides[i].words);
    return status;
}
