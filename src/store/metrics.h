/* Metrics of a run: metrics.h5 (columns as one-dimensional datasets) and its text twin metrics.jsonl, which survives
 * any crash. Both are rank 0's. On resume rows past the checkpoint's step are dropped from both, and a metrics.h5 that
 * no longer opens is rebuilt from the twin. */
#ifndef DTRAIN_METRICS_H
#define DTRAIN_METRICS_H

#include <stdint.h>

#include "base/status.h"

typedef struct dt_metrics dt_metrics;

/* A group of rows with the same columns: "train" (one row a log interval), "epoch" (one row an evaluation). */
typedef struct dt_metrics_series {
    const char *name;           /* group in metrics.h5, value of "series" in the twin */
    const char *const *columns; /* NULL-terminated; every value is a double; the first is "step" */
} dt_metrics_series;

/* Opens or makes both files in `directory`, keeping only rows whose step is <= `last_step`. Series tables are borrowed.
 */
dt_status dt_metrics_open(dt_metrics **out, const char *directory, const dt_metrics_series *series, int series_count,
                          int64_t last_step);
/* Appends a row: values[i] belongs to columns[i]; NaN is null in the twin. The twin is flushed at once; the HDF5 file
 * when it is opened, every few seconds and at close. */
dt_status dt_metrics_append(dt_metrics *metrics, int series, const double *values);
/* The step of the series' last row; -1: it has none. */
int64_t dt_metrics_last(const dt_metrics *metrics, int series);
/* Accepts NULL. */
dt_status dt_metrics_close(dt_metrics *metrics);

#endif
