/* A kind of file of weights: a file that fills in this table, and a row in weights_file.c. */
#ifndef DTRAIN_WEIGHTS_KIND_H
#define DTRAIN_WEIGHTS_KIND_H

#include "data/weights_file.h"

struct dt_weights_kind {
    const char *name;
    /* Whether a file that begins with these bytes is of this kind. */
    bool (*is)(const unsigned char *begin, size_t bytes);
    /* Fills in `ours`, `count`, `arrays` and `own`; what it has when it fails is left to `close`. */
    dt_status (*open)(dt_weights_file *file);
    dt_status (*read)(const dt_weights_file *file, int64_t i, float *out);
    void (*close)(dt_weights_file *file); /* `own`; arrays are freed by weights_file.c */
};

extern const dt_weights_kind dt_weights_hdf5, dt_weights_npz, dt_weights_safetensors;

#define DT_MOST_WEIGHTS 20000 /* arrays of a file */

/* Room for `count` arrays, whose number a file claims. */
dt_status dt_weights_reserve(dt_weights_file *file, int64_t count);

#endif
