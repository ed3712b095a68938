/* Which rows of a dataset are samples: all of them, or a list, such as one part of a split. Whoever goes over samples
 * has their numbers, 0 to count-1, and asks here for the row. */
#ifndef DTRAIN_SELECTION_H
#define DTRAIN_SELECTION_H

#include <stdint.h>

typedef struct dt_selection {
    int64_t *rows; /* [count], ascending, none twice; NULL: sample i is row i */
    int64_t count; /* of samples */
} dt_selection;

static inline int64_t dt_selection_row(const dt_selection *selection, int64_t sample) {
    return selection->rows ? selection->rows[sample] : sample;
}

#endif
