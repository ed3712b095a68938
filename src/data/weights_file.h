/* Files of weights: arrays under names, from whatever program wrote them. Each kind of file is a row of a table
 * (weights_file.c). */
#ifndef DTRAIN_WEIGHTS_FILE_H
#define DTRAIN_WEIGHTS_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/table.h"

typedef struct dt_weights_array {
    char name[192];
    dt_shape shape;
    int64_t count; /* elements */
} dt_weights_array;

typedef struct dt_weights_kind dt_weights_kind;

typedef struct dt_weights_file {
    const dt_weights_kind *kind; /* NULL: it is closed */
    const char *path;            /* borrowed, for messages */
    bool ours;                   /* names and layout are a dtrain checkpoint's: it is one, or was exported from one */
    bool checkpoint;             /* it is one */
    int64_t count;
    dt_weights_array *arrays; /* [count] */
    void *own;                /* the kind's */
} dt_weights_file;

/* Safetensors, a NumPy archive, or HDF5: a checkpoint of ours or any file with numeric datasets, as Keras writes; by
 * what the file begins with. Arrays without a number format of ours, and those of more than DT_MAX_RANK dimensions, are
 * left out. To be closed, also after a failure. */
dt_status dt_weights_open(dt_weights_file *out, const char *path);
void dt_weights_close(dt_weights_file *file);
/* Array `i` as float32, in its own order, into out[count]. */
dt_status dt_weights_read(const dt_weights_file *file, int64_t i, float *out);

#endif
