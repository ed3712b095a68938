#include "store/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/append.h"
#include "base/clock.h"
#include "base/escape.h"
#include "base/file.h"
#include "base/memory.h"

#define MOST_TEXT 2000 /* bytes of one as it is written */
#define MOST_LINE 16384

struct dt_journal {
    int fd;
};

/* A text as the inside of a JSON string: what is no UTF-8 becomes U+FFFD. */
static void put_text(char *line, size_t room, const char *text) {
    const uint8_t *at = (const uint8_t *)text;
    size_t left = strlen(text), begin = strlen(line);
    while (left > 0 && strlen(line) - begin < MOST_TEXT) {
        uint32_t point;
        int length = dt_utf8_take(at, left, &point);
        if (length <= 0)
            dt_append(line, room, "\\ufffd");
        else if (point == '"' || point == '\\')
            dt_append(line, room, "\\%c", (char)point);
        else if (point < 0x20 || point == 0x7f)
            dt_append(line, room, "\\u%04x", (unsigned)point);
        else
            dt_append(line, room, "%.*s", length, (const char *)at);
        if (length <= 0) length = 1;
        at += length;
        left -= (size_t)length;
    }
}

static void put_field(char *line, size_t room, const dt_journal_field *field) {
    dt_append(line, room, ",\"%s\":", field->key);
    if (field->text) {
        dt_append(line, room, "\"");
        put_text(line, room, field->text);
        dt_append(line, room, "\"");
    } else if (isfinite(field->number)) {
        dt_append(line, room, "%.17g", field->number);
    } else {
        dt_append(line, room, "null");
    }
}

static dt_status write_line(const dt_journal *journal, const char *line) {
    size_t length = strlen(line);
    ssize_t written = write(journal->fd, line, length); /* O_APPEND: whole, or cut by a full disk */
    if (written == (ssize_t)length) return dt_ok();
    return dt_fail(DT_ERR_IO, DT_JOURNAL ": %s", written < 0 ? strerror(errno) : "no room for a line");
}

dt_status dt_journal_note(dt_journal *journal, const char *event, const dt_journal_field *fields, int count) {
    char line[MOST_LINE] = "", now[32];
    dt_clock_utc(now);
    dt_append(line, sizeof line, "{\"event\":\"%s\",\"time\":\"%s\"", event, now);
    for (int i = 0; i < count && strlen(line) < sizeof line - MOST_TEXT - 256; i++)
        put_field(line, sizeof line, &fields[i]);
    dt_append(line, sizeof line, "}\n");
    return write_line(journal, line);
}

/* What is there must be a file of its own: not a pipe, and not what a link leads to. */
static dt_status open_file(const char *path, int *out) {
    struct stat info;
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    if (fd < 0 && errno == ELOOP) return dt_file_create(path, out);
    if (fd < 0) return dt_fail(DT_ERR_IO, "%s: cannot be written to: %s", path, strerror(errno));
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
        *out = fd;
        return dt_ok();
    }
    close(fd);
    return dt_fail(DT_ERR_INPUT, "%s: is %s, where a file is to be written", path, dt_file_kind(info.st_mode));
}

dt_status dt_journal_open(dt_journal **out, const char *directory) {
    *out = NULL;
    char path[4096], last;
    int fd = -1;
    DT_TRY(dt_path_join(path, directory, DT_JOURNAL));
    DT_TRY(open_file(path, &fd));
    dt_journal *journal = dt_alloc(1, sizeof *journal);
    if (!journal) {
        close(fd);
        return dt_fail_memory("the journal of a run", sizeof *journal);
    }
    journal->fd = fd;
    off_t end = lseek(fd, 0, SEEK_END);
    dt_status status = dt_ok();
    if (end > 0 && pread(fd, &last, 1, end - 1) == 1 && last != '\n') status = write_line(journal, "\n");
    if (status.code == DT_OK)
        *out = journal;
    else
        dt_journal_close(journal);
    return status;
}

void dt_journal_close(dt_journal *journal) {
    if (!journal) return;
    close(journal->fd);
    dt_free(journal);
}
