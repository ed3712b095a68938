/* A look at a table of values as it is: what its columns have, for whoever is to say what of it is to be learned.
 * Nothing in it is refused that an import would refuse by the name of its column. */
#ifndef DTRAIN_TABLE_LOOK_H
#define DTRAIN_TABLE_LOOK_H

#include <stdbool.h>

#include "categories.h"
#include "csv.h"

#define DT_TABLE_TEXTS 1000 /* different texts of a column that are counted */

typedef struct dt_table_column {
    char *name;
    int64_t numbers, dates, missing, others; /* values; others are texts */
    double least, most, sum;                 /* of numbers */
    dt_categories *texts;                    /* the others, as far as they are counted */
} dt_table_column;

typedef struct dt_table_look {
    char delimiter, decimal;
    bool header; /* the first line has names */
    int64_t rows;
    size_t count;
    dt_table_column *columns; /* [count] */
} dt_table_look;

/* Delimiter (comma, semicolon, tab or bar), header and decimal comma are guessed by the first records. To be finished,
 * also after a failure. */
dt_status dt_table_look_open(dt_table_look *out, const char *path);
void dt_table_look_finish(dt_table_look *look);
/* The column that is most likely to be learned: one called target, label, class or y, or else the last. */
size_t dt_table_look_target(const dt_table_look *look);

#endif
