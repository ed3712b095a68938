/* A dataset of one file as plain rows: which of its dimensions are what, which part is read, and reading it. HDF5 reads
 * one box of elements at a time, straight into the caller's memory where that is all there is to do; else it is put in
 * order afterwards (h5_gather.c; strings: h5_strings.c). Of columns that are far apart all between them are read, too:
 * a box of a chunk costs as much as the chunk, and one call is worth more than the bytes it saves elsewhere. */
#include "h5_view.h"

#include <string.h>

#include "base/alive.h"
#include "base/append.h"
#include "base/escape.h"
#include "base/memory.h"
#include "h5_internal.h"
#include "h5_sources.h"
#include "h5_types.h"

#define PIECE_BYTES ((size_t)1 << 29) /* single transfers above 2 GiB come back short */

/* ---- finding ---- */

/* Names of the datasets of a file, as far as they fit. */
typedef struct name_list {
    char text[200];
} name_list;

static bool list_name(void *context, const char *path, char kind) {
    name_list *list = context;
    if (kind != 'd') return true;
    size_t used = strlen(list->text);
    bool fits = dt_append(list->text, sizeof list->text, "%s%s", used ? ", " : "", path);
    if (!fits) list->text[used] = '\0';
    return fits;
}

static dt_status fail_no_dataset(dt_h5 *file, const char *path) {
    name_list list = {.text = ""};
    dt_status walked = dt_h5_walk(file, list_name, &list);
    char shown[200];
    bool any = walked.code == DT_OK && list.text[0];
    return dt_fail(DT_ERR_INPUT, "%s: there is no %s; %s%s", file->path, dt_escape_name(shown, sizeof shown, path),
                   any ? "it holds " : "it holds no datasets", list.text);
}

/* A name with brackets may be the dataset's own. */
static dt_status find(dt_h5_view *v, const char *dataset) {
    const char *path = v->file->path;
    if (strchr(dataset, '[') && dt_h5_has(v->file, dataset))
        DT_TRY(dt_h5_choices_all(&v->choices, path, dataset));
    else
        DT_TRY(dt_h5_choices_parse(&v->choices, path, dataset));
    if (!dt_h5_has(v->file, v->choices.text)) return fail_no_dataset(v->file, v->choices.text);
    DT_TRY(dt_h5_open_dataset(v->file, v->choices.text, &v->id));
    v->space = H5Dget_space(v->id);
    return dt_h5_check_sources(path, v->file->directory, v->file->file, v->choices.text, v->id);
}

/* ---- dimensions ---- */

static dt_status read_dimensions(dt_h5_view *v) {
    const char *path = v->file->path, *name = v->choices.text;
    if (H5Sget_simple_extent_type(v->space) == H5S_NULL)
        return dt_fail(DT_ERR_INPUT, "%s: %s is empty: it has no values and no shape", path, name);
    v->rank = H5Sget_simple_extent_ndims(v->space);
    if (v->rank > DT_MAX_RANK || v->rank < 0 || H5Sis_simple(v->space) <= 0)
        return dt_fail(DT_ERR_INPUT, "%s: %s has %d dimensions; at most %d are supported", path, name, v->rank,
                       DT_MAX_RANK);
    if (v->rank == 0) return dt_fail(DT_ERR_INPUT, "%s: %s is a single value; expected one row per sample", path, name);
    H5Sget_simple_extent_dims(v->space, v->dims, NULL);
    for (int i = 0; i < v->rank; i++)
        if (v->dims[i] > INT64_MAX) return dt_fail(DT_ERR_CORRUPT, "%s: %s has an impossible shape", path, name);
    return dt_ok();
}

/* netCDF has strings as rows of single characters. */
static void join_characters(dt_h5_view *v, const dt_h5_order *order) {
    bool single = v->element.text && v->element.text_bytes == 1 && v->element.bytes == 1;
    if (!single || v->rank != 2 || order->axis != 0 || order->reversed || v->choices.count > 0) return;
    v->chars = (int64_t)v->dims[1];
    v->rank = 1;
}

/* Which dimension of the dataset each one of the rows is. */
static dt_status order_dimensions(dt_h5_view *v, const dt_h5_order *order) {
    int64_t axis = v->rank == 1 ? 0 : order->axis < 0 ? order->axis + v->rank : order->axis;
    if (axis < 0 || axis >= v->rank)
        return dt_fail(DT_ERR_INPUT, "%s: %s has %d dimensions, but the samples are to be along dimension %lld",
                       v->file->path, v->choices.text, v->rank, (long long)order->axis);
    int to = 0;
    v->from[to++] = (int)axis;
    for (int i = 0; i < v->rank; i++)
        if (i != axis) v->from[to++] = i;
    if (order->channels_last && v->rank > 2) {
        int channels = v->from[1];
        memmove(v->from + 1, v->from + 2, (size_t)(v->rank - 2) * sizeof *v->from);
        v->from[v->rank - 1] = channels;
    }
    for (int i = 0; order->reversed && i < v->rank; i++) v->from[i] = v->rank - 1 - v->from[i];
    return dt_ok();
}

/* ---- columns ---- */

static dt_status fail_column(const dt_h5_view *v, const dt_h5_choice *choice, int64_t width) {
    char said[64] = "";
    if (choice->single)
        dt_append(said, sizeof said, "column %lld is", (long long)choice->begin);
    else if (choice->end == INT64_MAX)
        dt_append(said, sizeof said, "columns %lld: are", (long long)choice->begin);
    else
        dt_append(said, sizeof said, "columns %lld:%lld are", (long long)choice->begin, (long long)choice->end);
    return dt_fail(DT_ERR_INPUT, "%s: %s: %s not there; the last dimension of its rows has %lld, 0 to %lld",
                   v->file->path, v->choices.text, said, (long long)width, (long long)width - 1);
}

/* The bounds of a choice in a dimension of `width`. */
static dt_status bounds_of(const dt_h5_view *v, const dt_h5_choice *choice, int64_t width, int64_t *begin,
                           int64_t *end) {
    *begin = choice->begin < 0 ? choice->begin + width : choice->begin;
    *end = choice->single ? *begin + 1 : choice->end == INT64_MAX ? width : choice->end;
    if (!choice->single && choice->end < 0) *end += width;
    if (*begin < 0 || *begin >= *end || *end > width) return fail_column(v, choice, width);
    return dt_ok();
}

static dt_status count_columns(dt_h5_view *v, int64_t width) {
    int64_t least = width, most = 0, begin, end;
    for (int i = 0; i < v->choices.count; i++) {
        DT_TRY(bounds_of(v, &v->choices.choice[i], width, &begin, &end));
        v->column_count += end - begin;
        least = begin < least ? begin : least;
        most = end > most ? end : most;
    }
    v->first_column = least;
    v->read_columns = most - least;
    return dt_ok();
}

static dt_status choose_columns(dt_h5_view *v) {
    int64_t width = (int64_t)v->dims[v->from[v->rank - 1]], at = 0, begin, end;
    v->first_column = 0;
    v->read_columns = v->column_count = v->rank > 1 ? width : 1;
    if (v->choices.count == 0 || v->choices.choice[0].field) return dt_ok();
    if (v->rank == 1)
        return dt_fail(DT_ERR_INPUT, "%s: %s has no columns to choose from: its rows are single numbers", v->file->path,
                       v->choices.text);
    v->column_count = 0;
    DT_TRY(count_columns(v, width));
    v->columns = dt_alloc((size_t)v->column_count, sizeof *v->columns);
    if (!v->columns) return dt_fail_memory("the columns of a dataset", (size_t)v->column_count * sizeof *v->columns);
    for (int i = 0; i < v->choices.count; i++) {
        DT_TRY(bounds_of(v, &v->choices.choice[i], width, &begin, &end));
        while (begin < end) v->columns[at++] = begin++ - v->first_column;
    }
    return dt_ok();
}

/* ---- what comes out ---- */

static dt_status settle_shape(dt_h5_view *v) {
    bool one = v->columns && dt_h5_choices_single(&v->choices);
    int rank = v->rank - one + v->element.shape.rank;
    if (rank > DT_MAX_RANK)
        return dt_fail(DT_ERR_INPUT, "%s: %s has %d dimensions with those of its elements; at most %d are supported",
                       v->file->path, v->choices.text, rank, DT_MAX_RANK);
    v->shape.rank = rank;
    for (int i = 0; i < v->rank - one; i++) v->shape.dim[i] = (int64_t)v->dims[v->from[i]];
    if (v->columns && !one) v->shape.dim[v->rank - 1] = v->column_count;
    for (int i = 0; i < v->element.shape.rank; i++) v->shape.dim[v->rank - one + i] = v->element.shape.dim[i];
    char text[96];
    dt_shape_text(&v->shape, text);
    size_t bytes = dt_dtype_size(v->dtype);
    for (int i = 0; i < rank; i++) {
        if (v->shape.dim[i] == 0)
            return dt_fail(DT_ERR_INPUT, "%s: %s is empty (shape %s)", v->file->path, v->choices.text, text);
        if (!dt_size_mul(bytes, (size_t)v->shape.dim[i], &bytes) || bytes > INT64_MAX / 16)
            return dt_fail(DT_ERR_INPUT, "%s: %s is too large (shape %s)", v->file->path, v->choices.text, text);
    }
    return dt_ok();
}

#define MOST_STRING_BYTES ((int64_t)1 << 24) /* with its padding */

/* Strings are one a row, whatever dimensions of size 1 there are. */
static dt_status settle_texts(dt_h5_view *v) {
    if (!v->element.text) return dt_ok();
    int64_t rows = v->shape.dim[0], each = dt_shape_count(&v->shape) / rows;
    const char *path = v->file->path, *name = v->choices.text;
    if (each != 1)
        return dt_fail(DT_ERR_INPUT, "%s: %s has %lld texts a row; labels and groups are one each", path, name,
                       (long long)each);
    int64_t bytes = v->chars > 0 ? v->chars : (int64_t)v->element.bytes;
    if (bytes > MOST_STRING_BYTES)
        return dt_fail(DT_ERR_INPUT, "%s: %s has strings of %lld bytes; labels and groups have %d at most", path, name,
                       (long long)bytes, DT_H5_TEXT_BYTES);
    v->shape = (dt_shape){1, {rows}};
    return dt_ok();
}

static void settle_storage(dt_h5_view *v) {
    bool in_order = !v->columns && !v->packing.is_packed;
    for (int i = 0; i < v->rank; i++) in_order = in_order && v->from[i] == i;
    v->plain = in_order && v->element.count == 1 && v->element.dtype == v->dtype && !v->element.text;
    v->part.rows = v->shape.dim[0];
    hid_t list = H5Dget_create_plist(v->id);
    H5D_layout_t layout = H5Pget_layout(list);
    hsize_t chunk[H5S_MAX_RANK] = {0};
    if (layout == H5D_CHUNKED) {
        H5Pget_chunk(list, H5S_MAX_RANK, chunk);
        v->block_rows = (int64_t)chunk[v->from[0]];
        v->chunk_bytes = dt_h5_chunk_bytes(v->id);
    }
    bool run = layout == H5D_CONTIGUOUS && H5Pget_nfilters(list) == 0 && H5Pget_external_count(list) == 0;
    haddr_t offset = run ? H5Dget_offset(v->id) : HADDR_UNDEF;
    H5Pclose(list);
    H5Eclear2(H5E_DEFAULT);
    if (!v->plain || !v->element.native || offset == HADDR_UNDEF || offset % dt_dtype_size(v->dtype) != 0) return;
    v->part.in_place = 1;
    v->part.offset = (uint64_t)offset;
}

dt_status dt_h5_view_open(dt_h5_view *v, dt_h5 *file, const char *dataset, const dt_h5_order *order) {
    memset(v, 0, sizeof *v);
    v->file = file;
    v->id = v->space = v->element.memory = v->element.only = H5I_INVALID_HID;
    DT_TRY(find(v, dataset));
    hid_t stored = H5Dget_type(v->id);
    dt_status status = dt_h5_element_open(&v->element, file, stored, &v->choices, order->texts);
    H5Tclose(stored);
    DT_TRY(status);
    if (!v->element.text) DT_TRY(dt_h5_packing_read(&v->packing, file, v->choices.text, v->id, &v->element));
    v->dtype = v->packing.is_packed ? v->packing.dtype : v->element.dtype;
    DT_TRY(read_dimensions(v));
    join_characters(v, order);
    DT_TRY(order_dimensions(v, order));
    DT_TRY(choose_columns(v));
    DT_TRY(settle_shape(v));
    DT_TRY(settle_texts(v));
    settle_storage(v);
    return dt_h5_check_stored(file->path, file->directory, file->file, v->choices.text, v->id);
}

void dt_h5_view_close(dt_h5_view *v) {
    dt_h5_element_close(&v->element);
    dt_free(v->columns);
    if (v->space >= 0) H5Sclose(v->space);
    if (v->id >= 0) H5Dclose(v->id);
    v->columns = NULL;
    v->id = v->space = H5I_INVALID_HID;
    H5Eclear2(H5E_DEFAULT);
}

/* ---- reading ---- */

size_t dt_h5_view_row_bytes(const dt_h5_view *v) {
    size_t bytes = v->element.bytes;
    for (int i = 1; i < v->rank; i++)
        bytes *= (size_t)(i == v->rank - 1 ? v->read_columns : (int64_t)v->dims[v->from[i]]);
    return bytes;
}

dt_status dt_h5_view_box(const dt_h5_view *v, int64_t first, int64_t count, hsize_t block[H5S_MAX_RANK], hid_t list,
                         void *to) {
    hsize_t start[H5S_MAX_RANK] = {0};
    memcpy(block, v->dims, sizeof v->dims);
    if (v->rank > 1) {
        start[v->from[v->rank - 1]] = (hsize_t)v->first_column;
        block[v->from[v->rank - 1]] = (hsize_t)v->read_columns;
    }
    start[v->from[0]] = (hsize_t)first;
    block[v->from[0]] = (hsize_t)count;
    H5Sselect_hyperslab(v->space, H5S_SELECT_SET, start, NULL, block, NULL);
    hid_t memory = H5Screate_simple(v->rank + (v->chars > 0), block, NULL);
    herr_t code = H5Dread(v->id, v->element.memory, memory, v->space, list, to);
    H5Sclose(memory);
    dt_alive();
    return code < 0 ? dt_h5_fail(v->file, v->choices.text, "reading") : dt_ok();
}

static dt_status read_in_order(const dt_h5_view *v, int64_t first, int64_t count, char *box, char *out) {
    hsize_t block[H5S_MAX_RANK];
    DT_TRY(dt_h5_view_box(v, first, count, block, H5P_DEFAULT, box));
    return dt_h5_gather(v, box, block, count, out);
}

dt_status dt_h5_view_read(const dt_h5_view *v, int64_t first, int64_t count, void *out) {
    size_t row = dt_h5_view_row_bytes(v);
    int64_t at_once = row < PIECE_BYTES ? (int64_t)(PIECE_BYTES / row) : 1;
    if (at_once > count) at_once = count;
    size_t out_row = dt_dtype_size(v->dtype);
    for (int i = 1; i < v->shape.rank; i++) out_row *= (size_t)v->shape.dim[i];
    char *box = v->plain ? NULL : dt_alloc((size_t)at_once, row);
    if (!v->plain && !box) return dt_fail_memory("rows of a dataset", (size_t)at_once * row);
    dt_status status = dt_ok();
    for (int64_t done = 0; done < count && status.code == DT_OK; done += at_once) {
        int64_t now = count - done < at_once ? count - done : at_once;
        hsize_t block[H5S_MAX_RANK];
        char *to = (char *)out + (size_t)done * out_row;
        status = v->plain ? dt_h5_view_box(v, first + done, now, block, H5P_DEFAULT, to)
                          : read_in_order(v, first + done, now, box, to);
    }
    dt_free(box);
    return status;
}
