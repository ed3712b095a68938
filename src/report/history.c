/* Lines of metrics.jsonl become rows. */
#include "history.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "flat.h"
#include "lines.h"

struct dt_history {
    const dt_history_series *series;
    int series_count;
    dt_history_taker taker;
    dt_lines *lines;
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
static bool take_line(void *context, char *text) {
    dt_history *h = context;
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

static void begin(void *context) {
    const dt_history *h = context;
    h->taker.begin(h->taker.context);
}

dt_status dt_history_follow(dt_history *h, bool *news) {
    return dt_lines_follow(h->lines, news);
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
    dt_status status = dt_lines_create(&h->lines, directory, "metrics.jsonl", (dt_lines_taker){begin, take_line, h});
    if (status.code == DT_OK)
        *out = h;
    else
        dt_history_close(h);
    return status;
}

int64_t dt_history_odd_lines(const dt_history *h) {
    return dt_lines_odd(h->lines);
}

void dt_history_close(dt_history *h) {
    if (!h) return;
    dt_lines_destroy(h->lines);
    dt_free(h);
}
