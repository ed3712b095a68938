/* Rows of datasets as their users name them, whatever form files have them in: any numeric type, fields of a compound,
 * columns, rows along any dimension, several files one after the other. What comes out is plain: [rows, …] of one of
 * our number formats. This is the one reader of data: what unpacks to the spool uses it, and what streams.
 *
 * A dataset is named by its path, and what is wanted of it in brackets behind (h5_choice.c):
 *
 *   /x              all
 *   /x[0:3, 5, -1]  columns of a row's last dimension: FROM:TO (without TO, as in NumPy) or one, negative from the end
 *   /table[T, p.x]  fields of a compound, also of a compound in it; 'quoted' where a name has other signs in it
 *
 * Several make one dimension, the last, in the order given; one number or field alone makes none: /x[4] is [rows].
 * Numbers of several formats become the one that NumPy's rules of promotion give. Packed values of netCDF
 * (scale_factor, add_offset) are unpacked, to float32 or float64, and what _FillValue and missing_value name, packed or
 * not, becomes NaN there.
 *
 * Several datasets side by side make one row of numbers, and names give its parts to layers of a model (h5_inputs.h):
 *
 *   [/a, /b]                     a row is the numbers of a and then those of b
 *   {image: /a, meta: [/b, /c]}  the same of a, b and c; the first are called image, those of b and c meta */
#ifndef DTRAIN_H5_ROWS_H
#define DTRAIN_H5_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/table.h"
#include "store/h5.h"

/* How the dimensions in a file are to be taken. Zeros: as they are, rows along the first. */
typedef struct dt_h5_order {
    int64_t axis;  /* rows are along this dimension; negative: from the end. Of a list, its only one */
    bool reversed; /* the dimensions count from the last to the first, as Fortran, Julia, MATLAB and R write them */
    bool channels_last; /* the first dimension of a row becomes its last: [C, H, W] gives [H, W, C] */
    bool texts;         /* one string a row is welcome, too: it becomes the number of its text, int32 */
} dt_h5_order;

/* Of a dataset of strings, at most so many different ones, of so many bytes in all, each of so many. */
#define DT_H5_MOST_TEXTS (1 << 20)
#define DT_H5_MOST_TEXT_BYTES ((size_t)64 << 20)
#define DT_H5_TEXT_BYTES 1024

/* Files one after the other; the names are borrowed. */
typedef struct dt_h5_files {
    const char *const *name;
    int64_t count;
} dt_h5_files;

/* A file's share of the rows. */
typedef struct dt_h5_part {
    int64_t first, rows;
    uint64_t offset;  /* of the first row in the file, where they are in place */
    int32_t in_place; /* 1: the file has them, one after the other, as they are in memory */
    int32_t unused;
} dt_h5_part;

typedef struct dt_h5_rows_info {
    dt_dtype dtype;
    dt_shape shape;       /* of all files: [rows, …] */
    int64_t block_rows;   /* that are stored together, so that a multiple of them is read at no extra cost; 0: any */
    uint64_t chunk_bytes; /* the largest chunk, unpacked; 0: none */
    int32_t texts;        /* 1: they are strings, and numbers by the order of their bytes, of those in all files */
    int32_t columns;      /* 1: rows are the fields of a compound, and dt_h5_rows_members has their names */
    int64_t input_count;  /* 0: no part has a name */
    dt_input input[DT_MOST_INPUTS];
} dt_h5_rows_info;

typedef struct dt_h5_rows dt_h5_rows;

/* In a child (guard.h), like all that follows. Looks into every file: that the dataset is there and its values can be
 * read, and that the files agree in type and shape. The names in `files`, and `dataset`, are borrowed. */
dt_status dt_h5_rows_open(dt_h5_rows **out, const dt_h5_files *files, const char *dataset, const dt_h5_order *order);
void dt_h5_rows_close(dt_h5_rows *rows); /* accepts NULL */
const dt_h5_rows_info *dt_h5_rows_info_of(const dt_h5_rows *rows);
/* [files.count]; their rows may be 0. */
const dt_h5_part *dt_h5_rows_parts(const dt_h5_rows *rows);
/* Rows [first, first + count) into out[count, …] of info.dtype, from as many files as they are in. */
dt_status dt_h5_rows_read(dt_h5_rows *rows, int64_t first, int64_t count, void *out);
/* Bytes that reading `count` rows at once takes besides the rows themselves, for dt_guard_allow. */
size_t dt_h5_rows_memory(const dt_h5_rows *rows, int64_t count);
/* Names, in their order: of strings the texts, ascending in their bytes, with the numbers that stand for them; of
 * fields their own, with their places in a row; of values that are all of one enumeration, the same in all files,
 * dt_h5_members. */
dt_status dt_h5_rows_members(const dt_h5_rows *rows, dt_h5_member show, void *context);

#endif
