/* The recipes of runs beside each other: the fields in which they differ. */
#ifndef DTRAIN_COMPARE_H
#define DTRAIN_COMPARE_H

#include <stdio.h>

#include "view.h"

/* Rows of a table, a run a column; none where all are alike. Names and places of runs do not count. */
void dt_report_differences(FILE *to, const dt_view *views, int count);

#endif
