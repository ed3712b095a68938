/* A choice that may take a number, as one text: "iid", "dirichlet(0.5)", "by-label(2)". */
#ifndef DTRAIN_NUMBERED_H
#define DTRAIN_NUMBERED_H

#include <stdbool.h>

#include "base/status.h"

typedef struct dt_numbered {
    const char *name;
    const char *sign; /* of its number in messages, "A"; NULL: it takes none */
    bool whole;       /* the number is a whole one, at least 1; else it is greater than 0 */
} dt_numbered;

/* Finds `text` in a table that ends with a row without a name: *row is its index, *number what is in the brackets, 0
 * where there are none. A failure says what would be right, without saying of what: see dt_status_within. */
dt_status dt_numbered_read(const dt_numbered *table, const char *text, int *row, double *number);

#endif
