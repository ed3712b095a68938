/* Between the files of the config room. */
#ifndef DTRAIN_CONFIG_INTERNAL_H
#define DTRAIN_CONFIG_INTERNAL_H

#include "config/fields.h"

#define DT_SHOWN 72

/* `text` made fit for a one-line message: control characters become '?', and what is longer than 60 bytes is cut and
 * marked with "…". Returns out. */
const char *dt_shown(const char *text, char out[DT_SHOWN]);

/* The row of a key, or NULL. */
const dt_field *dt_field_find(const dt_field *table, const char *key);

/* Whether the field of `in` has its default; false when it has none. */
bool dt_field_is_default(const dt_field *field, const void *in);

#endif
