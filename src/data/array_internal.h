/* An array and its spool, between the files that open arrays. */
#ifndef DTRAIN_ARRAY_INTERNAL_H
#define DTRAIN_ARRAY_INTERNAL_H

#include <sys/types.h>

#include "data/array.h"
#include "files.h"

/* Names: of the values of an enumeration or of strings, or of the numbers of a row. */
typedef struct member_list {
    int64_t count, bytes;
    int64_t *value;  /* [count], ascending */
    uint32_t *begin; /* [count], of its name in text */
    char *text;      /* [bytes], each name ended by a 0 */
} member_list;

/* Rows that are one behind the other in memory. */
typedef struct array_run {
    int64_t first;
    const char *values; /* of row `first` */
    void *map;          /* begins on a page, at or before values; NULL: there is a copy */
    size_t map_bytes;
    char *copy; /* of dt_alloc, or NULL */
} array_run;

struct dt_array {
    member_list members; /* count 0: no value has a name */
    bool texts;          /* values are the numbers of texts, which are their names */
    bool columns;        /* names are of the numbers of a row, and not of values */
    dt_dtype dtype;
    int64_t rows;
    dt_shape row_shape;
    size_t row_bytes, bytes;
    int64_t input_count;
    dt_input *inputs; /* [input_count]; NULL: none has a name */
    /* Where they are; of an array that is recalled, nowhere. */
    dt_files files;
    char *dataset;
    dt_h5_order order;
    dt_h5_part *parts;  /* [files.count] */
    const char *values; /* of row 0 where all are one run; else NULL */
    array_run *runs;    /* [run_count] */
    int64_t run_count;
    int64_t block_rows;           /* of the file that are stored together; 0: any number */
    struct dt_row_stream *stream; /* NULL: values are in memory */
};

/* array_map.c. Adds a run: the rows from `first` on, `bytes` at `offset` of an open file, which must have them all. */
dt_status dt_array_map(dt_array *array, int64_t first, size_t bytes, int fd, uint64_t offset, const char *file);
void dt_array_unmap(array_run *run);

/* ---- array_members.c ---- */

/* In a child: sends the names. Here: takes them, which are not trusted. Both leave nothing behind. */
dt_status dt_members_send(const dt_h5_rows *rows, dt_guard *to);
dt_status dt_members_take(member_list *out, dt_guard *from, const char *file, const char *dataset);
/* Collective. Those of rank 0, everywhere; other machines' must be the same, where they have `found` some. */
dt_status dt_members_share(member_list *members, const dt_ranks *ranks, const char *file, const char *dataset);
void dt_members_finish(member_list *members);

/* ---- array_look.c ---- */

/* Collective. Type and shape; sets the parts, and names. */
dt_status dt_array_look(dt_array *array, const dt_ranks *ranks, dt_h5_rows_info *info);
/* In a child: the array's rows as they were described; files that have changed since are refused. */
dt_status dt_array_open_rows(const dt_array *array, dt_h5_rows **out);
/* Of the processor, that a child may take to read all files and to write so many bytes. */
unsigned dt_array_seconds(const dt_array *array, size_t written);

/* ---- spool.c ---- */

/* The directory that `spool` names, or the system's for temporary files. */
const char *dt_spool_directory(const char *spool);
/* Collective. All parts for which spooled[i] is not 0, one behind the other, in an open file. */
dt_status dt_spool_unpack(const dt_array *array, const dt_ranks *ranks, const int64_t *spooled, int *fd,
                          const char *directory);

#endif
