/* Results that appear whole or not at all: written beside their destination, and renamed to it once they are complete
 * and on the disk. */
#ifndef DTRAIN_PUBLISH_RESULT_H
#define DTRAIN_PUBLISH_RESULT_H

#include "base/status.h"

/* A file: write(context, path) makes it at `path`; it then takes the place of nothing, or of a regular file. */
dt_status dt_publish_file(const char *destination, dt_status (*write)(void *context, const char *path), void *context);
/* A directory without others in it: write(context, path) puts files into `path`, which is there. The destination must
 * be nothing, or an empty directory. */
dt_status dt_publish_directory(const char *destination, dt_status (*write)(void *context, const char *path),
                               void *context);

/* ---- for those who write on their own ---- */

/* What is published, until it is. */
typedef struct dt_publication {
    char destination[4000]; /* without slashes at its end */
    char temporary[4096];
} dt_publication;

/* Makes p->temporary, a file with nothing in it, to be written or replaced; the destination is as it was. */
dt_status dt_publish_begin(dt_publication *p, const char *destination);
/* What is there takes the place of the destination, if `status` is a success, or is removed. Returns `status`, or how
 * the renaming failed. What was written must be on the disk. */
dt_status dt_publish_end(dt_publication *p, dt_status status);

#endif
