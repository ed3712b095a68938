/* Sums are made in the order of the node's ranks: on the integer wires any would do, on f32 it is one order at least.
 */
#include "messages.h"

#include <string.h>

void dt_messages_choose_slice(dt_messages *m) {
    size_t blocks = (m->total + DT_TABLE_BLOCK - 1) / DT_TABLE_BLOCK;
    size_t owners = (size_t)dt_node_owners(m->node), own = (size_t)dt_node_rank(m->node);
    m->begin = m->end = 0;
    if (own >= owners) return;
    m->begin = blocks * own / owners * DT_TABLE_BLOCK;
    m->end = own + 1 == owners ? m->total : blocks * (own + 1) / owners * DT_TABLE_BLOCK;
}

dt_status dt_messages_alloc(dt_messages *m) {
    const size_t page = 4096;
    m->stride = ((m->head + m->total) * m->wire->word + page - 1) / page * page;
    dt_status status;
    m->first = dt_node_alloc(m->node, (size_t)dt_node_size(m->node), m->stride, &status);
    return status;
}

void *dt_messages_own(const dt_messages *m) {
    return m->first + (size_t)dt_node_rank(m->node) * m->stride;
}

const void *dt_messages_gradient_of(const dt_messages *m, int node_rank, size_t at) {
    return m->first + (size_t)node_rank * m->stride + (m->head + at) * m->wire->word;
}

/* Of `words` words of every message, from word `at` on. */
static void sum_words(const dt_messages *m, void *sum, size_t at, size_t words) {
    const char *message = m->first + at * m->wire->word;
    memcpy(sum, message, words * m->wire->word);
    for (int i = 1; i < dt_node_size(m->node); i++) {
        message += m->stride;
        m->wire->add(m->kernels, sum, message, (int64_t)words);
    }
}

void dt_messages_sum_heads(const dt_messages *m, void *sum, size_t at, size_t count) {
    sum_words(m, sum, at, count);
}

void dt_messages_sum_gradients(const dt_messages *m, void *sum, size_t at, size_t count) {
    sum_words(m, sum, m->head + at, count);
}
