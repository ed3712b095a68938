/* Metrics, twice. metrics.jsonl is the truth: a line a row, handed to the system at once, so a crash costs at most a
 * torn last line. metrics.h5 is made from the same rows for those who want columns: chunked datasets in the default
 * file format. It is written as metrics.h5.part, of which a copy takes its place every few seconds, so whoever opens
 * metrics.h5, at any moment, has a whole file that nobody is writing to. HDF5's own way for that (SWMR) was not taken:
 * its files open only with another option and a newer format, and after a kill not at all. A resume makes the file anew
 * from the twin. */
#include "store/metrics.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "metrics_row.h"
#include "store/h5.h"
#include "store_internal.h"

#define CHUNK_ROWS 1024
#define FLUSH_SECONDS 5.0
#define FLUSH_RARITY 400 /* times what the last flush took, where that is more: a quarter of a per cent */
#define MAX_COLUMNS 64
#define MAX_SERIES 8

struct dt_metrics {
    const dt_metrics_series *series;
    int series_count;
    FILE *twin;
    dt_h5 *file;
    int64_t rows[MAX_SERIES];
    int64_t last[MAX_SERIES]; /* step of the last row; -1: there is none */
    double last_row[MAX_SERIES][MAX_COLUMNS];
    double *pending[MAX_SERIES]; /* [CHUNK_ROWS, columns] not yet in the file */
    int64_t pending_rows[MAX_SERIES];
    double due;                   /* when the file is to be shown next */
    char shown[4096], part[4096]; /* metrics.h5, and what is written until it is that */
};

static int column_count(const dt_metrics_series *series) {
    int count = 0;
    while (series->columns[count]) count++;
    return count;
}

/* ---- the twin -------------------------------------------------------------------------------------------------------
 */

static int row_series(const dt_metrics *m, const char *line) {
    for (int i = 0; i < m->series_count; i++)
        if (dt_metrics_row_is_of(line, &m->series[i])) return i;
    return -1;
}

static dt_status store_row(dt_metrics *m, int series, const double *values);

/* Keeps the rows up to last_step, in the twin and in the new file. */
static dt_status copy_rows(dt_metrics *m, FILE *from, FILE *to, int64_t last_step) {
    char *line = NULL;
    size_t capacity = 0;
    dt_status status = dt_ok();
    for (ssize_t length; status.code == DT_OK && (length = getline(&line, &capacity, from)) > 0;) {
        double values[MAX_COLUMNS];
        int series = row_series(m, line);
        if (series < 0 || !dt_metrics_row_take(line, (size_t)length, &m->series[series], values)) continue;
        if (!(values[0] <= (double)last_step)) continue;
        if (fputs(line, to) < 0) status = dt_fail(DT_ERR_IO, "metrics.jsonl: %s", strerror(errno));
        if (status.code == DT_OK) status = store_row(m, series, values);
    }
    free(line);
    return status;
}

/* The same from the twin of the run so far, if there is one. */
static dt_status copy_old_rows(dt_metrics *m, const char *twin, int64_t last_step) {
    int fd;
    if (access(twin, F_OK) != 0 && errno == ENOENT) return dt_ok();
    DT_TRY(dt_file_open(twin, &fd, NULL));
    FILE *old = fdopen(fd, "r");
    dt_status status = old ? copy_rows(m, old, m->twin, last_step) : dt_fail_memory("metrics.jsonl", BUFSIZ);
    if (old)
        fclose(old);
    else
        close(fd);
    return status;
}

/* ---- the file -------------------------------------------------------------------------------------------------------
 */

static dt_status create_columns(dt_metrics *m) {
    for (int i = 0; i < m->series_count; i++) {
        for (int j = 0; m->series[i].columns[j]; j++) {
            char name[256];
            snprintf(name, sizeof name, "/%s/%s", m->series[i].name, m->series[i].columns[j]);
            DT_TRY(dt_h5_create_dataset(m->file, name, DT_F64, &(dt_shape){1, {0}}, CHUNK_ROWS));
        }
    }
    return dt_h5_put_text(m->file, "/", "format", "dtrain metrics");
}

static dt_status write_pending(dt_metrics *m, int series) {
    int columns = column_count(&m->series[series]);
    int64_t count = m->pending_rows[series];
    if (count == 0) return dt_ok();
    double column[CHUNK_ROWS];
    for (int j = 0; j < columns; j++) {
        char name[256];
        snprintf(name, sizeof name, "/%s/%s", m->series[series].name, m->series[series].columns[j]);
        for (int64_t i = 0; i < count; i++) column[i] = m->pending[series][i * columns + j];
        DT_TRY(dt_h5_extend(m->file, name, m->rows[series] + count));
        DT_TRY(dt_h5_write_rows(m->file, name, DT_F64, m->rows[series], count, column));
    }
    m->rows[series] += count;
    m->pending_rows[series] = 0;
    return dt_ok();
}

/* Bytes of one file to another, by the system where it can. */
static dt_status copy_bytes(int from, int to, int64_t count, const char *name) {
    bool direct = true;
    while (count > 0) {
        char piece[65536];
        ssize_t done =
            direct ? copy_file_range(from, NULL, to, NULL, (size_t)count, 0) : read(from, piece, sizeof piece);
        if (done < 0 && errno == EINTR) continue;
        if (direct && done <= 0) { /* not between these file systems */
            direct = false;
            continue;
        }
        if (done == 0) return dt_fail(DT_ERR_IO, "%s: ends early", name);
        for (ssize_t written = 0, now; !direct && done > 0 && written < done; written += now) {
            now = write(to, piece + written, (size_t)(done - written));
            if (now < 0) return dt_fail(DT_ERR_IO, "%s: %s", name, strerror(errno));
        }
        if (done < 0) return dt_fail(DT_ERR_IO, "%s: %s", name, strerror(errno));
        count -= done;
    }
    return dt_ok();
}

/* A whole copy of what is being written takes the place of metrics.h5. */
static dt_status show_copy(const dt_metrics *m) {
    int from, to;
    int64_t bytes;
    char fresh[4096 + 8];
    snprintf(fresh, sizeof fresh, "%s.tmp", m->shown);
    DT_TRY(dt_file_open(m->part, &from, &bytes));
    dt_status status = dt_file_create(fresh, &to);
    if (status.code == DT_OK) {
        status = copy_bytes(from, to, bytes, "metrics.h5");
        if (close(to) != 0 && status.code == DT_OK) status = dt_fail(DT_ERR_IO, "metrics.h5: %s", strerror(errno));
        if (status.code == DT_OK && rename(fresh, m->shown) != 0)
            status = dt_fail(DT_ERR_IO, "%s: %s", m->shown, strerror(errno));
        if (status.code != DT_OK) unlink(fresh);
    }
    close(from);
    return status;
}

static dt_status write_all_pending(dt_metrics *m) {
    for (int i = 0; i < m->series_count; i++) DT_TRY(write_pending(m, i));
    return dt_ok();
}

static dt_status flush(dt_metrics *m) {
    double began = dt_clock_now();
    dt_status status = write_all_pending(m);
    if (status.code == DT_OK) status = dt_h5_flush(m->file);
    if (status.code == DT_OK) status = show_copy(m);
    double now = dt_clock_now();
    m->due = now + fmax(FLUSH_SECONDS, FLUSH_RARITY * (now - began));
    return status;
}

/* The last rows, and the file itself in its place: nothing is written to it any more. */
static dt_status finish_file(dt_metrics *m) {
    dt_status status = write_all_pending(m), closed = dt_h5_close(&m->file);
    if (status.code == DT_OK) status = closed;
    if (status.code == DT_OK && rename(m->part, m->shown) != 0)
        status = dt_fail(DT_ERR_IO, "%s: %s", m->shown, strerror(errno));
    return status;
}

static dt_status store_row(dt_metrics *m, int series, const double *values) {
    int columns = column_count(&m->series[series]);
    m->last[series] = (int64_t)values[0];
    memcpy(m->last_row[series], values, (size_t)columns * sizeof *values);
    memcpy(m->pending[series] + m->pending_rows[series]++ * columns, values, (size_t)columns * sizeof *values);
    return m->pending_rows[series] == CHUNK_ROWS ? write_pending(m, series) : dt_ok();
}

/* ---- both -----------------------------------------------------------------------------------------------------------
 */

static dt_status open_both(dt_metrics *m, const char *directory, int64_t last_step) {
    char twin[4096], fresh[4096];
    DT_TRY(dt_path_join(twin, directory, "metrics.jsonl"));
    DT_TRY(dt_path_join(fresh, directory, "metrics.jsonl.tmp"));
    DT_TRY(dt_path_join(m->shown, directory, "metrics.h5"));
    DT_TRY(dt_path_join(m->part, directory, DT_METRICS_PART));
    DT_TRY(dt_h5_create(&m->file, m->part));
    DT_TRY(create_columns(m));
    int fd;
    DT_TRY(dt_file_create(fresh, &fd));
    m->twin = fdopen(fd, "w");
    if (!m->twin) close(fd);
    if (!m->twin) return dt_fail_memory("metrics.jsonl", BUFSIZ);
    DT_TRY(copy_old_rows(m, twin, last_step));
    if (fflush(m->twin) != 0 || fsync(fileno(m->twin)) != 0 || rename(fresh, twin) != 0)
        return dt_fail(DT_ERR_IO, "%s: %s", twin, strerror(errno));
    return flush(m);
}

dt_status dt_metrics_open(dt_metrics **out, const char *directory, const dt_metrics_series *series, int series_count,
                          int64_t last_step) {
    *out = NULL;
    if (series_count > MAX_SERIES) return dt_fail(DT_ERR_USAGE, "more than %d series of metrics", MAX_SERIES);
    dt_metrics *m = dt_alloc(1, sizeof *m);
    if (!m) return dt_fail_memory("the metrics", sizeof *m);
    m->series = series;
    m->series_count = series_count;
    dt_status status = dt_ok();
    for (int i = 0; i < series_count && status.code == DT_OK; i++) {
        size_t columns = (size_t)column_count(&series[i]);
        m->last[i] = -1;
        m->pending[i] = columns <= MAX_COLUMNS ? dt_alloc(CHUNK_ROWS * columns, sizeof(double)) : NULL;
        if (!m->pending[i]) status = dt_fail_memory("the metrics", CHUNK_ROWS * columns * sizeof(double));
    }
    if (status.code == DT_OK) status = open_both(m, directory, last_step);
    if (status.code == DT_OK)
        *out = m;
    else
        dt_metrics_close(m);
    return status;
}

dt_status dt_metrics_append(dt_metrics *m, int series, const double *values) {
    dt_metrics_row_put(m->twin, &m->series[series], values);
    if (fflush(m->twin) != 0) return dt_fail(DT_ERR_IO, "metrics.jsonl: %s", strerror(errno));
    DT_TRY(store_row(m, series, values));
    return dt_clock_now() > m->due ? flush(m) : dt_ok();
}

int64_t dt_metrics_last(const dt_metrics *m, int series) {
    return m->last[series];
}

double dt_metrics_last_value(const dt_metrics *m, int series, int column) {
    return m->last[series] >= 0 ? m->last_row[series][column] : (double)NAN;
}

dt_status dt_metrics_close(dt_metrics *m) {
    if (!m) return dt_ok();
    dt_status status = m->file ? finish_file(m) : dt_ok();
    if (m->twin && fclose(m->twin) != 0 && status.code == DT_OK)
        status = dt_fail(DT_ERR_IO, "metrics.jsonl: %s", strerror(errno));
    for (int i = 0; i < m->series_count; i++) dt_free(m->pending[i]);
    dt_free(m);
    return status;
}
