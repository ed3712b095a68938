/* Rows of one dataset in several files, one after the other. One file is open at a time, the one that was read last:
 * rows come in blocks, and there may be thousands of files. */
#include "h5_series.h"

#include <string.h>

#include "base/alive.h"
#include "base/escape.h"
#include "base/memory.h"
#include "h5_internal.h"
#include "h5_strings.h"
#include "h5_types.h"
#include "h5_view.h"

struct dt_h5_series {
    const dt_h5_files *files;
    const char *dataset;
    dt_h5_order order;
    dt_h5_rows_info info;
    dt_h5_part *parts;  /* [files->count] */
    hid_t only;         /* the first file's type of all values, where they have one */
    dt_h5_texts *texts; /* of strings: those of all files */
    int64_t open;       /* the file that view is of; below 0: none */
    dt_h5 *file;
    dt_h5_view view;
    size_t most_row; /* bytes of a row as it is read, and whether it is put in order then, in any file */
    bool orders;
};

/* ---- one file ---- */

static void leave(dt_h5_series *rows) {
    if (rows->open < 0) return;
    dt_h5_view_close(&rows->view);
    dt_h5_close(&rows->file);
    rows->open = -1;
}

static dt_status enter(dt_h5_series *rows, int64_t index) {
    if (rows->open == index) return dt_ok();
    leave(rows);
    DT_TRY(dt_h5_open(&rows->file, rows->files->name[index]));
    rows->open = index;
    dt_status status = dt_h5_view_open(&rows->view, rows->file, rows->dataset, &rows->order);
    if (status.code != DT_OK) leave(rows);
    return status;
}

/* ---- all of them ---- */

/* "float32 [_, 28, 28]" */
static void describe(char out[128], dt_dtype dtype, const dt_shape *shape) {
    char text[96];
    dt_shape row = {shape->rank - 1, {0}};
    memcpy(row.dim, shape->dim + 1, (size_t)row.rank * sizeof *row.dim);
    dt_shape_text(&row, text);
    snprintf(out, 128, "%s rows of %s", dt_dtype_name(dtype), row.rank > 0 ? text : "one number");
}

static dt_status check_alike(const dt_h5_series *rows) {
    const dt_h5_view *v = &rows->view;
    const dt_shape *shape = &rows->info.shape;
    bool alike = v->dtype == rows->info.dtype && v->shape.rank == shape->rank;
    for (int i = 1; alike && i < shape->rank; i++) alike = v->shape.dim[i] == shape->dim[i];
    char here[128], there[128], first[160];
    dt_escape_name(first, sizeof first, rows->files->name[0]);
    if (!alike) {
        describe(here, v->dtype, &v->shape);
        describe(there, rows->info.dtype, shape);
        return dt_fail(DT_ERR_INPUT, "%s: %s has %s, but in %s %s; files of one data set must agree", rows->file->path,
                       rows->dataset, here, first, there);
    }
    if ((v->element.text != DT_H5_NO_TEXT) != (rows->info.texts != 0))
        return dt_fail(DT_ERR_INPUT, "%s: %s has %s, but in %s %s; files of one data set must agree", rows->file->path,
                       rows->dataset, v->element.text ? "strings" : "numbers", first,
                       rows->info.texts ? "strings" : "numbers");
    bool names = rows->only >= 0 && H5Tget_class(rows->only) == H5T_ENUM;
    bool other = v->element.only >= 0 && H5Tget_class(v->element.only) == H5T_ENUM;
    if (names != other || (names && H5Tequal(rows->only, v->element.only) <= 0))
        return dt_fail(DT_ERR_INPUT,
                       "%s: %s has other names for its values than in %s; files of one data set must agree",
                       rows->file->path, rows->dataset, first);
    return dt_ok();
}

/* The file that is open is the next part. */
static dt_status take_part(dt_h5_series *rows, int64_t index) {
    const dt_h5_view *v = &rows->view;
    dt_h5_rows_info *info = &rows->info;
    if (index == 0) {
        info->dtype = v->dtype;
        info->shape = v->shape;
        info->shape.dim[0] = 0;
        info->texts = v->element.text != DT_H5_NO_TEXT;
        info->columns = v->element.count > 1 && v->element.count == v->choices.count && v->choices.choice[0].field;
        rows->only = v->element.only >= 0 ? H5Tcopy(v->element.only) : H5I_INVALID_HID;
    }
    DT_TRY(check_alike(rows));
    rows->parts[index] = v->part;
    rows->parts[index].first = info->shape.dim[0];
    if (__builtin_add_overflow(info->shape.dim[0], v->part.rows, &info->shape.dim[0]))
        return dt_fail(DT_ERR_CORRUPT, "%s: %s has an impossible shape", rows->file->path, rows->dataset);
    if (v->block_rows > info->block_rows) info->block_rows = v->block_rows;
    if (v->chunk_bytes > info->chunk_bytes) info->chunk_bytes = v->chunk_bytes;
    size_t row = dt_h5_view_row_bytes(v);
    if (row > rows->most_row) rows->most_row = row;
    rows->orders = rows->orders || !v->plain;
    return dt_ok();
}

/* Whether all rows fit what counts bytes. */
static dt_status check_size(const dt_h5_series *rows) {
    const dt_shape *shape = &rows->info.shape;
    size_t bytes = dt_dtype_size(rows->info.dtype);
    for (int i = 0; i < shape->rank; i++)
        if (!dt_size_mul(bytes, (size_t)shape->dim[i], &bytes) || bytes > INT64_MAX / 16)
            return dt_fail(DT_ERR_INPUT, "%s and %lld more: %s is too large", rows->files->name[0],
                           (long long)rows->files->count - 1, rows->dataset);
    return dt_ok();
}

/* Which texts there are, before any is given a number. */
static dt_status look_at_texts(dt_h5_series *rows) {
    DT_TRY(dt_h5_texts_create(&rows->texts));
    for (int64_t i = 0; i < rows->files->count; i++) {
        DT_TRY(enter(rows, i));
        if (i == 0) dt_guard_allow(dt_h5_series_memory(rows, 0));
        DT_TRY(dt_h5_strings_add(&rows->view, rows->texts));
    }
    return dt_h5_texts_sort(rows->texts);
}

static dt_status look(dt_h5_series *rows) {
    rows->parts = dt_alloc((size_t)rows->files->count, sizeof *rows->parts);
    if (!rows->parts) return dt_fail_memory("a list of files", (size_t)rows->files->count * sizeof *rows->parts);
    for (int64_t i = 0; i < rows->files->count; i++) {
        DT_TRY(enter(rows, i));
        DT_TRY(take_part(rows, i));
        dt_alive();
    }
    DT_TRY(check_size(rows));
    return rows->info.texts ? look_at_texts(rows) : dt_ok();
}

dt_status dt_h5_series_open(dt_h5_series **out, const dt_h5_files *files, const char *dataset,
                            const dt_h5_order *order) {
    *out = NULL;
    dt_h5_series *rows = dt_alloc(1, sizeof *rows);
    if (!rows) return dt_fail_memory("a dataset", sizeof *rows);
    rows->files = files;
    rows->dataset = dataset;
    rows->order = *order;
    rows->open = -1;
    rows->only = H5I_INVALID_HID;
    dt_status status = look(rows);
    if (status.code == DT_OK)
        *out = rows;
    else
        dt_h5_series_close(rows);
    return status;
}

void dt_h5_series_close(dt_h5_series *rows) {
    if (!rows) return;
    leave(rows);
    if (rows->only >= 0) H5Tclose(rows->only);
    dt_h5_texts_destroy(rows->texts);
    dt_free(rows->parts);
    dt_free(rows);
}

const dt_h5_rows_info *dt_h5_series_info_of(const dt_h5_series *rows) {
    return &rows->info;
}

const dt_h5_part *dt_h5_series_parts(const dt_h5_series *rows) {
    return rows->parts;
}

/* ---- reading ---- */

/* The file that has a row. */
static int64_t file_of(const dt_h5_series *rows, int64_t row) {
    int64_t low = 0, high = rows->files->count - 1;
    while (low < high) {
        int64_t middle = (low + high + 1) / 2;
        if (rows->parts[middle].first <= row)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

dt_status dt_h5_series_read(dt_h5_series *rows, int64_t first, int64_t count, void *out) {
    const dt_shape *shape = &rows->info.shape;
    if (first < 0 || count < 0 || count > shape->dim[0] - first)
        return dt_fail(DT_ERR_INPUT, "%s: %s has %lld rows; %lld from row %lld on were asked for", rows->files->name[0],
                       rows->dataset, (long long)shape->dim[0], (long long)count, (long long)first);
    size_t row_bytes = (size_t)(dt_shape_count(shape) / shape->dim[0]) * dt_dtype_size(rows->info.dtype);
    for (char *to = out; count > 0;) {
        int64_t index = file_of(rows, first);
        const dt_h5_part *part = &rows->parts[index];
        int64_t here = first - part->first, now = part->rows - here < count ? part->rows - here : count;
        DT_TRY(enter(rows, index));
        if (rows->view.part.rows != part->rows || rows->view.dtype != rows->info.dtype)
            return dt_fail(DT_ERR_CORRUPT, "%s: %s was changed while it was read", rows->file->path, rows->dataset);
        DT_TRY(rows->texts ? dt_h5_strings_read(&rows->view, rows->texts, here, now, (int32_t *)(void *)to)
                           : dt_h5_view_read(&rows->view, here, now, to));
        to += (size_t)now * row_bytes;
        first += now;
        count -= now;
    }
    return dt_ok();
}

size_t dt_h5_series_memory(const dt_h5_series *rows, int64_t count) {
    /* a chunk as it comes, as it is unpacked, and as it is converted */
    size_t boxes = rows->texts ? dt_h5_strings_memory(&rows->view) : rows->orders ? (size_t)count * rows->most_row : 0;
    return boxes + 3 * rows->info.chunk_bytes;
}

/* A false return of `show` ends it. */
static dt_status show_fields(const dt_h5_series *rows, dt_h5_member show, void *context) {
    dt_h5_choices *choices = dt_alloc(1, sizeof *choices);
    if (!choices) return dt_fail_memory("the fields of a dataset", sizeof *choices);
    dt_status status = dt_h5_choices_parse(choices, rows->files->name[0], rows->dataset);
    for (int i = 0; status.code == DT_OK && i < choices->count && show(context, choices->choice[i].field, i); i++)
        continue;
    dt_free(choices);
    return status;
}

dt_status dt_h5_series_members(const dt_h5_series *rows, dt_h5_member show, void *context) {
    int32_t texts = rows->texts ? dt_h5_texts_count(rows->texts) : 0;
    for (int32_t i = 0; i < texts && show(context, dt_h5_texts_at(rows->texts, i), i); i++) continue;
    if (rows->info.columns) return show_fields(rows, show, context);
    if (rows->only >= 0) dt_h5_show_members(rows->only, show, context);
    return dt_ok();
}
