/* One dataset in several files, as rows: see h5_rows.h, whose functions these are for it. */
#ifndef DTRAIN_H5_SERIES_H
#define DTRAIN_H5_SERIES_H

#include "store/h5_rows.h"

typedef struct dt_h5_series dt_h5_series;

dt_status dt_h5_series_open(dt_h5_series **out, const dt_h5_files *files, const char *dataset,
                            const dt_h5_order *order);
void dt_h5_series_close(dt_h5_series *rows); /* accepts NULL */
const dt_h5_rows_info *dt_h5_series_info_of(const dt_h5_series *rows);
const dt_h5_part *dt_h5_series_parts(const dt_h5_series *rows);
dt_status dt_h5_series_read(dt_h5_series *rows, int64_t first, int64_t count, void *out);
size_t dt_h5_series_memory(const dt_h5_series *rows, int64_t count);
dt_status dt_h5_series_members(const dt_h5_series *rows, dt_h5_member show, void *context);

#endif
