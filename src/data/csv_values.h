/* What a field of a table is: a number, nothing, a date, or some text. */
#ifndef DTRAIN_CSV_VALUES_H
#define DTRAIN_CSV_VALUES_H

#include <stdbool.h>

#include "base/status.h"

/* How the values of a table are written. */
typedef struct dt_csv_notation {
    char decimal;  /* '.' or ',' */
    char *missing; /* texts that stand for a missing value, each ended by a NUL; nothing at all is always one */
    const char **missing_at; /* [missing_count] */
    int missing_count;
} dt_csv_notation;

/* `missing` is a record of texts, as "NA,?". To be finished, also after a failure. */
dt_status dt_csv_notation_open(dt_csv_notation *out, char decimal, const char *missing);
void dt_csv_notation_finish(dt_csv_notation *notation);

bool dt_csv_is_missing(const dt_csv_notation *notation, const char *field);
/* Whether the field is a decimal number, maybe with an exponent; *value is infinite where it is beyond a double. */
bool dt_csv_number(const dt_csv_notation *notation, const char *field, double *value);
/* "inf", "-Infinity": a number to other programs, and none to train on. */
bool dt_csv_is_infinite(const char *field);
bool dt_csv_is_utf8(const char *field);
/* A day or an hour, as 2024-05-31, 31.5.24, 5/31/2024 or 12:30; maybe with more behind it. */
bool dt_csv_is_date(const char *field);

#endif
