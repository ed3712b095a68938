/* Arrays: named datasets of HDF5 files as memory, without a copy where the files allow it.
 *
 * Contiguous native datasets are memory-mapped. Any other (chunked, compressed, foreign byte order, fields of a
 * compound, columns, samples in another dimension than the first) is unpacked in large blocks into a file without a
 * name in the spool directory, once per machine, and that file is mapped by all ranks of the machine: memory stays the
 * page cache's business, whatever the size. An array of several files has the rows of one after the other (files.h).
 *
 * How datasets are named, and what can be wanted of them, is in store/h5_rows.h. */
#ifndef DTRAIN_ARRAY_H
#define DTRAIN_ARRAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ranks.h"
#include "base/status.h"
#include "base/table.h"
#include "data/sampler.h"
#include "data/selection.h"
#include "store/h5_rows.h"

typedef struct dt_array dt_array;

/* Collective. `dataset` of `files` as rows, of which only type and shape are known: no value has been read, and no
 * memory or disk taken for any. `order` NULL: rows of the first dimension. */
dt_status dt_array_describe(dt_array **out, const dt_ranks *ranks, const char *files, const char *dataset,
                            const dt_h5_order *order);
/* An array of which another file tells, such as a checkpoint: type and shape, and never values. Not collective. */
dt_status dt_array_recall(dt_array **out, dt_dtype dtype, const dt_shape *shape);
/* Collective. The values of an array that was described: mapped where they are, or unpacked to the spool directory.
 * `one_run`: all rows are to be one behind the other, so that dt_array_row(array, 0) is all of them; those of several
 * files are else where the files have them. */
dt_status dt_array_fetch(dt_array *array, const dt_ranks *ranks, const char *spool, bool one_run);
/* Collective. Both, in one run, rows of the first dimension. */
dt_status dt_array_open(dt_array **out, const dt_ranks *ranks, const char *files, const char *dataset,
                        const char *spool);
/* Collective. Whether the values can be mapped where they are, on every machine, and are no more than `memory`. */
bool dt_array_fits(const dt_array *array, const dt_ranks *ranks, size_t memory);
/* What an array that is read in pieces may take of every machine, and in which order its rows will be asked for. */
typedef struct dt_row_stream_request {
    size_t memory;
    const dt_sampler *order;       /* of the samples, of any epoch; NULL: one after the other */
    const dt_selection *selection; /* which rows they are */
} dt_row_stream_request;
/* Collective. Instead of dt_array_fetch: rows are read when they are wanted, and ahead of that, by children, into
 * memory that the ranks of a machine share. Refuses an order for which it is too small. Once more: for another order.
 */
dt_status dt_array_stream(dt_array *array, const dt_ranks *ranks, const dt_row_stream_request *request);
void dt_array_close(dt_array *array); /* accepts NULL */
int64_t dt_array_rows(const dt_array *array);
dt_shape dt_array_shape(const dt_array *array);
dt_shape dt_array_row_shape(const dt_array *array); /* the shape without its first dimension */
dt_dtype dt_array_dtype(const dt_array *array);
bool dt_array_of_integers(const dt_array *array);
/* Of an array that is read in pieces a row, and the bytes below, are valid until this thread's next call, and zeros
 * once reading has failed (dt_array_failure). */
const void *dt_array_row(const dt_array *array, int64_t row);
/* The parts of a row that have names, in their order: [*count]; none: *count is 0. */
const dt_input *dt_array_inputs(const dt_array *array, int64_t *count);
/* Names parts of an array that is recalled; `inputs` lie one behind the other, and are a row. */
dt_status dt_array_name_inputs(dt_array *array, const dt_input *inputs, int64_t count);
/* Byte `at` of all rows, and how many follow it in memory, itself included. */
const char *dt_array_bytes(const dt_array *array, size_t at, size_t *run);
/* The files it is in, and the number of the one that has a row. */
int64_t dt_array_files(const dt_array *array);
int64_t dt_array_file_of(const dt_array *array, int64_t row);
/* For arrays that are read in pieces, and nothing for others: whether all rows are in memory; that this thread needs
 * its last row no longer; that the samples from `position` on will be asked for next; the first failure, for good. */
bool dt_array_in_memory(const dt_array *array);
void dt_array_release(const dt_array *array);
void dt_array_ahead(const dt_array *array, const dt_sampler *order, const dt_selection *selection, int64_t position);
dt_status dt_array_failure(const dt_array *array);
/* Bytes of it that are this rank's own copy (array_map.c), and not pages of a file that a machine's ranks share. */
size_t dt_array_copied(const dt_array *array);
/* Whether a row holds a number that is none to us, and how to go on after "row N": "is not finite", "has 1e+300, which
 * is finite in the file but beyond float32 (3.4e38)". */
#define DT_FAULT_TEXT 96
bool dt_array_row_fault(const dt_array *array, int64_t row, char *out, size_t size);
/* The name of a value, or NULL: that of an enumeration; of strings, whose values are numbers (dt_h5_order.texts), the
 * string. Not escaped. */
const char *dt_array_member(const dt_array *array, int64_t value);
bool dt_array_of_texts(const dt_array *array);
/* The name of number i of a row, where rows are fields of a compound; else NULL. */
const char *dt_array_column(const dt_array *array, int64_t i);
/* That a file is not there, and how to make it where that is known (array_look.c). */
dt_status dt_fail_missing(const char *file);

#endif
