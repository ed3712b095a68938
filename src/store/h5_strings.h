/* Strings of a dataset, one a row, as h5py, PyTables, pandas and netCDF write them: of a fixed length and padded, or of
 * a variable one; an element, a field of one, or (netCDF's characters) a row of single ones. */
#ifndef DTRAIN_H5_STRINGS_H
#define DTRAIN_H5_STRINGS_H

#include "h5_texts.h"
#include "h5_view.h"

/* Of a view whose elements are texts. Adds those of all rows. Refuses what is no text that can be shown and kept: one
 * with a 0 in it, one that is no UTF-8, one longer than DT_H5_TEXT_BYTES, and more than DT_H5_MOST_TEXTS. */
dt_status dt_h5_strings_add(const dt_h5_view *v, dt_h5_texts *texts);
/* The numbers of those in rows [first, first + count) into out[count]. */
dt_status dt_h5_strings_read(const dt_h5_view *v, const dt_h5_texts *texts, int64_t first, int64_t count, int32_t *out);
/* Bytes that either takes. */
size_t dt_h5_strings_memory(const dt_h5_view *v);

#endif
