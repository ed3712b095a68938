/* Records of comma-separated values (RFC 4180, and what else is in use). Nothing of a file is kept but one record. */
#ifndef DTRAIN_CSV_H
#define DTRAIN_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* No more fields or bytes are in a record. */
#define DT_CSV_MOST_FIELDS ((size_t)1 << 18)
#define DT_CSV_MOST_BYTES ((size_t)64 << 20)

typedef struct dt_csv dt_csv;

/* `delimiter` is one byte of ASCII, no quote and no end of a line. A byte-order mark is passed over; what is no text
 * with a field to a delimiter (UTF-16, gzip, a spreadsheet) is refused by name. */
dt_status dt_csv_open(dt_csv **out, const char *path, char delimiter);
/* The same of a text, called `name` in messages, which must stay. */
dt_status dt_csv_open_text(dt_csv **out, const char *name, const char *text, size_t length, char delimiter);
void dt_csv_close(dt_csv *csv); /* accepts NULL */

/* The next record that is no empty line; *more is false at the end. A quote that is never closed, one inside a field
 * that begins without, or a NUL is DT_ERR_INPUT, with the line. */
dt_status dt_csv_next(dt_csv *csv, bool *more);
size_t dt_csv_count(const dt_csv *csv);
/* Without NULs inside. Spaces around it are left out, but inside quotes. Until the next record is taken. */
const char *dt_csv_field(const dt_csv *csv, size_t i);
int64_t dt_csv_line(const dt_csv *csv); /* where the record begins, from 1 on */
const char *dt_csv_path(const dt_csv *csv);

#endif
