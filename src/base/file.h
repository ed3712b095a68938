/* Files that users name, and files made for them. What a path leads to is looked at before it is opened to read, so
 * that no named pipe keeps the program waiting and no device is touched; what is made is made anew, never through a
 * link that somebody else put there. */
#ifndef DTRAIN_FILE_H
#define DTRAIN_FILE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/status.h"

/* What a path leads to, in words: "a directory", "a named pipe", "a device", … */
const char *dt_file_kind(mode_t mode);

/* Opens a regular file to read; *bytes, which may be NULL, is its size. Anything else is DT_ERR_INPUT. */
dt_status dt_file_open(const char *path, int *fd, int64_t *bytes);

/* The same where a pipe will do, as the shell's <(command) gives one: *bytes is then -1. It fails when nobody has
 * written to the pipe for ten seconds. */
dt_status dt_file_open_stream(const char *path, int *fd, int64_t *bytes);

/* Makes a new file to write and read. What had its name, if anything, loses it: a leftover, or a link, which is not
 * followed. */
dt_status dt_file_create(const char *path, int *fd);

/* Makes a new file that its owner alone may read. It fails where anything has its name. */
dt_status dt_file_create_private(const char *path, int *fd);

/* That a result may take the place of what `path` is: of nothing, or of a regular file. */
dt_status dt_file_check_target(const char *path);

/* directory/name, into out[4096]. */
dt_status dt_path_join(char out[4096], const char *directory, const char *name);

/* Writes `text` to `path` by way of path.tmp, fsync and rename. */
dt_status dt_write_text_file(const char *path, const char *text);

#endif
