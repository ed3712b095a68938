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

#endif
