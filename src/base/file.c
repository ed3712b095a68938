/* Opening and making files. Every file that a user names is opened here, and every temporary one is made here: the
 * rules of file.h then hold for all of them. A pipe is opened without waiting for its other end; a temporary name is
 * predictable, so in a directory that others may write to there can be a link of that name, and it must not be
 * followed. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIPE_MILLISECONDS 10000

const char *dt_file_kind(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFREG: return "a regular file";
    case S_IFDIR: return "a directory";
    case S_IFIFO: return "a named pipe";
    case S_IFSOCK: return "a socket";
    case S_IFLNK: return "a symbolic link";
    case S_IFCHR:
    case S_IFBLK: return "a device";
    default: return "no file";
    }
}

static bool may_open(mode_t mode, bool pipes) {
    return S_ISREG(mode) || (pipes && S_ISFIFO(mode));
}

static dt_status fail_kind(const char *path, mode_t mode) {
    return dt_fail(DT_ERR_INPUT, "%s: is %s; it must be a regular file", path, dt_file_kind(mode));
}

/* A pipe is read from as soon as its writer has begun, and then like a file. */
static dt_status await_writer(const char *path, int fd) {
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    int ready;
    do ready = poll(&wanted, 1, PIPE_MILLISECONDS);
    while (ready < 0 && errno == EINTR);
    if (ready < 0) return dt_fail(DT_ERR_IO, "%s: cannot be waited for: %s", path, strerror(errno));
    if (ready == 0)
        return dt_fail(DT_ERR_INPUT, "%s: is a named pipe, and nobody wrote to it for %d s", path,
                       PIPE_MILLISECONDS / 1000);
    if (fcntl(fd, F_SETFL, 0) != 0) return dt_fail(DT_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
    return dt_ok();
}

static dt_status check_opened(const char *path, int fd, int64_t *bytes, bool pipes) {
    struct stat about;
    if (fstat(fd, &about) != 0) return dt_fail(DT_ERR_IO, "%s: cannot stat: %s", path, strerror(errno));
    if (!may_open(about.st_mode, pipes)) return fail_kind(path, about.st_mode);
    if (bytes) *bytes = S_ISREG(about.st_mode) ? (int64_t)about.st_size : -1;
    return S_ISFIFO(about.st_mode) ? await_writer(path, fd) : dt_ok();
}

/* Looked at twice: opening a device may do something to it, and what is there may change in between. */
static dt_status open_to_read(const char *path, int *fd, int64_t *bytes, bool pipes) {
    struct stat about;
    *fd = -1;
    if (stat(path, &about) == 0 && !may_open(about.st_mode, pipes)) return fail_kind(path, about.st_mode);
    int opened = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (opened < 0) return dt_fail(DT_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    dt_status status = check_opened(path, opened, bytes, pipes);
    if (status.code == DT_OK)
        *fd = opened;
    else
        close(opened);
    return status;
}

dt_status dt_file_open(const char *path, int *fd, int64_t *bytes) {
    return open_to_read(path, fd, bytes, false);
}

dt_status dt_file_open_stream(const char *path, int *fd, int64_t *bytes) {
    return open_to_read(path, fd, bytes, true);
}

dt_status dt_file_create(const char *path, int *fd) {
    for (int attempt = 0; attempt < 3; attempt++) {
        *fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (*fd >= 0) return dt_ok();
        if (errno != EEXIST) return dt_fail(DT_ERR_IO, "%s: cannot be made: %s", path, strerror(errno));
        if (unlink(path) != 0 && errno != ENOENT)
            return dt_fail(DT_ERR_IO, "%s: is in the way and cannot be removed: %s", path, strerror(errno));
    }
    return dt_fail(DT_ERR_IO, "%s: somebody else makes it again and again", path);
}

dt_status dt_file_create_private(const char *path, int *fd) {
    *fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return *fd >= 0 ? dt_ok() : dt_fail(DT_ERR_IO, "%s: cannot be made: %s", path, strerror(errno));
}

dt_status dt_file_check_target(const char *path) {
    struct stat about;
    if (lstat(path, &about) != 0)
        return errno == ENOENT ? dt_ok() : dt_fail(DT_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
    if (S_ISREG(about.st_mode)) return dt_ok();
    return dt_fail(DT_ERR_USAGE, "%s: is %s; the destination is a file, new or to be replaced", path,
                   dt_file_kind(about.st_mode));
}

dt_status dt_path_join(char out[4096], const char *directory, const char *name) {
    size_t length = strlen(directory);
    const char *slash = length > 0 && directory[length - 1] == '/' ? "" : "/";
    if (snprintf(out, 4096, "%s%s%s", directory, slash, name) >= 4096)
        return dt_fail(DT_ERR_INPUT, "%.60s…/%.60s: the path is too long", directory, name);
    return dt_ok();
}

dt_status dt_write_text_file(const char *path, const char *text) {
    char temporary[4096 + 8];
    int fd;
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    DT_TRY(dt_file_create(temporary, &fd));
    FILE *file = fdopen(fd, "w");
    bool written = file && fputs(text, file) >= 0 && fflush(file) == 0 && fsync(fd) == 0;
    int reason = errno;
    if ((file ? fclose(file) : close(fd)) != 0 && written) {
        written = false;
        reason = errno;
    }
    if (written && rename(temporary, path) == 0) return dt_ok();
    if (written) reason = errno;
    unlink(temporary);
    return dt_fail(DT_ERR_IO, "%s: %s", path, strerror(reason));
}
