/* The different values of a dataset that has one for each row: a patient's number, a day, a class; of one-hot rows the
 * places of their 1s. */
#ifndef DTRAIN_DATA_GROUPS_H
#define DTRAIN_DATA_GROUPS_H

#include "data/array.h"

typedef struct dt_groups {
    int64_t count;
    int64_t *values; /* [count], ascending */
    int64_t *rows;   /* [count]: how many rows have it */
} dt_groups;

/* Of all rows of `array`, which messages call `dataset` of `file`. Every rank by itself; to be finished, also after a
 * failure. A row that is neither an integer nor one-hot is refused. */
dt_status dt_groups_collect(dt_groups *out, const dt_array *array, const char *file, const char *dataset);
void dt_groups_finish(dt_groups *groups);
/* Which of the groups a row is in. */
int64_t dt_groups_of_row(const dt_groups *groups, const dt_array *array, int64_t row);

#endif
