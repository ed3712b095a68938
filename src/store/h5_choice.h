/* What is wanted of a dataset, as its name says it: see h5_rows.h. */
#ifndef DTRAIN_H5_CHOICE_H
#define DTRAIN_H5_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

#define DT_H5_MOST_CHOICES 128
#define DT_H5_NAME_BYTES 1024

/* A field, or columns [begin, end). */
typedef struct dt_h5_choice {
    const char *field;  /* NULL: columns */
    int64_t begin, end; /* as written: negative from the end; INT64_MAX: to the end */
    bool single;        /* a number, not a range */
} dt_h5_choice;

typedef struct dt_h5_choices {
    char text[DT_H5_NAME_BYTES]; /* the path, and the fields' names, each ended by 0 */
    int count;                   /* 0: all */
    dt_h5_choice choice[DT_H5_MOST_CHOICES];
} dt_h5_choices;

/* `file` is for messages. */
dt_status dt_h5_choices_parse(dt_h5_choices *out, const char *file, const char *name);
/* A dataset that is called `name`, whatever brackets are in it. */
dt_status dt_h5_choices_all(dt_h5_choices *out, const char *file, const char *name);
/* Whether one alone was named, which makes no dimension. */
bool dt_h5_choices_single(const dt_h5_choices *choices);

#endif
