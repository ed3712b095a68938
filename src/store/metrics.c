/* Metrics, twice. metrics.jsonl is the truth: a line a row, handed to the system at once, so a crash costs at most a
 * torn last line. metrics.h5 is made from the same rows for those who want columns: chunked datasets in the default
 * file format, flushed every few seconds; when it does not open or does not agree with the twin after a crash, it is
 * made anew from it. */
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
#include "store/h5.h"

#define CHUNK_ROWS 1024
#define FLUSH_SECONDS 5.0
#define MAX_COLUMNS 64
#define MAX_SERIES 8

struct dt_metrics {
    const dt_metrics_series *series;
    int series_count;
    FILE *twin;
    dt_h5 *file;
    int64_t rows[MAX_SERIES];
    int64_t last[MAX_SERIES];    /* step of the last row; -1: there is none */
    double *pending[MAX_SERIES]; /* [CHUNK_ROWS, columns] not yet in the file */
    int64_t pending_rows[MAX_SERIES];
    double flushed;
};

static int column_count(const dt_metrics_series *series) {
    int count = 0;
    while (series->columns[count]) count++;
    return count;
}

/* ---- the twin -------------------------------------------------------------------------------------------------------
 */

/* The number after "name": in a row; NaN for null. False when it is not there. */
static bool row_value(const char *line, const char *name, double *value) {
    char key[96];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = strstr(line, key);
    if (!at) return false;
    at += strlen(key);
    if (strncmp(at, "null", 4) == 0) {
        *value = (double)NAN;
        return true;
    }
    char *end;
    *value = strtod(at, &end);
    return end != at;
}

/* In nine digits where that is the number, in seventeen where it is not: what is read back is what was recorded. */
static void put_number(FILE *twin, double value) {
    char text[32];
    snprintf(text, sizeof text, "%.9g", value);
    if (strtod(text, NULL) < value || strtod(text, NULL) > value) snprintf(text, sizeof text, "%.17g", value);
    fputs(isfinite(value) ? text : "null", twin);
}

static int row_series(const dt_metrics *m, const char *line) {
    for (int i = 0; i < m->series_count; i++) {
        char key[96];
        snprintf(key, sizeof key, "{\"series\":\"%s\",", m->series[i].name);
        if (strncmp(line, key, strlen(key)) == 0) return i;
    }
    return -1;
}

static dt_status store_row(dt_metrics *m, int series, const double *values);

/* Keeps the rows up to last_step, in the twin and in the new file. */
static dt_status copy_rows(dt_metrics *m, FILE *from, FILE *to, int64_t last_step) {
    char *line = NULL;
    size_t capacity = 0;
    dt_status status = dt_ok();
    for (ssize_t length; status.code == DT_OK && (length = getline(&line, &capacity, from)) > 0;) {
        double values[MAX_COLUMNS] = {(double)NAN};
        int series = row_series(m, line);
        if (series < 0 || line[length - 1] != '\n' || length < 2 || line[length - 2] != '}') continue;
        bool whole = true;
        for (int i = 0; m->series[series].columns[i]; i++)
            whole = row_value(line, m->series[series].columns[i], &values[i]) && whole;
        if (!whole || !(values[0] <= (double)last_step)) continue;
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

static dt_status flush(dt_metrics *m) {
    for (int i = 0; i < m->series_count; i++) DT_TRY(write_pending(m, i));
    m->flushed = dt_clock_now();
    return dt_h5_flush(m->file);
}

static dt_status store_row(dt_metrics *m, int series, const double *values) {
    int columns = column_count(&m->series[series]);
    m->last[series] = (int64_t)values[0];
    memcpy(m->pending[series] + m->pending_rows[series]++ * columns, values, (size_t)columns * sizeof *values);
    return m->pending_rows[series] == CHUNK_ROWS ? write_pending(m, series) : dt_ok();
}

/* ---- both -----------------------------------------------------------------------------------------------------------
 */

static dt_status open_both(dt_metrics *m, const char *directory, int64_t last_step) {
    char twin[4096], fresh[4096], file[4096];
    DT_TRY(dt_path_join(twin, directory, "metrics.jsonl"));
    DT_TRY(dt_path_join(fresh, directory, "metrics.jsonl.tmp"));
    DT_TRY(dt_path_join(file, directory, "metrics.h5"));
    DT_TRY(dt_h5_create(&m->file, file));
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
    fprintf(m->twin, "{\"series\":\"%s\"", m->series[series].name);
    for (int i = 0; m->series[series].columns[i]; i++) {
        fprintf(m->twin, ",\"%s\":", m->series[series].columns[i]);
        put_number(m->twin, values[i]);
    }
    fputs("}\n", m->twin);
    if (fflush(m->twin) != 0) return dt_fail(DT_ERR_IO, "metrics.jsonl: %s", strerror(errno));
    DT_TRY(store_row(m, series, values));
    return dt_clock_now() - m->flushed > FLUSH_SECONDS ? flush(m) : dt_ok();
}

int64_t dt_metrics_last(const dt_metrics *m, int series) {
    return m->last[series];
}

dt_status dt_metrics_close(dt_metrics *m) {
    if (!m) return dt_ok();
    dt_status status = m->file ? flush(m) : dt_ok();
    dt_status closed = dt_h5_close(&m->file);
    if (status.code == DT_OK) status = closed;
    if (m->twin && fclose(m->twin) != 0 && status.code == DT_OK)
        status = dt_fail(DT_ERR_IO, "metrics.jsonl: %s", strerror(errno));
    for (int i = 0; i < m->series_count; i++) dt_free(m->pending[i]);
    dt_free(m);
    return status;
}
