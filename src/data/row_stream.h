/* Rows of an array that are read when they are wanted, by children (guard.h) ahead of who computes, into a cache that
 * the ranks of a machine share (cache.h). */
#ifndef DTRAIN_ROW_STREAM_H
#define DTRAIN_ROW_STREAM_H

#include "array_internal.h"

typedef struct dt_row_stream dt_row_stream;

/* Collective. Refuses an order for which the memory is too small. `array` is borrowed. */
dt_status dt_row_stream_open(dt_row_stream **out, const dt_ranks *ranks, const dt_array *array,
                             const dt_row_stream_request *request);
void dt_row_stream_close(dt_row_stream *stream); /* accepts NULL */

/* A row, and how many there are from it on, one behind the other; until the next call of this thread. Zeros where
 * reading has failed. */
const char *dt_row_stream_row(dt_row_stream *stream, int64_t row, int64_t *rows);
/* This thread needs its row no longer. */
void dt_row_stream_release(dt_row_stream *stream);
/* The samples from `position` of an epoch on will be asked for next; says so to the readers. */
void dt_row_stream_ahead(dt_row_stream *stream, const dt_sampler *order, const dt_selection *selection,
                         int64_t position);
/* The first failure of any reader of this machine, for good. */
dt_status dt_row_stream_failure(const dt_row_stream *stream);

#endif
