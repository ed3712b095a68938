/* A batch of samples, as a model takes it. */
#ifndef DTRAIN_DATA_BATCH_H
#define DTRAIN_DATA_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "compute/compute.h"

/* A batch in the model's terms; the arrays belong to the caller. */
typedef struct dt_batch {
    int64_t rows;
    uint64_t first;  /* position of row 0 in the global batch: keys random draws */
    dt_real *x;      /* [rows, inputs] */
    int32_t *labels; /* [rows, targets], or NULL; -1: this one does not count */
    dt_real *values; /* [rows, width], or NULL */
    /* [width]: what 1 of a value is in the targets' own units, where values are scaled (scaling.h), so that errors can
     * be told in them; NULL: the values are the targets' own. Borrowed. */
    const double *units;
    dt_real *weights; /* [rows]: what samples count for in the loss; NULL: alike */
    int64_t targets;  /* labels of a sample; 0 means 1 */
    /* Row r is the next window of stream first + r of so many, all of which go on in the next batch; 0: rows stand
     * alone. `fresh`: these are the streams' first windows, before which nothing was read. */
    int64_t streams;
    bool fresh;
} dt_batch;

#endif
