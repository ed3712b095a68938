/* A reducer from within, for crosscheck.c. */
#ifndef DTRAIN_REDUCE_INTERNAL_H
#define DTRAIN_REDUCE_INTERNAL_H

#include "messages.h"
#include "reduce.h"

const dt_messages *dt_reduce_messages(const dt_reducer *reducer);
const dt_table *dt_reduce_table(const dt_reducer *reducer);
/* What was computed aside, from element `at` on. */
const void *dt_reduce_aside(const dt_reducer *reducer, size_t at);
/* Of a tensor, in the step whose sums there are. */
int dt_reduce_exponent(const dt_reducer *reducer, int tensor);

#endif
