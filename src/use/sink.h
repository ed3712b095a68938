/* Where predictions go: files of results, written by all ranks together (sink.c). A format is a file that fills in a
 * dt_sink_kind, and a row in sink.c. */
#ifndef DTRAIN_SINK_H
#define DTRAIN_SINK_H

#include <stdint.h>

#include "base/ranks.h"
#include "data/publish.h"
#include "results.h"

typedef struct dt_sink dt_sink;

/* What a file says of itself: a text, or a number where that is NULL. */
typedef struct dt_sink_note {
    const char *key, *text;
    int64_t number;
} dt_sink_note;

/* One file of a sink. */
typedef struct dt_sink_file {
    dt_publication publication; /* the first rank's */
    int fd;
} dt_sink_file;

typedef struct dt_sink_kind {
    const char *name;   /* of the format */
    const char *suffix; /* of files that have it: ".h5" */
    bool several;       /* each array has a file of its own */
    /* Whether these arrays can be written. */
    dt_status (*check)(const dt_results *results);
    /* On the first rank: makes each file at its temporary name, and sets where each array begins. */
    dt_status (*lay_out)(dt_sink *sink);
    /* Text of the samples at hand into sink->text, its length into sink->text_bytes. NULL: rows have a place, where
     * they are written as they are. */
    dt_status (*format)(dt_sink *sink, int64_t first, int64_t rows);
    /* On the first rank, when all is written: what files say of themselves. NULL: nothing. */
    dt_status (*annotate)(dt_sink *sink, const dt_sink_note *notes, int count);
} dt_sink_kind;

struct dt_sink {
    const dt_sink_kind *kind;
    const dt_ranks *ranks;
    const dt_results *results;
    int64_t samples;
    const char *names; /* of classes, each ended by a 0: [names_bytes]; NULL: none */
    int64_t names_bytes;
    dt_sink_file files[DT_RESULTS_MOST];
    int file_count;                 /* 1, or as many as arrays */
    int64_t begin[DT_RESULTS_MOST]; /* where each array is in its file; [0] of text: where the next goes */
    char *text;
    size_t text_bytes, text_room;
};

/* The format called `name`, or, where that is NULL, the one whose suffix `path` has. */
dt_status dt_sink_choose(const dt_sink_kind **out, const char *name, const char *path);
/* Collective. Files at `path` for so many samples; sink->names may be set then. To be closed, also after a failure. */
dt_status dt_sink_open(dt_sink *sink, const dt_sink_kind *kind, const dt_ranks *ranks, const char *path,
                       const dt_results *results, int64_t samples);
/* Before a round's results are written: *length is what this rank needs to tell the others. */
dt_status dt_sink_prepare(dt_sink *sink, int64_t first, int64_t rows, int64_t *length);
/* The results of samples [first, first + rows), which are in their blocks; lengths[ranks] of all ranks. */
dt_status dt_sink_put(dt_sink *sink, int64_t first, int64_t rows, const int64_t *lengths);
/* Collective. All files appear, complete and on the disk, if `status`, the same on every rank, is a success, and none
 * else. */
dt_status dt_sink_close(dt_sink *sink, dt_status status, const dt_sink_note *notes, int count);
/* The name of a class; "" where it has none. */
const char *dt_sink_class_name(const dt_sink *sink, int64_t class);

extern const dt_sink_kind dt_sink_h5, dt_sink_npy, dt_sink_csv;

#endif
