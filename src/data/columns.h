/* The columns of a table: which are inputs and which targets, what their values are, and the numbers these become. */
#ifndef DTRAIN_COLUMNS_H
#define DTRAIN_COLUMNS_H

#include <stdbool.h>
#include <stdint.h>

#include "categories.h"
#include "csv.h"
#include "csv_values.h"
#include "store/h5.h"

typedef enum dt_role { DT_ROLE_INPUT, DT_ROLE_TARGET, DT_ROLE_LEFT_OUT } dt_role;

typedef struct dt_column {
    char *name;
    dt_role role;
    bool category;             /* its values are classes, also where they look like numbers */
    bool kept;                 /* also where it looks like an id */
    dt_categories *categories; /* of its texts; NULL: it has numbers */
    int64_t field;             /* of a record of the file that is read; -1: not there */

    /* what a first pass learns */
    int64_t numbers, texts, missing;
    double least, most, last;
    bool fractions, jumps; /* numbers that are not whole; that are not one more than the last */
    bool begun;            /* `last` is of this file */
    char sample[48];       /* its first value, and where that is */
    const char *sample_path;
    int64_t sample_line;
} dt_column;

/* What is wanted of which columns: records of names or patterns (fnmatch), as "pixel*,size". */
typedef struct dt_columns_wanted {
    const char *inputs;   /* "": all that are not others */
    const char *targets;  /* "": none */
    const char *left_out; /* "": none */
    const char *category, *kept;
} dt_columns_wanted;

typedef struct dt_columns {
    dt_column *all; /* [count] */
    size_t count, targets;
    bool header;  /* files begin with names */
    bool known;   /* from an earlier import: nothing is learned, targets may be missing */
    bool one_hot; /* an input of categories becomes as many numbers */
    bool drop;    /* records without a target are passed over, not refused */
    const char *known_from;
    dt_csv_notation notation;
} dt_columns;

void dt_columns_finish(dt_columns *columns);

/* ---- columns.c ---- */

/* The names are those of the record that was read last, or 1, 2, 3, … without a header. */
dt_status dt_columns_name(dt_columns *columns, const dt_csv *csv);
dt_status dt_columns_choose(dt_columns *columns, const dt_columns_wanted *wanted);
/* Finds the columns in a file whose first record was read last. */
dt_status dt_columns_bind(dt_columns *columns, const dt_csv *csv);
/* That the record read last has as many fields as the file's first, which were `expected`. */
dt_status dt_columns_check_record(const dt_columns *columns, const dt_csv *csv, size_t expected);

/* ---- columns_learn.c ---- */

/* The record's target is missing, and such records are passed over; a missing target is a failure otherwise. */
dt_status dt_columns_pass_over(const dt_columns *columns, const dt_csv *csv, bool *passed);
/* Learns of a record, or holds it against what is known. */
dt_status dt_columns_learn(dt_columns *columns, const dt_csv *csv);
/* When all are read: numbers of categories, and what no model can learn from is refused. */
dt_status dt_columns_settle(dt_columns *columns);

/* ---- columns_values.c ---- */

int64_t dt_columns_width(const dt_columns *columns, dt_role role); /* numbers of a row */
/* The narrowest format that all numbers of a role's columns are kept in. */
dt_dtype dt_columns_dtype(const dt_columns *columns, dt_role role);
/* out[width]; a missing value is not a number. */
dt_status dt_columns_values(const dt_columns *columns, const dt_csv *csv, dt_role role, double *out);

/* ---- columns_text.c ---- */

/* As YAML, to dt_free. */
dt_status dt_columns_text(const dt_columns *columns, char **text);
/* Those of such a text, which may be anybody's; `path`, for messages, must stay. */
dt_status dt_columns_parse(dt_columns *columns, const char *text, const char *path);
/* The text as /columns of a dataset. */
dt_status dt_columns_write(const dt_columns *columns, dt_h5 *file);
/* Those of an earlier import; the file is read by a child. `path` must stay. */
dt_status dt_columns_read(dt_columns *columns, const char *path);

#endif
