/* Follows a file by its name: pieces of fixed size are read and cut into lines. */
#include "lines.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

struct dt_lines {
    dt_lines_taker taker;
    char path[4096];
    int fd; /* -1: there is no file yet */
    dev_t device;
    ino_t inode;
    int64_t offset;              /* bytes read */
    char line[DT_LINES_LONGEST]; /* the beginning of a line that is not whole */
    size_t held;
    bool skipping; /* it is too long */
    int64_t odd;
};

/* Takes text[count], which follows what is held. */
static bool take_text(dt_lines *l, const char *text, size_t count) {
    bool news = false;
    while (count > 0) {
        const char *end = memchr(text, '\n', count);
        size_t length = end ? (size_t)(end - text) : count;
        if (l->held + length >= sizeof l->line) l->skipping = true;
        if (!l->skipping) memcpy(l->line + l->held, text, length);
        l->held = l->skipping ? 0 : l->held + length;
        if (!end) return news;
        l->line[l->held] = '\0';
        bool taken = !l->skipping && strlen(l->line) == l->held && l->taker.line(l->taker.context, l->line);
        news = news || taken;
        if (!taken) l->odd++;
        l->held = 0;
        l->skipping = false;
        text = end + 1;
        count -= length + 1;
    }
    return news;
}

static void begin(dt_lines *l) {
    l->offset = 0;
    l->held = 0;
    l->skipping = false;
    l->odd = 0;
    l->taker.begin(l->taker.context);
}

static void close_file(dt_lines *l) {
    if (l->fd >= 0) close(l->fd);
    l->fd = -1;
}

/* Opens the file that has the name now, unless it is the one at hand and has not become shorter. *anew: rows begin. */
static dt_status open_present(dt_lines *l, bool *anew) {
    struct stat info;
    *anew = false;
    if (stat(l->path, &info) != 0) {
        if (errno == ENOENT) return dt_ok(); /* not yet, or not for the moment in which a network file system renames */
        return dt_fail(DT_ERR_IO, "%s: %s", l->path, strerror(errno));
    }
    bool same = l->fd >= 0 && info.st_dev == l->device && info.st_ino == l->inode && info.st_size >= l->offset;
    if (same) return dt_ok();
    int fd;
    DT_TRY(dt_file_open(l->path, &fd, NULL));
    if (fstat(fd, &info) != 0) {
        int reason = errno;
        close(fd);
        return dt_fail(DT_ERR_IO, "%s: %s", l->path, strerror(reason));
    }
    close_file(l);
    l->fd = fd;
    l->device = info.st_dev;
    l->inode = info.st_ino;
    *anew = true;
    return dt_ok();
}

dt_status dt_lines_follow(dt_lines *l, bool *news) {
    bool anew, any = false;
    char piece[65536];
    if (news) *news = false;
    DT_TRY(open_present(l, &anew));
    if (anew) begin(l);
    while (l->fd >= 0) {
        ssize_t got = pread(l->fd, piece, sizeof piece, l->offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return dt_fail(DT_ERR_IO, "%s: %s", l->path, strerror(errno));
        if (got == 0) break;
        l->offset += got;
        any = take_text(l, piece, (size_t)got) || any;
    }
    if (news) *news = any || anew;
    return dt_ok();
}

dt_status dt_lines_create(dt_lines **out, const char *directory, const char *name, dt_lines_taker taker) {
    *out = NULL;
    dt_lines *l = dt_alloc(1, sizeof *l);
    if (!l) return dt_fail_memory(name, sizeof *l);
    l->taker = taker;
    l->fd = -1;
    dt_status status = dt_path_join(l->path, directory, name);
    if (status.code == DT_OK)
        *out = l;
    else
        dt_lines_destroy(l);
    return status;
}

int64_t dt_lines_odd(const dt_lines *l) {
    return l->odd;
}

void dt_lines_destroy(dt_lines *l) {
    if (!l) return;
    close_file(l);
    dt_free(l);
}
