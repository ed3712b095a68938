/* An array and its spool, between the files that open arrays. */
#ifndef DTRAIN_ARRAY_INTERNAL_H
#define DTRAIN_ARRAY_INTERNAL_H

#include <sys/types.h>

#include "data/array.h"

/* Names of an enumeration's values, as far as they fit. */
typedef struct member_list {
    int32_t count, used;
    int64_t value[512];
    uint16_t begin[512]; /* of its name in text */
    char text[16384];
} member_list;

struct dt_array {
    member_list *members; /* NULL: no enumeration */
    dt_dtype dtype;
    int64_t rows;
    dt_shape row_shape;
    size_t row_bytes, bytes;
    bool in_place; /* on this machine, the values can be mapped where the file has them: at offset */
    uint64_t offset;
    const char *values; /* NULL until they are fetched */
    void *map;          /* begins on a page, at or before values */
    size_t map_bytes;
};

/* array_map.c. Maps array->bytes at `offset` of an open file, which must have them all. */
dt_status dt_array_map(dt_array *array, int fd, uint64_t offset, const char *file, const char *dataset);

/* ---- spool.c ---- */

/* The directory that `spool` names, or the system's for temporary files. */
const char *dt_spool_directory(const char *spool);
/* Collective. One file per machine, open on all its ranks, without a name. *fd is -1 before, and may be open after a
 * failure. */
dt_status dt_spool_open(int *fd, const dt_ranks *ranks, const char *directory);
dt_status dt_spool_write(int fd, const char *data, size_t bytes, off_t offset);
/* Rows that are written at once, whole rows of chunks. */
int64_t dt_spool_rows(const dt_array *array, int64_t chunk_rows);
/* Collective. The array's values, unpacked and mapped. */
dt_status dt_spool_unpack(dt_array *array, const dt_ranks *ranks, const char *file, const char *dataset,
                          const char *directory);

#endif
