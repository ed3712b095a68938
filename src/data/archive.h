/* Writing ZIP files, with libzip. */
#ifndef DTRAIN_ARCHIVE_H
#define DTRAIN_ARCHIVE_H

#include <stddef.h>

#include "base/status.h"

typedef struct dt_archive_member {
    const char *name;  /* in the archive, UTF-8 */
    const char *path;  /* the file it is made from, or NULL: */
    const char *bytes; /* [size] */
    size_t size;
} dt_archive_member;

/* The whole file at `path`, a new one, uncompressed, the same to the byte for the same members. */
dt_status dt_archive_write(const char *path, const dt_archive_member *members, int count);

#endif
