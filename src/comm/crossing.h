/* The gradient's way from rank to rank: complete messages in, sums over all ranks out. The whole protocol is in
 * crossing.c. */
#ifndef DTRAIN_CROSSING_H
#define DTRAIN_CROSSING_H

#include "messages.h"

typedef struct dt_crossing dt_crossing;

/* Collective. `messages` outlive it. */
dt_status dt_crossing_create(dt_crossing **out, const dt_messages *messages);
void dt_crossing_destroy(dt_crossing *crossing); /* accepts NULL */

/* Bytes of this rank's own. */
size_t dt_crossing_memory(const dt_crossing *crossing);

/* A step begins. */
void dt_crossing_begin(dt_crossing *crossing);
/* This rank's gradient is complete from element `begin` on and will not change: starts what can be started. */
void dt_crossing_ready(dt_crossing *crossing, size_t begin);
/* Collective. This rank's message is complete, head and gradient. When it returns *head has the sums of the heads over
 * all ranks; the gradient's sums can be taken: with one team from the messages, with more from dt_crossing_sums. */
dt_status dt_crossing_finish(dt_crossing *crossing, const void **head);
/* The sums over all teams, from element `begin` of the slice on. */
const void *dt_crossing_sums(const dt_crossing *crossing, size_t begin);

#endif
