/* A dataset of one file as plain rows. */
#ifndef DTRAIN_H5_VIEW_H
#define DTRAIN_H5_VIEW_H

#include <hdf5.h>

#include "h5_element.h"
#include "h5_packing.h"
#include "store/h5_rows.h"

typedef struct dt_h5_view {
    dt_h5 *file; /* borrowed */
    hid_t id, space;
    dt_h5_choices choices;
    dt_h5_element element;
    dt_h5_packing packing;
    int rank; /* of the dataset */
    hsize_t dims[H5S_MAX_RANK];
    int from[DT_MAX_RANK]; /* dimension i of the rows is this one of the dataset */
    int64_t *columns;      /* [column_count], of the last dimension, counted from the first that is read */
    int64_t column_count;
    int64_t first_column, read_columns; /* what is read of it: all that lie between those that are wanted */
    bool plain;                         /* what is read is what is wanted */
    int64_t chars;                      /* of strings that are a row of characters: how many; they are no dimension */
    dt_dtype dtype;
    dt_shape shape; /* [rows, …] */
    dt_h5_part part;
    int64_t block_rows;
    uint64_t chunk_bytes;
} dt_h5_view;

/* To be closed, also after a failure. The values are there and can be read. */
dt_status dt_h5_view_open(dt_h5_view *v, dt_h5 *file, const char *dataset, const dt_h5_order *order);
void dt_h5_view_close(dt_h5_view *v);
/* Bytes of a row as HDF5 is asked for it. */
size_t dt_h5_view_row_bytes(const dt_h5_view *v);
/* The box of `count` rows, as HDF5 is asked for it; block gets its size. `list`: properties of the transfer. */
dt_status dt_h5_view_box(const dt_h5_view *v, int64_t first, int64_t count, hsize_t block[H5S_MAX_RANK], hid_t list,
                         void *to);
/* Rows [first, first + count) into out[count, …], of numbers (of strings: h5_strings.h). */
dt_status dt_h5_view_read(const dt_h5_view *v, int64_t first, int64_t count, void *out);

/* ---- h5_gather.c ---- */

/* `count` rows of what was read, whose dimensions are `block` in the dataset's order, into out[count, …]. */
dt_status dt_h5_gather(const dt_h5_view *v, const char *read, const hsize_t *block, int64_t count, char *out);
/* `count` numbers into another format, which holds them. */
void dt_h5_convert(char *to, dt_dtype to_type, const char *from, dt_dtype from_type, int64_t count);

#endif
