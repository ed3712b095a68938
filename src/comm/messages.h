/* What the ranks of a node have to say in a step, a message each, side by side in memory that all of them see. A
 * message is a head (buckets and flags, reduce.c) and behind it the gradient of the rank's shards, in words of the
 * wire. */
#ifndef DTRAIN_MESSAGES_H
#define DTRAIN_MESSAGES_H

#include "comm/node.h"
#include "wire.h"

typedef struct dt_messages {
    dt_node *node;
    const dt_kernels *kernels;
    const dt_wire_kind *wire;
    size_t head, total; /* words of the head, elements of the gradient */
    size_t begin, end; /* the slice of the gradient this rank owns; the same on the rank of this number in every node */
    size_t stride;     /* bytes from one message to the next */
    char *first;       /* rank 0's of the node */
} dt_messages;

/* The slice of a rank: owners get whole blocks, as equal as can be. The last owner always gets some. */
void dt_messages_choose_slice(dt_messages *messages);

/* Collective. Takes the memory, zeros, which lives as long as the node. */
dt_status dt_messages_alloc(dt_messages *messages);

/* This rank's message. */
void *dt_messages_own(const dt_messages *messages);
/* The gradient of a rank of the node, once it has met. */
const void *dt_messages_gradient_of(const dt_messages *messages, int node_rank, size_t at);

/* Sums over the node, once it has met: of `count` words of the heads from `at` on, and of as many elements of the
 * gradient. */
void dt_messages_sum_heads(const dt_messages *messages, void *sum, size_t at, size_t count);
void dt_messages_sum_gradients(const dt_messages *messages, void *sum, size_t at, size_t count);

#endif
