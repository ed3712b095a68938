/* The least and largest number that training saw in each column of its inputs, or each channel: for whoever uses a
 * model and wants to know whether it has seen the like (ranges.c). */
#ifndef DTRAIN_DATA_RANGES_H
#define DTRAIN_DATA_RANGES_H

#include <stdint.h>

#include "base/ranks.h"
#include "base/status.h"

typedef struct dt_ranges {
    int64_t columns;
    double *least, *most; /* [columns]; NaN where nothing is known */
    int64_t *message;     /* [2, columns], for dt_ranges_share */
} dt_ranges;

/* Nothing is known. To be closed, also after a failure. */
dt_status dt_ranges_open(dt_ranges *out, int64_t columns);
void dt_ranges_close(dt_ranges *ranges); /* accepts what is zeroed */
/* Nothing was seen: any number widens them. */
void dt_ranges_empty(dt_ranges *ranges);
/* Numbers of one sample, which is `planes` of `positions` places with `depth` neighbours each, planes or neighbours
 * being the columns; what is no number is passed over. */
void dt_ranges_widen(dt_ranges *ranges, const double *numbers, int64_t planes, int64_t positions, int64_t depth);
/* Of one column alone. */
void dt_ranges_widen_column(dt_ranges *ranges, int64_t column, const double *numbers, int64_t n);
void dt_ranges_copy(dt_ranges *to, const dt_ranges *from); /* of as many columns */
/* Collective. What any rank saw, on all of them, in whatever order: the same bits on any number of ranks. */
dt_status dt_ranges_share(dt_ranges *ranges, const dt_ranks *among);

#endif
