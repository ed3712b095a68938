/* HDF5 without hid_t: the few operations checkpoints, metrics and datasets need, every failure with the file and object
 * named. Serial: ranks write a checkpoint together without it (publish.c). The library's own error printing is off.
 */
#ifndef DTRAIN_H5_H
#define DTRAIN_H5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/guard.h"
#include "base/status.h"
#include "base/table.h"

typedef struct dt_h5 dt_h5;

/* What HDF5 this program runs with, was built with, and whether that is a parallel build; on one line. */
void dt_h5_library(char *out, size_t size);

/* To read, in a child (guard.h): HDF5 may crash on files of others. See dt_h5_run. */
dt_status dt_h5_open(dt_h5 **out, const char *path);
dt_status dt_h5_create(dt_h5 **out, const char *path); /* new, in the place of what was there */
/* The same; what takes `large` bytes or more begins at a multiple of `page`. */
dt_status dt_h5_create_aligned(dt_h5 **out, const char *path, size_t large, size_t page);
dt_status dt_h5_append(dt_h5 **out, const char *path); /* existing, to write */
/* Sets *file to NULL. Accepts a NULL *file. */
dt_status dt_h5_close(dt_h5 **file);
const char *dt_h5_path(const dt_h5 *file);

/* Keeps a dataset open until the next is held or the file is closed: what is asked of it meanwhile, and of its
 * attributes, needs no search by name, which is most of what a small question costs. */
dt_status dt_h5_hold(dt_h5 *file, const char *dataset);

/* Attributes of the object at `object` ("/" is the root). Writing creates or replaces; reading a missing one is
 * DT_ERR_CORRUPT. *text is UTF-8, to dt_free. */
dt_status dt_h5_put_text(dt_h5 *file, const char *object, const char *name, const char *text);
/* Of any length, where an attribute of the other kind ends at 64 kB; and a list of texts. */
dt_status dt_h5_put_long_text(dt_h5 *file, const char *object, const char *name, const char *text);
dt_status dt_h5_put_texts(dt_h5 *file, const char *object, const char *name, const char *const *texts, int count);
dt_status dt_h5_put_int(dt_h5 *file, const char *object, const char *name, int64_t value);
dt_status dt_h5_put_real(dt_h5 *file, const char *object, const char *name, double value);
dt_status dt_h5_get_text(dt_h5 *file, const char *object, const char *name, char **text);
dt_status dt_h5_get_int(dt_h5 *file, const char *object, const char *name, int64_t *value);
dt_status dt_h5_get_real(dt_h5 *file, const char *object, const char *name, double *value);
/* Any scalar attribute as text, to dt_free. */
dt_status dt_h5_attribute_text(dt_h5 *file, const char *object, const char *name, char **text);
bool dt_h5_has(dt_h5 *file, const char *object);
bool dt_h5_has_attribute(dt_h5 *file, const char *object, const char *name);

/* Makes a group and its parents. */
dt_status dt_h5_make_group(dt_h5 *file, const char *path);

typedef struct dt_h5_info {
    dt_dtype dtype; /* of the values once read; integers keep their width and sign; enumerations are their integers,
                     * bit fields unsigned ones */
    dt_shape shape;
    bool native;        /* stored in this machine's byte order and a plain format */
    bool contiguous;    /* one run of bytes in the file, no filters */
    uint64_t offset;    /* of that run, in the file; only when contiguous and allocated */
    bool allocated;     /* space is reserved in the file */
    int64_t chunk_rows; /* rows of a chunk; 0 when not chunked */
    uint64_t chunk_bytes;
} dt_h5_info;

/* No filter packs better: deflate's limit is 1032 to 1. What claims to is no data, and is refused before memory or a
 * disk is filled with it. */
#define DT_H5_MOST_PACKED 1100

/* Refuses what keeps its values in files elsewhere. */
dt_status dt_h5_describe(dt_h5 *file, const char *dataset, dt_h5_info *info);
/* Of a contiguous dataset: `offset` of its description, alone. */
dt_status dt_h5_offset(dt_h5 *file, const char *dataset, uint64_t *offset);

/* What the elements of a dataset are. */
typedef enum dt_h5_form { DT_H5_NUMBERS, DT_H5_STRINGS, DT_H5_COMPOUND, DT_H5_OTHER } dt_h5_form;
dt_status dt_h5_form_of(dt_h5 *file, const char *dataset, dt_h5_form *form, dt_shape *shape);
/* The fields of a compound, also those of a compound in it ("position.x"), in their order; none of any other dataset.
 * Neither name nor format, "float32" or "text", is to be kept. A false return ends it. */
typedef bool (*dt_h5_field)(void *context, const char *name, dt_h5_form form, const char *format);
dt_status dt_h5_fields(dt_h5 *file, const char *dataset, dt_h5_field show, void *context);

/* That the values of a dataset can be read, and were written: its filters are known, no chunk and no source is missing
 * (unless a fill value was set on purpose), and what it claims to be could be packed in what it stores. */
dt_status dt_h5_check_values(dt_h5 *file, const char *dataset);

/* Members of an enumeration's type, in its order; none for any other type. A false return ends it. Values of uint64
 * above int64 are the largest int64. */
typedef bool (*dt_h5_member)(void *context, const char *name, int64_t value);
dt_status dt_h5_members(dt_h5 *file, const char *dataset, dt_h5_member show, void *context);

/* A new dataset, parents made, which is held. Contiguous with early allocation, or chunked and extendable in its first
 * dimension when `chunk_rows` > 0. */
dt_status dt_h5_create_dataset(dt_h5 *file, const char *dataset, dt_dtype dtype, const dt_shape *shape,
                               int64_t chunk_rows);
/* The same of class numbers, contiguous; their type is an enumeration in which names[i] is the class i. DT_ERR_INPUT
 * when the names are too long for one. */
dt_status dt_h5_create_classes(dt_h5 *file, const char *dataset, dt_dtype dtype, const dt_shape *shape,
                               const char *const *names, int32_t count);
/* A new list of texts, of a fixed length: names[bytes], each ended by a 0. */
dt_status dt_h5_put_names(dt_h5 *file, const char *dataset, const char *names, size_t bytes);
/* Grows the first dimension of an extendable dataset. */
dt_status dt_h5_extend(dt_h5 *file, const char *dataset, int64_t rows);

/* Rows [first, first+count) of the first dimension, all of the others, as `dtype` in memory (converted when the file
 * differs), in pieces below 1 GiB. A scalar has one row. */
dt_status dt_h5_write_rows(dt_h5 *file, const char *dataset, dt_dtype dtype, int64_t first, int64_t count,
                           const void *data);
dt_status dt_h5_read_rows(dt_h5 *file, const char *dataset, dt_dtype dtype, int64_t first, int64_t count, void *data);
/* A dataset of bytes, [n] with n at most `most`, as a text, to dt_free. */
dt_status dt_h5_read_text(dt_h5 *file, const char *dataset, size_t most, char **text);

/* What a child does with a file that may be anybody's: see dt_guard_job, which has the same fields. */
typedef struct dt_h5_job {
    const char *path;
    bool stoppable;
    size_t file_bytes;
    dt_status (*work)(void *context, dt_h5 *file, dt_guard *to); /* in the child, `file` is open to read */
    dt_status (*take)(void *context, dt_guard *from);
    void *context;
} dt_h5_job;
dt_status dt_h5_run(const dt_h5_job *job);

/* All of the list `dataset` of the file `path`, at most `most` numbers: *values[*count], to dt_free; 0 and NULL where
 * there is no such dataset. The file is read by a child (guard.h), so it may be anybody's. */
dt_status dt_h5_fetch(const char *path, const char *dataset, dt_dtype dtype, int64_t most, void **values,
                      int64_t *count);

/* Flushes the library's buffers to the operating system. */
dt_status dt_h5_flush(dt_h5 *file);

/* Visits every object in name order. `kind` is 'g' (group) or 'd' (dataset). A false return stops the walk. */
typedef bool (*dt_h5_visitor)(void *context, const char *path, char kind);
dt_status dt_h5_walk(dt_h5 *file, dt_h5_visitor visit, void *context);

/* Names of the attributes of an object, in name order: visit(context, name, 'a'). */
dt_status dt_h5_walk_attributes(dt_h5 *file, const char *object, dt_h5_visitor visit, void *context);

/* fsync of a file or a directory. */
dt_status dt_fsync_path(const char *path);

#endif
