/* The gradient's way from rank to rank: complete messages in, sums over all ranks out. The whole protocol is in
 * allreduce.c. */
#ifndef DTRAIN_ALLREDUCE_H
#define DTRAIN_ALLREDUCE_H

#include "messages.h"

typedef struct dt_allreduce dt_allreduce;

/* Collective. `messages` outlive it. */
dt_status dt_allreduce_create(dt_allreduce **out, const dt_messages *messages);
void dt_allreduce_destroy(dt_allreduce *crossing); /* accepts NULL */

/* Bytes of this rank's own. */
size_t dt_allreduce_memory(const dt_allreduce *crossing);

/* A step begins. */
void dt_allreduce_begin(dt_allreduce *crossing);
/* This rank's gradient is complete from element `begin` on and will not change: starts what can be started. */
void dt_allreduce_ready(dt_allreduce *crossing, size_t begin);
/* Collective. This rank's message is complete, head and gradient. When it returns *head has the sums of the heads over
 * all ranks; the gradient's sums can be taken: with one node from the messages, with more from dt_allreduce_sums. */
dt_status dt_allreduce_finish(dt_allreduce *crossing, const void **head);
/* The sums over all nodes, from element `begin` of the slice on. */
const void *dt_allreduce_sums(const dt_allreduce *crossing, size_t begin);

#endif
