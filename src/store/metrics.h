/* Metrics of a run: metrics.h5 (columns as one-dimensional datasets) and its text twin metrics.jsonl, which survives
 * any crash. Both are rank 0's, and both can be read while the run goes on: metrics.h5 is replaced as a whole. On
 * resume rows past the checkpoint's step are dropped from both, and metrics.h5 is made anew from the twin.
 *
 * A line of the twin is strict JSON: {"series":"train","step":500,…}. A figure that is NaN (it does not apply, or there
 * is none) is null; one that is infinite is null, too, and "NAME_was":"inf" or "-inf" follows it. */
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
/* Appends a row: values[i] belongs to columns[i]. The twin is flushed at once; the HDF5 file is shown when it is
 * opened, every few seconds and at close. */
dt_status dt_metrics_append(dt_metrics *metrics, int series, const double *values);
/* The step of the series' last row; -1: it has none. */
int64_t dt_metrics_last(const dt_metrics *metrics, int series);
/* A number of that row; NaN: there is none. */
double dt_metrics_last_value(const dt_metrics *metrics, int series, int column);
/* Accepts NULL. */
dt_status dt_metrics_close(dt_metrics *metrics);

#endif
