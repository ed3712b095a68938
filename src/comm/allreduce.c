/* The protocol by which the messages of all ranks become sums.
 *
 * A node shares memory: its ranks read one another's messages. Between nodes there are only MPI's messages. The rank of
 * one number in every node owns the same slice of the gradient, and these owners sum it over the nodes by calls of
 * MPI_Allreduce and MPI_Iallreduce on the communicator they have in common (`across`). A slice is cut by a grid of
 * chunks. Gradients are completed from their end on, so chunks cross from the last to the first, while the layers
 * before are at work. The first chunk takes the head with it, which is known last.
 *
 * What must hold, and why it does:
 *
 * 1. Only complete words are read. Each rank publishes how far its message is in a mark: steps × (total + 1) + elements
 *    that are final. A mark only grows, so that nobody mistakes the last step's for this one's, and is written with
 *    release and read with acquire order, so that whoever sees the mark sees the words.
 * 2. Every rank marks its whole message before the node meets in dt_allreduce_finish: also one that had no rows and
 *    computed nothing, also one that owns nothing. After that meeting all marks of the node are full.
 * 3. The owners of a slice make the same calls in the same order, in every step that is summed: a chunk each from the
 *    grid's last to its second, then one for the first and the head. *When* one is made depends on marks, hence on
 *    speed; *which* are made depends on the slice alone, for what no mark let start early is started after the meeting,
 *    where by 2. nothing is waited for. (Without 2. one node's owner would find a mark missing, send two chunks in one
 *    call, and meet a call of another length in the other node: the job hangs, or memory is overwritten.)
 * 4. All ranks sum a step or none does. A step is passed over because of what all have stored, and redone because of
 *    the summed heads; a failed call is returned, and ends the job.
 * 5. Every rank gets the heads' sums. A slice may be empty: of a rank that its node has more of than the smallest
 *    node has, and of owners where there are fewer blocks than owners. These make no calls. The last owner of a node
 *    always has some elements (dt_messages_choose_slice), hence the sums, and leaves them in the node's memory.
 * 6. Nothing is overwritten while it is read: messages, the heads in shared memory and this rank's sums are changed
 * only after all of the node have been in dt_reduce_done, or in the next meeting here. (A rank's words of its own slice
 * are nobody else's business after that meeting: dt_reduce_keep puts sums there.)
 *
 * Open MPI has no thread that moves messages; they move when MPI is called, so between the layers each look for chunks
 * to start also tests those on their way. */
#include "allreduce.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "comm_internal.h"

/* Bytes of a node's heads that each rank reads by itself: more of them are added up in shares, for the price of one
 * more meeting (some microseconds), which reading as much from other caches costs, too. */
#define FEW_BYTES ((size_t)1 << 17)
#define CHUNK ((size_t)1 << 18) /* elements: large enough that latency does not count */
#define MOST_CHUNKS 32

typedef struct mark {
    _Atomic uint64_t done; /* steps × (total + 1) + complete elements of the present one */
    char padding[DT_ALIGNMENT - sizeof(uint64_t)];
} mark;

struct dt_allreduce {
    const dt_messages *messages;
    dt_node *node;
    MPI_Datatype type;
    size_t word, begin, end; /* bytes; the slice */
    size_t chunk, next;      /* elements of one; those from `next` on have been started */
    uint64_t steps;
    mark *marks;     /* of the ranks of the node; NULL with one node */
    char *sent;      /* [head + slice]: sums over the node; in a node of one the message itself */
    char *summed;    /* [head + slice]: over all nodes; NULL with one node */
    char *node_head; /* [head], in memory of the node: its sums, made in shares; NULL where each rank makes them all */
    void *shared_head; /* [head], in memory of the node; NULL where every rank has a slice */
    MPI_Request requests[MOST_CHUNKS];
    int request_count;
    int code; /* MPI's, of the first chunk that could not be started */
};

static bool owns_some(const dt_allreduce *c) {
    return c->end > c->begin;
}

static bool alone_on_node(const dt_allreduce *c) {
    return dt_node_size(c->node) == 1;
}

/* ---- memory --------------------------------------------------------------------------------------------------------
 */

static size_t own_words(const dt_allreduce *c) {
    return c->messages->head + (dt_node_count(c->node) > 1 ? c->end - c->begin : 0);
}

static dt_status alloc_own(dt_allreduce *c) {
    c->sent = alone_on_node(c) ? dt_messages_own(c->messages) : dt_alloc(own_words(c), c->word);
    bool complete = c->sent != NULL;
    if (dt_node_count(c->node) > 1) complete &= (c->summed = dt_alloc(own_words(c), c->word)) != 0;
    return complete ? dt_ok() : dt_fail_memory("the gradient to other ranks", 2 * own_words(c) * c->word);
}

static dt_status alloc_shared(dt_allreduce *c) {
    dt_status status = dt_ok();
    size_t heads = (size_t)dt_node_size(c->node) * c->messages->head * c->word;
    if (dt_comm_any(dt_node_comm(c->node), heads > FEW_BYTES))
        c->node_head = dt_node_alloc(c->node, c->messages->head, c->word, &status);
    DT_TRY(status);
    if (dt_node_count(c->node) == 1) return status;
    c->marks = dt_node_alloc(c->node, (size_t)dt_node_size(c->node), sizeof *c->marks, &status);
    DT_TRY(status);
    if (dt_comm_any(dt_node_comm(c->node), !owns_some(c)))
        c->shared_head = dt_node_alloc(c->node, c->messages->head, c->word, &status);
    return status;
}

dt_status dt_allreduce_create(dt_allreduce **out, const dt_messages *messages) {
    *out = NULL;
    dt_comm *comm = dt_node_comm(messages->node);
    dt_allreduce *c = dt_alloc(1, sizeof *c);
    DT_TRY(dt_comm_agree(comm, c ? dt_ok() : dt_fail_memory("the gradient to other ranks", sizeof *c)));
    c->messages = messages;
    c->node = messages->node;
    c->word = messages->wire->word;
    c->type = messages->wire->type;
    c->begin = messages->begin;
    c->end = messages->end;
    size_t share = (c->end - c->begin + MOST_CHUNKS - 1) / MOST_CHUNKS;
    share = (share + DT_TABLE_BLOCK - 1) / DT_TABLE_BLOCK * DT_TABLE_BLOCK;
    c->chunk = share > CHUNK ? share : CHUNK;
    dt_status status = dt_comm_agree(comm, alloc_own(c));
    if (status.code == DT_OK) status = alloc_shared(c);
    if (status.code == DT_OK)
        *out = c;
    else
        dt_allreduce_destroy(c);
    return status;
}

void dt_allreduce_destroy(dt_allreduce *c) {
    if (!c) return;
    if (!alone_on_node(c)) dt_free(c->sent);
    dt_free(c->summed);
    dt_free(c);
}

size_t dt_allreduce_memory(const dt_allreduce *c) {
    return own_words(c) * c->word * (size_t)((alone_on_node(c) ? 0 : 1) + (c->summed ? 1 : 0));
}

static void *sent_at(const dt_allreduce *c, size_t element) {
    return c->sent + (c->messages->head + element - c->begin) * c->word;
}

static void *summed_at(const dt_allreduce *c, size_t element) {
    return c->summed + (c->messages->head + element - c->begin) * c->word;
}

/* ---- marks ---------------------------------------------------------------------------------------------------------
 */

/* Of a message that is complete from element `begin` on, in this step. */
static uint64_t mark_of(const dt_allreduce *c, size_t begin) {
    return c->steps * (c->messages->total + 1) + c->messages->total - begin;
}

static void publish(dt_allreduce *c, size_t begin) {
    atomic_store_explicit(&c->marks[dt_node_rank(c->node)].done, mark_of(c, begin), memory_order_release);
}

/* Whether every rank of the node has completed its gradient from `begin` on. */
static bool is_complete(const dt_allreduce *c, size_t begin) {
    uint64_t wanted = mark_of(c, begin);
    for (int i = 0; i < dt_node_size(c->node); i++)
        if (atomic_load_explicit(&c->marks[i].done, memory_order_acquire) < wanted) return false;
    return true;
}

/* ---- a step --------------------------------------------------------------------------------------------------------
 */

void dt_allreduce_begin(dt_allreduce *c) {
    c->steps++;
    c->next = c->end;
    c->code = MPI_SUCCESS;
}

/* Elements [begin, next) are complete in the whole node. */
static void start_chunk(dt_allreduce *c, size_t begin) {
    size_t words = c->next - begin;
    if (!alone_on_node(c)) dt_messages_sum_gradients(c->messages, sent_at(c, begin), begin, words);
    c->code = MPI_Iallreduce(sent_at(c, begin), summed_at(c, begin), (int)words, c->type, MPI_SUM,
                             dt_node_across_mpi(c->node), &c->requests[c->request_count]);
    if (c->code == MPI_SUCCESS) c->request_count++;
    c->next = begin;
}

/* Starts the chunks that are complete, in order, but the grid's first, which goes with the head. */
static void start_chunks(dt_allreduce *c) {
    while (c->code == MPI_SUCCESS && c->next - c->begin > c->chunk) {
        size_t from = c->begin + (c->next - c->begin - 1) / c->chunk * c->chunk;
        if (!is_complete(c, from)) return;
        start_chunk(c, from);
    }
}

void dt_allreduce_ready(dt_allreduce *c, size_t begin) {
    if (dt_node_count(c->node) == 1) return;
    publish(c, begin);
    start_chunks(c);
    int all;
    if (c->request_count > 0) MPI_Testall(c->request_count, c->requests, &all, MPI_STATUSES_IGNORE);
}

static dt_status wait_for_chunks(dt_allreduce *c) {
    int code = MPI_Waitall(c->request_count, c->requests, MPI_STATUSES_IGNORE);
    c->request_count = 0;
    return dt_comm_check(code, "MPI_Waitall of the gradient");
}

/* What is left after the node has met: chunks nobody could start before, then the first with the head. */
static dt_status send_rest(dt_allreduce *c) {
    start_chunks(c);
    DT_TRY(dt_comm_check(c->code, "MPI_Iallreduce of the gradient"));
    size_t first = c->next - c->begin;
    assert(first <= c->chunk); /* or other nodes make other calls: 3. above */
    if (!alone_on_node(c)) dt_messages_sum_gradients(c->messages, sent_at(c, c->begin), c->begin, first);
    dt_status status = dt_comm_check(MPI_Allreduce(c->sent, c->summed, (int)(c->messages->head + first), c->type,
                                                   MPI_SUM, dt_node_across_mpi(c->node)),
                                     "MPI_Allreduce of the gradient");
    dt_status waited = wait_for_chunks(c);
    return status.code != DT_OK ? status : waited;
}

/* Hands the heads' sums to the ranks of the node that have no slice. */
static void share_head(dt_allreduce *c) {
    if (dt_node_rank(c->node) == dt_node_owners(c->node) - 1)
        memcpy(c->shared_head, c->summed, c->messages->head * c->word);
    dt_node_meet(c->node);
}

/* The sums over the node of the heads, which then has met. */
static void sum_heads(dt_allreduce *c) {
    size_t words = c->messages->head, rank = (size_t)dt_node_rank(c->node), size = (size_t)dt_node_size(c->node);
    if (alone_on_node(c)) return;
    if (!c->node_head) {
        dt_messages_sum_heads(c->messages, c->sent, 0, words);
        return;
    }
    size_t begin = words * rank / size, end = words * (rank + 1) / size;
    dt_messages_sum_heads(c->messages, c->node_head + begin * c->word, begin, end - begin);
    dt_node_meet(c->node);
    memcpy(c->sent, c->node_head, words * c->word);
}

dt_status dt_allreduce_finish(dt_allreduce *c, const void **head) {
    if (c->marks) publish(c, 0);
    dt_node_meet(c->node);
    sum_heads(c);
    *head = c->sent;
    if (dt_node_count(c->node) == 1) return dt_ok();
    dt_status status = owns_some(c) ? send_rest(c) : dt_ok();
    if (c->shared_head) share_head(c);
    *head = owns_some(c) ? c->summed : c->shared_head;
    return status;
}

const void *dt_allreduce_sums(const dt_allreduce *c, size_t begin) {
    return summed_at(c, begin);
}
