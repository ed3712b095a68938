/* Between the files of streams. */
#ifndef DTRAIN_ROW_STREAM_INTERNAL_H
#define DTRAIN_ROW_STREAM_INTERNAL_H

#include <pthread.h>

#include "base/guard.h"
#include "cache.h"
#include "row_stream.h"

#define DT_ROW_STREAM_READERS 4 /* ranks of a machine that read, and children of one, at most */

#define DT_ROW_STREAM_THREADS 1024 /* of a rank, at most (compute.threads) */

/* What a thread has in its hands. */
typedef struct dt_held {
    int64_t unit; /* -1: nothing */
    const char *bytes;
    char apart[48]; /* from the next one's cache line */
} dt_held;

/* A child, and the thread that asks it. */
typedef struct dt_row_reader {
    dt_row_stream *stream;
    dt_guard_server *server;
    pthread_t thread;
    bool runs;
} dt_row_reader;

struct dt_row_stream {
    const dt_array *array;
    int64_t unit_rows;
    dt_cache_size size;
    dt_cache *cache;
    dt_held *held; /* [DT_ROW_STREAM_THREADS] */
    char *zeros;   /* a row */
    int waits;     /* kind of span in a trace */
    /* The plan. */
    bool planned;
    int64_t part;
    int64_t *lists; /* [2, size.plan] */
    /* On a machine's first ranks. */
    int reader_count;
    dt_row_reader readers[DT_ROW_STREAM_READERS];
};

/* ---- row_stream_size.c ---- */

/* Units, slots and the plan's size, from what is to be read in which order with how much memory. */
dt_status dt_row_stream_measure(dt_row_stream *stream, const dt_ranks *ranks, const dt_row_stream_request *request);
/* The units that a window's samples are in, with repetitions; returns how many, at most `most` of which are stored. */
int64_t dt_row_stream_window(const dt_sampler *order, const dt_selection *selection, int64_t unit_rows,
                             int64_t position, int64_t *units, int64_t most);

/* ---- row_stream_reader.c ---- */

/* The first ranks of a machine read, with as many children as they have processors for. */
dt_status dt_row_stream_start_readers(dt_row_stream *stream, const dt_ranks *ranks);
void dt_row_stream_end_readers(dt_row_stream *stream);

#endif
