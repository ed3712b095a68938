/* Arrays: named datasets of an HDF5 file as memory, without a copy where the file allows it.
 *
 * Contiguous native arrays are memory-mapped. Any other (chunked, compressed, foreign byte order) is unpacked in large
 * blocks into a file without a name in the spool directory, once per machine, and that file is mapped by all ranks of
 * the machine: memory stays the page cache's business, whatever the size. */
#ifndef DTRAIN_ARRAY_H
#define DTRAIN_ARRAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ranks.h"
#include "base/status.h"
#include "base/table.h"

typedef struct dt_array dt_array;

/* Collective. `dataset` of `file` as rows of its first dimension, of which only type and shape are known: no value has
 * been read, and no memory or disk taken for any. */
dt_status dt_array_describe(dt_array **out, const dt_ranks *ranks, const char *file, const char *dataset);
/* An array of which another file tells, such as a checkpoint: type and shape, and never values. Not collective. */
dt_status dt_array_recall(dt_array **out, dt_dtype dtype, const dt_shape *shape);
/* Collective. The values of an array that was described: mapped where they are, or unpacked to the spool directory. */
dt_status dt_array_fetch(dt_array *array, const dt_ranks *ranks, const char *file, const char *dataset,
                         const char *spool);
/* Collective. Both. */
dt_status dt_array_open(dt_array **out, const dt_ranks *ranks, const char *file, const char *dataset,
                        const char *spool);
/* Collective. The last dimension becomes the first, that of rows, and the others keep their order: for samples that are
 * last, as MATLAB writes them. Through a second file in the spool directory. On failure the array is as it was. */
dt_status dt_array_turn(dt_array **array, const dt_ranks *ranks, const char *dataset, const char *spool);
void dt_array_close(dt_array *array); /* accepts NULL */
int64_t dt_array_rows(const dt_array *array);
dt_shape dt_array_shape(const dt_array *array);
dt_shape dt_array_row_shape(const dt_array *array); /* the shape without its first dimension */
dt_dtype dt_array_dtype(const dt_array *array);
bool dt_array_of_integers(const dt_array *array);
const void *dt_array_row(const dt_array *array, int64_t row);
/* Whether a row holds a number that is none to us, and how to go on after "row N": "is not finite", "has 1e+300, which
 * is finite in the file but beyond float32 (3.4e38)". */
#define DT_FAULT_TEXT 96
bool dt_array_row_fault(const dt_array *array, int64_t row, char *out, size_t size);
/* The name that an enumeration's type has for a value, or NULL (array.c). */
const char *dt_array_member(const dt_array *array, int64_t value);
/* That a file is not there, and how to make it where that is known (array.c). */
dt_status dt_fail_missing(const char *file);

#endif
