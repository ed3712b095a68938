/* NumPy's array files (numpy.org, numpy.lib.format, versions 1 to 3): what one holds, and its values into a dataset. */
#ifndef DTRAIN_NPY_H
#define DTRAIN_NPY_H

#include <stdbool.h>

#include "base/table.h"
#include "store/h5.h"

/* Where the bytes of an array come from: a file, or a member of an archive. */
typedef struct dt_npy_source {
    const char *name; /* in messages */
    /* Up to `want` bytes; fewer only at the end. */
    dt_status (*read)(void *context, void *out, size_t want, size_t *got);
    void *context;
    int64_t bytes; /* how long it is, header and values */
} dt_npy_source;

typedef struct dt_npy {
    dt_dtype dtype; /* of the values in the dataset: of half precision float32, of truth values uint8 */
    dt_shape shape;
    size_t item; /* bytes of a value in the file */
    bool half, swapped, fortran;
    int64_t begin; /* of the values */
} dt_npy;

/* Reads the header, and checks it against the source's length. What has no number format here (texts, objects,
 * structures, complex numbers, dates) is refused by name. */
dt_status dt_npy_open(dt_npy *out, const dt_npy_source *source);
/* Values of a source of which the header was read, row by row, into a new dataset. */
dt_status dt_npy_copy(const dt_npy *npy, const dt_npy_source *source, dt_h5 *to, const char *dataset);
/* All of them into out[count] of npy->dtype, in C order whatever the file's. */
dt_status dt_npy_read(const dt_npy *npy, const dt_npy_source *source, void *out);
/* The same of columns first, of a file that can be read anywhere. */
dt_status dt_npy_turn(const dt_npy *npy, int fd, const char *name, dt_h5 *to, const char *dataset);

#endif
