/* From team to team: each owner of a slice sends the sums over its team and receives those over all teams. What is
 * complete early crosses early, in chunks. */
#ifndef DTRAIN_CROSSING_H
#define DTRAIN_CROSSING_H

#include "comm_internal.h"
#include "dtrain/reduce.h"

typedef struct dt_crossing dt_crossing;

/* Collective. For elements [begin, end) of an arena of `total`, and `head` words that go with the first of them; in a
 * team of one `message` is this rank's, [head + total] words. *out is NULL with one team. */
dt_status dt_crossing_create(dt_crossing **out, dt_team *team, dt_wire wire, void *message, size_t head, size_t total,
                             size_t begin, size_t end);
void dt_crossing_destroy(dt_crossing *crossing); /* accepts NULL */

/* Bytes of this rank's own. Accepts NULL. */
size_t dt_crossing_memory(const dt_crossing *crossing);

/* A step begins. Accepts NULL. */
void dt_crossing_begin(dt_crossing *crossing);
/* This rank's message is complete from element `begin` on: starts what can be started. Accepts NULL. */
void dt_crossing_ready(dt_crossing *crossing, const dt_reducer *reducer, size_t begin);
/* Collective over the owners of the slice, once the messages of the team are complete and *head has the team's sums:
 * sends the rest and waits for all. *head becomes the sums over all teams, but on a rank whose slice is empty. */
dt_status dt_crossing_finish(dt_crossing *crossing, const dt_reducer *reducer, void **head);
/* The sums over all teams, from element `begin` of the slice on. */
const void *dt_crossing_sums(const dt_crossing *crossing, size_t begin);

/* Sums over the team of `words` words of the gradient, from element `begin` on (reduce.c). */
void dt_reduce_sum_team(const dt_reducer *reducer, void *sum, size_t begin, size_t words);

#endif
