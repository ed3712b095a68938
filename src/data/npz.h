/* NumPy's archives of arrays: a ZIP file whose members are .npy files (numpy.org, numpy.lib.format, version 1.0). */
#ifndef DTRAIN_NPZ_H
#define DTRAIN_NPZ_H

#include <stdint.h>

#include "data/named_arrays.h"

/* The whole file at `path`, a new one, uncompressed as numpy.savez leaves it; names are unique, and a text becomes a
 * scalar of unicode characters. It is the same to the byte for the same arrays and texts. */
dt_status dt_npz_write(const char *path, const dt_named_array *arrays, int64_t count, const dt_named_text *texts,
                       int64_t text_count);

#endif
