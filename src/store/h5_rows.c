/* Rows of one dataset, or of several side by side. Numbers of datasets beside each other get one format, which holds
 * those of all, and the rows of one that is read alone go straight to the caller. */
#include "store/h5_rows.h"

#include <string.h>

#include "base/escape.h"
#include "base/memory.h"
#include "h5_inputs.h"
#include "h5_series.h"
#include "h5_view.h"

struct dt_h5_rows {
    dt_h5_files files;
    dt_h5_inputs named;
    bool alone; /* one dataset, which is read as it is */
    dt_h5_series *side[DT_H5_MOST_SIDES];
    int64_t width[DT_H5_MOST_SIDES]; /* numbers of a row */
    size_t widest;                   /* bytes of a row of a dataset */
    dt_h5_rows_info info;
    dt_h5_part *parts; /* of several datasets; of one they are its own */
};

/* ---- opening ---- */

static dt_status check_rows(const dt_h5_rows *rows, int i) {
    const dt_h5_part *first = dt_h5_series_parts(rows->side[0]), *other = dt_h5_series_parts(rows->side[i]);
    for (int64_t f = 0; f < rows->files.count; f++)
        if (first[f].rows != other[f].rows)
            return dt_fail(DT_ERR_INPUT, "%s: %s has %lld rows but %s has %lld; datasets side by side have as many",
                           rows->files.name[f], rows->named.dataset[0], (long long)first[f].rows,
                           rows->named.dataset[i], (long long)other[f].rows);
    return dt_ok();
}

/* One more dataset of a row. */
static dt_status join(dt_h5_rows *rows, int i) {
    dt_h5_rows_info *info = &rows->info;
    const dt_h5_rows_info *own = dt_h5_series_info_of(rows->side[i]);
    rows->width[i] = dt_shape_count(&own->shape) / own->shape.dim[0];
    info->dtype = i == 0 ? own->dtype : dt_h5_promoted(info->dtype, own->dtype);
    if (__builtin_add_overflow(info->shape.dim[1], rows->width[i], &info->shape.dim[1]))
        return dt_fail(DT_ERR_CORRUPT, "%s: %s is too large", rows->files.name[0], rows->named.dataset[i]);
    if (own->block_rows > info->block_rows) info->block_rows = own->block_rows;
    if (own->chunk_bytes > info->chunk_bytes) info->chunk_bytes = own->chunk_bytes;
    size_t bytes = (size_t)rows->width[i] * dt_dtype_size(own->dtype);
    if (bytes > rows->widest) rows->widest = bytes;
    return dt_ok();
}

/* The shape of an input: its dataset's, or that of all its datasets' numbers. */
static dt_status name_input(dt_h5_rows *rows, int i) {
    const dt_h5_rows_info *own = dt_h5_series_info_of(rows->side[i]);
    int index = rows->named.input_of[i];
    if (index < 0) return dt_ok();
    dt_input *input = &rows->info.input[index];
    bool first = i == 0 || rows->named.input_of[i - 1] != index;
    bool more = i + 1 < rows->named.sides && rows->named.input_of[i + 1] == index;
    if ((!first || more) && own->shape.rank > 2)
        return dt_fail(DT_ERR_INPUT,
                       "%s: rows of %s are no list of numbers, so it is an input of its own, not one of "
                       "the list for `%s`",
                       rows->files.name[0], rows->named.dataset[i], rows->named.name[index]);
    if (first) {
        memcpy(input->name, rows->named.name[index], sizeof input->name);
        input->first = rows->info.shape.dim[1] - rows->width[i];
        input->shape = (dt_shape){1, {0}};
    }
    if (first && own->shape.rank > 1) {
        input->shape.rank = own->shape.rank - 1;
        memcpy(input->shape.dim, own->shape.dim + 1, (size_t)input->shape.rank * sizeof *input->shape.dim);
    } else {
        input->shape.dim[0] += rows->width[i];
    }
    return dt_ok();
}

static dt_status take_parts(dt_h5_rows *rows) {
    size_t bytes = (size_t)rows->files.count * sizeof *rows->parts;
    rows->parts = dt_alloc(bytes, 1);
    if (!rows->parts) return dt_fail_memory("a list of files", bytes);
    memcpy(rows->parts, dt_h5_series_parts(rows->side[0]), bytes);
    for (int64_t f = 0; f < rows->files.count; f++) rows->parts[f].in_place = 0;
    return dt_ok();
}

static dt_status open_sides(dt_h5_rows *rows, const char *named, const dt_h5_order *wanted) {
    dt_h5_order numbers = *wanted;
    const dt_h5_order *order = &numbers;
    numbers.texts = false;
    DT_TRY(dt_h5_inputs_parse(&rows->named, rows->files.name[0], named));
    rows->info.shape.rank = 2;
    rows->info.input_count = rows->named.count;
    for (int i = 0; i < rows->named.sides; i++) {
        DT_TRY(dt_h5_series_open(&rows->side[i], &rows->files, rows->named.dataset[i], order));
        DT_TRY(check_rows(rows, i));
        DT_TRY(join(rows, i));
        DT_TRY(name_input(rows, i));
    }
    rows->info.shape.dim[0] = dt_h5_series_info_of(rows->side[0])->shape.dim[0];
    return take_parts(rows);
}

static dt_status open_alone(dt_h5_rows *rows, const char *dataset, const dt_h5_order *order) {
    rows->alone = true;
    DT_TRY(dt_h5_series_open(&rows->side[0], &rows->files, dataset, order));
    rows->info = *dt_h5_series_info_of(rows->side[0]);
    return dt_ok();
}

dt_status dt_h5_rows_open(dt_h5_rows **out, const dt_h5_files *files, const char *dataset, const dt_h5_order *order) {
    *out = NULL;
    dt_h5_rows *rows = dt_alloc(1, sizeof *rows);
    if (!rows) return dt_fail_memory("a dataset", sizeof *rows);
    rows->files = *files;
    dt_status status = dt_h5_is_inputs(dataset) ? open_sides(rows, dataset, order) : open_alone(rows, dataset, order);
    if (status.code == DT_OK)
        *out = rows;
    else
        dt_h5_rows_close(rows);
    return status;
}

void dt_h5_rows_close(dt_h5_rows *rows) {
    if (!rows) return;
    for (int i = 0; i < DT_H5_MOST_SIDES; i++) dt_h5_series_close(rows->side[i]);
    dt_free(rows->parts);
    dt_free(rows);
}

const dt_h5_rows_info *dt_h5_rows_info_of(const dt_h5_rows *rows) {
    return &rows->info;
}

const dt_h5_part *dt_h5_rows_parts(const dt_h5_rows *rows) {
    return rows->alone ? dt_h5_series_parts(rows->side[0]) : rows->parts;
}

/* ---- reading ---- */

static dt_status read_side(dt_h5_rows *rows, int i, int64_t first, int64_t count, char *block, char *out) {
    const dt_dtype dtype = dt_h5_series_info_of(rows->side[i])->dtype;
    size_t from_row = (size_t)rows->width[i] * dt_dtype_size(dtype);
    size_t to_row = (size_t)rows->info.shape.dim[1] * dt_dtype_size(rows->info.dtype);
    DT_TRY(dt_h5_series_read(rows->side[i], first, count, block));
    for (int64_t r = 0; r < count; r++)
        dt_h5_convert(out + (size_t)r * to_row, rows->info.dtype, block + (size_t)r * from_row, dtype, rows->width[i]);
    return dt_ok();
}

dt_status dt_h5_rows_read(dt_h5_rows *rows, int64_t first, int64_t count, void *out) {
    if (rows->alone) return dt_h5_series_read(rows->side[0], first, count, out);
    char *block = dt_alloc((size_t)count, rows->widest), *to = out;
    if (!block) return dt_fail_memory("rows of a dataset", (size_t)count * rows->widest);
    dt_status status = dt_ok();
    for (int i = 0; i < rows->named.sides && status.code == DT_OK; i++) {
        status = read_side(rows, i, first, count, block, to);
        to += (size_t)rows->width[i] * dt_dtype_size(rows->info.dtype);
    }
    dt_free(block);
    return status;
}

size_t dt_h5_rows_memory(const dt_h5_rows *rows, int64_t count) {
    size_t bytes = rows->alone ? 0 : (size_t)count * rows->widest;
    for (int i = 0; i < DT_H5_MOST_SIDES && rows->side[i]; i++) bytes += dt_h5_series_memory(rows->side[i], count);
    return bytes;
}

dt_status dt_h5_rows_members(const dt_h5_rows *rows, dt_h5_member show, void *context) {
    return rows->alone ? dt_h5_series_members(rows->side[0], show, context) : dt_ok();
}
