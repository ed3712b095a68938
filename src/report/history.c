/* Follows metrics.jsonl by its name: pieces of fixed size are read, cut into lines, and lines into rows. */
#include "history.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "flat.h"

struct dt_history {
    const dt_history_series *series;
    int series_count;
    dt_history_taker taker;
    char path[4096];
    int fd; /* -1: there is no file yet */
    dev_t device;
    ino_t inode;
    int64_t offset; /* bytes read */
    bool begun;
    char line[DT_HISTORY_LINE]; /* the beginning of a line that is not whole */
    size_t held;
    bool skipping; /* it is too long */
    int64_t odd;
};

/* ---- a row ---- */

/* Where `key` is among the columns: most likely at `guess`, for rows are written in the order of their columns. -1: not
 * among them. */
static int find_column(const char *const *columns, const char *key, int guess) {
    if (columns[guess] && strcmp(columns[guess], key) == 0) return guess;
    for (int i = 0; columns[i]; i++)
        if (strcmp(columns[i], key) == 0) return i;
    return -1;
}

static int find_series(const dt_history *h, const char *name) {
    for (int i = 0; i < h->series_count; i++)
        if (strcmp(h->series[i].name, name) == 0) return i;
    return -1;
}

/* What is no finite number is null in a row, and "NAME_was" says what it was. */
static void take_infinite(const char *const *columns, const dt_flat *pair, double *values) {
    char name[128];
    size_t length = strlen(pair->key);
    if (length <= 4 || length >= sizeof name || strcmp(pair->key + length - 4, "_was") != 0) return;
    memcpy(name, pair->key, length - 4);
    name[length - 4] = '\0';
    int at = find_column(columns, name, 0);
    if (at >= 0 && strcmp(pair->text, "inf") == 0) values[at] = (double)INFINITY;
    if (at >= 0 && strcmp(pair->text, "-inf") == 0) values[at] = -(double)INFINITY;
}

/* Gives the row of a whole line, where its series is wanted. False: it is none. */
static bool take_line(dt_history *h, char *text) {
    double values[DT_HISTORY_COLUMNS];
    dt_flat_line line;
    dt_flat pair;
    dt_flat_begin(&line, text);
    if (!dt_flat_next(&line, &pair) || strcmp(pair.key, "series") != 0 || pair.kind != DT_FLAT_TEXT) return false;
    int series = find_series(h, pair.text), guess = 0;
    const char *const *columns = series >= 0 ? h->series[series].columns : NULL;
    for (int i = 0; columns && columns[i]; i++) values[i] = (double)NAN;
    while (dt_flat_next(&line, &pair)) {
        if (!columns) continue;
        if (pair.kind == DT_FLAT_TEXT) take_infinite(columns, &pair, values);
        if (pair.kind != DT_FLAT_NUMBER) continue;
        int at = find_column(columns, pair.key, guess);
        if (at < 0) continue;
        values[at] = pair.number;
        guess = at + 1;
    }
    if (line.good && columns) h->taker.row(h->taker.context, series, values);
    return line.good;
}

/* ---- lines ---- */

/* Takes text[count], which follows what is held. */
static bool take_text(dt_history *h, const char *text, size_t count) {
    bool news = false;
    while (count > 0) {
        const char *end = memchr(text, '\n', count);
        size_t length = end ? (size_t)(end - text) : count;
        if (h->held + length >= sizeof h->line) h->skipping = true;
        if (!h->skipping) memcpy(h->line + h->held, text, length);
        h->held = h->skipping ? 0 : h->held + length;
        if (!end) return news;
        h->line[h->held] = '\0';
        bool taken = !h->skipping && strlen(h->line) == h->held && take_line(h, h->line);
        news = news || taken;
        if (!taken) h->odd++;
        h->held = 0;
        h->skipping = false;
        text = end + 1;
        count -= length + 1;
    }
    return news;
}

/* ---- the file ---- */

static void begin(dt_history *h) {
    h->offset = 0;
    h->held = 0;
    h->skipping = false;
    h->odd = 0;
    h->begun = true;
    h->taker.begin(h->taker.context);
}

static void close_file(dt_history *h) {
    if (h->fd >= 0) close(h->fd);
    h->fd = -1;
}

/* Opens the file that has the name now, unless it is the one at hand and has not become shorter. *anew: rows begin. */
static dt_status open_present(dt_history *h, bool *anew) {
    struct stat info;
    *anew = false;
    if (stat(h->path, &info) != 0) {
        if (errno == ENOENT) return dt_ok(); /* not yet, or not for the moment in which a network file system renames */
        return dt_fail(DT_ERR_IO, "%s: %s", h->path, strerror(errno));
    }
    bool same = h->fd >= 0 && info.st_dev == h->device && info.st_ino == h->inode && info.st_size >= h->offset;
    if (same) return dt_ok();
    int fd;
    DT_TRY(dt_file_open(h->path, &fd, NULL));
    if (fstat(fd, &info) != 0) {
        int reason = errno;
        close(fd);
        return dt_fail(DT_ERR_IO, "%s: %s", h->path, strerror(reason));
    }
    close_file(h);
    h->fd = fd;
    h->device = info.st_dev;
    h->inode = info.st_ino;
    *anew = true;
    return dt_ok();
}

dt_status dt_history_follow(dt_history *h, bool *news) {
    bool anew, any = false;
    char piece[65536];
    if (news) *news = false;
    DT_TRY(open_present(h, &anew));
    if (anew) begin(h);
    while (h->fd >= 0) {
        ssize_t got = pread(h->fd, piece, sizeof piece, h->offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return dt_fail(DT_ERR_IO, "%s: %s", h->path, strerror(errno));
        if (got == 0) break;
        h->offset += got;
        any = take_text(h, piece, (size_t)got) || any;
    }
    if (news) *news = any || anew;
    return dt_ok();
}

/* ---- opening ---- */

static bool has(const char *directory, const char *name) {
    char path[4096];
    return dt_path_join(path, directory, name).code == DT_OK && access(path, F_OK) == 0;
}

static dt_status check_run(const char *directory) {
    struct stat info;
    if (stat(directory, &info) != 0) return dt_fail(DT_ERR_INPUT, "%s: %s", directory, strerror(errno));
    if (!S_ISDIR(info.st_mode)) return dt_fail(DT_ERR_INPUT, "%s: not a run directory, but a file", directory);
    if (has(directory, "metrics.jsonl") || has(directory, ".dtrain-run") || has(directory, "checkpoints"))
        return dt_ok();
    return dt_fail(DT_ERR_INPUT, "%s: not a run directory: there is no metrics.jsonl in it", directory);
}

dt_status dt_history_open(dt_history **out, const char *directory, const dt_history_series *series, int series_count,
                          dt_history_taker taker) {
    *out = NULL;
    DT_TRY(check_run(directory));
    for (int i = 0; i < series_count; i++) {
        int columns = 0;
        while (series[i].columns[columns]) columns++;
        if (columns > DT_HISTORY_COLUMNS)
            return dt_fail(DT_ERR_USAGE, "%d columns of %s are wanted; %d at most", columns, series[i].name,
                           DT_HISTORY_COLUMNS);
    }
    dt_history *h = dt_alloc(1, sizeof *h);
    if (!h) return dt_fail_memory("the history of a run", sizeof *h);
    h->series = series;
    h->series_count = series_count;
    h->taker = taker;
    h->fd = -1;
    dt_status status = dt_path_join(h->path, directory, "metrics.jsonl");
    if (status.code == DT_OK)
        *out = h;
    else
        dt_history_close(h);
    return status;
}

int64_t dt_history_odd_lines(const dt_history *h) {
    return h->odd;
}

void dt_history_close(dt_history *h) {
    if (!h) return;
    close_file(h);
    dt_free(h);
}
