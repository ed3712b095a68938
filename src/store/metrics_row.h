/* A row of metrics as a line of text: strict JSON, whose numbers are read back as they were. */
#ifndef DTRAIN_METRICS_ROW_H
#define DTRAIN_METRICS_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "store/metrics.h"

void dt_metrics_row_put(FILE *to, const dt_metrics_series *series, const double *values);
/* Whether the line is a row of this series. */
bool dt_metrics_row_is_of(const char *line, const dt_metrics_series *series);
/* Its values; NaN for a column that it has not, as rows of earlier versions. False: the line is torn, or has no step.
 */
bool dt_metrics_row_take(const char *line, size_t length, const dt_metrics_series *series, double *values);

#endif
