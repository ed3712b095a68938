/* How an import's result appears: written beside its destination, and renamed over it only when it is complete and on
 * the disk. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data_internal.h"
#include "dtrain/memory.h"

dt_status dt_import_check(int source_count, const char *const *sources, const char *destination) {
    struct stat there, source;
    if (stat(destination, &there) != 0) return dt_ok();
    if (S_ISDIR(there.st_mode))
        return dt_fail(DT_ERR_USAGE, "%s: is a directory; the destination is a file", destination);
    for (int i = 0; i < source_count; i++)
        if (stat(sources[i], &source) == 0 && source.st_dev == there.st_dev && source.st_ino == there.st_ino)
            return dt_fail(DT_ERR_USAGE, "%s is both a source and the destination; the last file named is written",
                           destination);
    return dt_ok();
}

/* fsync of the directory `path` is in. `path` is cut at its last slash. */
static dt_status sync_directory(char *path) {
    char *slash = strrchr(path, '/');
    if (slash) slash[slash == path] = '\0';
    return dt_fsync_path(slash ? path : ".");
}

static dt_status write_file(const char *path, dt_status (*write)(void *context, dt_h5 *file), void *context) {
    dt_h5 *file;
    DT_TRY(dt_h5_create(&file, path));
    dt_status status = write(context, file);
    dt_status closed = dt_h5_close(&file);
    return status.code == DT_OK ? closed : status;
}

dt_status dt_import_publish(const char *destination, dt_status (*write)(void *context, dt_h5 *file), void *context) {
    size_t size = strlen(destination) + 32;
    char *temporary = dt_alloc(size, 1);
    if (!temporary) return dt_fail_memory("a file name", size);
    snprintf(temporary, size, "%s.tmp.%ld", destination, (long)getpid());
    dt_status status = write_file(temporary, write, context);
    if (status.code == DT_OK) status = dt_fsync_path(temporary);
    if (status.code == DT_OK && rename(temporary, destination) != 0)
        status = dt_fail(DT_ERR_IO, "%s: cannot take the place of %s: %s", temporary, destination, strerror(errno));
    if (status.code != DT_OK)
        unlink(temporary);
    else
        status = sync_directory(temporary);
    dt_free(temporary);
    return status;
}
