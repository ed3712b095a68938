/* The history of a run: the rows of its metrics.jsonl, also while they are being written. What shows a run (the report,
 * the live view) names the series and columns it wants and is given each row once, as it comes; nothing is kept here,
 * so memory does not grow with the run (thin.h keeps of many rows those that a plot needs).
 *
 * A line counts once its end is there. A resume replaces the file by one without the rows behind its checkpoint: the
 * reader notices, says `begin` again and gives all rows anew. Lines that are no row are passed over and counted. */
#ifndef DTRAIN_HISTORY_H
#define DTRAIN_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* A series that is wanted, "train" or "epoch" as store/metrics.h writes them, and of its columns which. */
typedef struct dt_history_series {
    const char *name;
    const char *const *columns; /* NULL-terminated; at most DT_HISTORY_COLUMNS */
} dt_history_series;
#define DT_HISTORY_COLUMNS 64

typedef struct dt_history_taker {
    /* Rows begin, or begin anew: what was kept of earlier ones is to be forgotten. */
    void (*begin)(void *context);
    /* A row of series number `series`: values[i] belongs to columns[i]; NaN where the row has no such column, or no
     * figure in it; infinite where it was. */
    void (*row)(void *context, int series, const double *values);
    void *context;
} dt_history_taker;

typedef struct dt_history dt_history;

/* Opens the history of the run in `directory`; series and taker's context are borrowed. A run that has no metrics yet
 * has no rows; a directory that is no run's is DT_ERR_INPUT. Not collective. */
dt_status dt_history_open(dt_history **out, const char *directory, const dt_history_series *series, int series_count,
                          dt_history_taker taker);
/* Gives all rows that have come since the last call; *news, which may be NULL, is whether there were any, or `begin`.
 */
dt_status dt_history_follow(dt_history *history, bool *news);
/* Lines so far that were no row; of a run that goes well there are none. */
int64_t dt_history_odd_lines(const dt_history *history);
/* Accepts NULL. */
void dt_history_close(dt_history *history);

#endif
