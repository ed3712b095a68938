/* Rows dealt out. The tree is walked once for the objects, which are made in each part or copied to it, and once for
 * the rows: a block of them is read, and each part gets its own of it. Parts are plain, whatever the chunks and filters
 * of the whole: they can be mapped where they lie. */
#include "h5_deal.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alive.h"
#include "base/append.h"
#include "base/escape.h"
#include "base/memory.h"
#include "h5_copy.h"
#include "h5_internal.h"
#include "h5_sources.h"
#include "h5_types.h"

#define BLOCK_BYTES ((size_t)8 << 20)
#define MOST_BLOCK_BYTES ((size_t)128 << 20)
#define MOST_TEXT_ROWS 4096              /* of strings, whose bytes are not known beforehand */
#define OVERHEAD_BYTES ((size_t)1 << 20) /* of a file, beside its values */

/* ---- which datasets ---- */

/* Whether two paths name objects of one group. */
static bool beside(const char *a, const char *b) {
    size_t group = (size_t)(strrchr(a, '/') - a);
    return (size_t)(strrchr(b, '/') - b) == group && strncmp(a, b, group) == 0;
}

static int64_t rows_of(hid_t id) {
    hid_t space = H5Dget_space(id);
    hsize_t dims[H5S_MAX_RANK] = {0};
    int rank = H5Sget_simple_extent_ndims(space);
    if (rank > 0) H5Sget_simple_extent_dims(space, dims, NULL);
    H5Sclose(space);
    return rank > 0 ? (int64_t)dims[0] : -1;
}

static bool is_dealt(const dt_h5_deal *deal, const char *path, hid_t id) {
    return beside(path, deal->by) && rows_of(id) == deal->rows;
}

static size_t row_bytes(hid_t id, hid_t type) {
    hid_t space = H5Dget_space(id);
    size_t all = (size_t)H5Sget_simple_extent_npoints(space) * H5Tget_size(type);
    H5Sclose(space);
    int64_t rows = rows_of(id);
    return rows > 0 ? all / (size_t)rows : all;
}

/* ---- labels that are renumbered ---- */

static bool is_renumbered(const dt_h5_deal *deal, const char *path) {
    return deal->numbers && strcmp(path, deal->by) == 0;
}

static int64_t count_of(const dt_h5_deal *deal, int64_t p) {
    return deal->first[p + 1] - deal->first[p];
}

/* The labels of a part whose whole has strings: written at once, they are in memory. */
static dt_status write_numbers(const dt_h5_deal *deal, dt_h5 *part, int64_t p) {
    const int64_t count = count_of(deal, p);
    dt_shape shape = {.rank = 1, .dim = {count}};
    DT_TRY(dt_h5_create_classes(part, deal->by, DT_I32, &shape, deal->names, deal->name_count));
    int32_t *numbers = dt_alloc((size_t)count, sizeof *numbers);
    if (!numbers) return dt_fail_memory("labels", (size_t)count * sizeof *numbers);
    for (int64_t i = 0; i < count; i++) numbers[i] = deal->numbers[deal->row[deal->first[p] + i]];
    dt_status status = dt_h5_write_rows(part, deal->by, DT_I32, 0, count, numbers);
    dt_free(numbers);
    return status;
}

/* ---- rows ---- */

/* A dataset that is dealt, while it is. */
typedef struct dealing {
    const dt_h5_deal *deal;
    dt_h5 *whole, **parts;
    int64_t begin, count; /* of the parts */
    const char *path;
    hid_t id, type; /* in memory as in the file: nothing is converted */
    size_t row;     /* bytes */
    int64_t block;  /* rows that are read at once */
    char *rows, *own;
    int64_t next[DT_H5_DEAL_PARTS]; /* what a part gets next: a place in deal->row */
} dealing;

static hid_t rows_space(hid_t id, int64_t first, int64_t count) {
    hid_t space = H5Dget_space(id);
    hsize_t start[H5S_MAX_RANK] = {(hsize_t)first}, dims[H5S_MAX_RANK];
    H5Sget_simple_extent_dims(space, dims, NULL);
    dims[0] = (hsize_t)count;
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, dims, NULL);
    return space;
}

/* `count` rows of the shape that `id` has, in memory. */
static hid_t memory_space(hid_t id, int64_t count) {
    hid_t space = H5Dget_space(id);
    hsize_t dims[H5S_MAX_RANK];
    int rank = H5Sget_simple_extent_dims(space, dims, NULL);
    H5Sclose(space);
    dims[0] = (hsize_t)count;
    return H5Screate_simple(rank, dims, NULL);
}

static dt_status write_own(dealing *d, dt_h5 *part, int64_t first, int64_t count) {
    hid_t to = H5Dopen2(part->file, d->path, H5P_DEFAULT), there = rows_space(to, first, count);
    hid_t here = memory_space(to, count);
    herr_t code = H5Dwrite(to, d->type, here, there, H5P_DEFAULT, d->own);
    dt_status status = code < 0 ? dt_h5_fail(part, d->path, "writing") : dt_ok();
    H5Sclose(here);
    H5Sclose(there);
    H5Dclose(to);
    return status;
}

/* What part i of these has of the rows [from, to) that are in memory. */
static dt_status give_part(dealing *d, int64_t i, int64_t from, int64_t to) {
    const int64_t p = d->begin + i, begin = d->next[i], end = d->deal->first[p + 1];
    int64_t count = 0;
    for (; d->next[i] < end && d->deal->row[d->next[i]] < to; d->next[i]++, count++)
        memcpy(d->own + (size_t)count * d->row, d->rows + (size_t)(d->deal->row[d->next[i]] - from) * d->row, d->row);
    return count > 0 ? write_own(d, d->parts[i], begin - d->deal->first[p], count) : dt_ok();
}

static dt_status deal_block(dealing *d, int64_t from, int64_t count) {
    hid_t there = rows_space(d->id, from, count), here = memory_space(d->id, count);
    herr_t code = H5Dread(d->id, d->type, here, there, H5P_DEFAULT, d->rows);
    dt_status status = code < 0 ? dt_h5_fail(d->whole, d->path, "reading") : dt_ok();
    for (int64_t i = 0; i < d->count && status.code == DT_OK; i++) status = give_part(d, i, from, from + count);
    if (code >= 0) dt_h5_reclaim(d->type, here, d->rows);
    H5Sclose(here);
    H5Sclose(there);
    dt_alive();
    return status;
}

/* How many rows are read at once: whole rows of chunks, for a chunk that is cut is unpacked twice. */
static int64_t rows_at_once(const dealing *d) {
    int64_t rows = d->row > 0 && d->row < BLOCK_BYTES ? (int64_t)(BLOCK_BYTES / d->row) : 1, chunk = 1;
    hsize_t dims[H5S_MAX_RANK];
    hid_t list = H5Dget_create_plist(d->id);
    if (H5Pget_layout(list) == H5D_CHUNKED && H5Pget_chunk(list, H5S_MAX_RANK, dims) > 0) chunk = (int64_t)dims[0];
    H5Pclose(list);
    if (dt_h5_has_pointers(d->type) && rows > MOST_TEXT_ROWS) rows = MOST_TEXT_ROWS;
    rows = rows < chunk ? chunk : rows / chunk * chunk;
    int64_t most = d->row > 0 && d->row < MOST_BLOCK_BYTES ? (int64_t)(MOST_BLOCK_BYTES / d->row) : 1;
    rows = rows > most ? most : rows;
    return rows < d->deal->rows ? rows : d->deal->rows;
}

static dt_status deal_rows(dealing *d) {
    d->row = row_bytes(d->id, d->type);
    d->block = rows_at_once(d);
    const size_t bytes = (size_t)d->block * d->row;
    dt_guard_allow(3 * bytes);
    d->rows = dt_alloc(bytes + 1, 1);
    d->own = dt_alloc(bytes + 1, 1);
    dt_status status = d->rows && d->own ? dt_ok() : dt_fail_memory("rows to be dealt", 2 * bytes);
    for (int64_t i = 0; i < d->count; i++) d->next[i] = d->deal->first[d->begin + i];
    for (int64_t from = 0; from < d->deal->rows && status.code == DT_OK; from += d->block) {
        int64_t left = d->deal->rows - from;
        status = deal_block(d, from, left < d->block ? left : d->block);
    }
    dt_free(d->rows);
    dt_free(d->own);
    return status;
}

/* ---- the tree ---- */

typedef struct visit {
    const dt_h5_deal *deal;
    dt_h5 *whole, **parts; /* NULL: it is only looked at */
    int64_t begin, count;
    dt_h5_dealt *found;
    dt_status status;
} visit;

static dt_status check_dealt(const visit *v, const char *path, hid_t id, hid_t type) {
    if (H5Tdetect_class(type, H5T_REFERENCE) > 0)
        return dt_fail(DT_ERR_INPUT, "%s: rows of %s are references to other objects, which cannot be dealt out",
                       v->whole->path, path);
    return dt_h5_check_stored(v->whole->path, v->whole->directory, v->whole->file, path, id);
}

static dt_status deal_dataset(visit *v, const char *path, hid_t id, hid_t type) {
    dt_status status = dt_ok();
    for (int64_t i = 0; i < v->count && status.code == DT_OK; i++)
        status = is_renumbered(v->deal, path)
                     ? write_numbers(v->deal, v->parts[i], v->begin + i)
                     : dt_h5_create_alike(v->whole, v->parts[i], path, id, count_of(v->deal, v->begin + i));
    if (status.code != DT_OK || is_renumbered(v->deal, path)) return status;
    dealing d = {.deal = v->deal,
                 .whole = v->whole,
                 .parts = v->parts,
                 .begin = v->begin,
                 .count = v->count,
                 .path = path,
                 .id = id,
                 .type = type};
    return deal_rows(&d);
}

static dt_status copy_dataset(visit *v, const char *path, hid_t id) {
    for (int64_t i = 0; i < v->count; i++) {
        DT_TRY(dt_h5_copy_dataset(v->whole, v->parts[i], path, id));
        dt_alive();
    }
    return dt_ok();
}

static void note(visit *v, const char *path, hid_t id, hid_t type, bool dealt) {
    dt_h5_dealt *found = v->found;
    char name[120];
    int32_t count = dealt ? found->dealt_count++ : found->rest_count++;
    dt_append(dealt ? found->dealt : found->rest, sizeof found->rest, "%s%s", count ? ", " : "",
              dt_escape_name(name, sizeof name, path));
    if (dealt) found->bytes += (int64_t)row_bytes(id, type) * v->deal->rows;
}

static dt_status visit_dataset(visit *v, const char *path) {
    hid_t id = H5I_INVALID_HID;
    DT_TRY(dt_h5_open_dataset(v->whole, path, &id));
    hid_t stored = H5Dget_type(id), type = H5Tcopy(stored);
    const bool dealt = is_dealt(v->deal, path, id);
    dt_status status = dt_h5_check_sources(v->whole->path, v->whole->directory, v->whole->file, path, id);
    if (status.code == DT_OK && dealt) status = check_dealt(v, path, id, type);
    if (status.code == DT_OK && !v->parts) note(v, path, id, type, dealt);
    if (status.code == DT_OK && v->parts) status = dealt ? deal_dataset(v, path, id, type) : copy_dataset(v, path, id);
    H5Tclose(type);
    H5Tclose(stored);
    H5Dclose(id);
    return status;
}

static dt_status visit_group(visit *v, const char *path) {
    for (int64_t i = 0; i < v->count && v->parts; i++) {
        DT_TRY(dt_h5_make_group(v->parts[i], path));
        DT_TRY(dt_h5_copy_attributes(v->whole, v->parts[i], path));
    }
    return dt_ok();
}

static bool visit_object(void *context, const char *path, char kind) {
    visit *v = context;
    v->status = kind == 'd' ? visit_dataset(v, path) : visit_group(v, path);
    return v->status.code == DT_OK;
}

static dt_status visit_all(visit *v) {
    dt_status walked = dt_h5_walk(v->whole, visit_object, v);
    return v->status.code != DT_OK ? v->status : walked;
}

typedef struct looking {
    const dt_h5_deal *deal;
    dt_h5_dealt *out;
} looking;

static dt_status look(void *context, dt_h5 *file, dt_guard *to) {
    dt_h5_dealt found = {.bytes = 0};
    visit v = {.deal = ((looking *)context)->deal, .whole = file, .found = &found, .status = dt_ok()};
    DT_TRY(visit_all(&v));
    return dt_guard_send(to, &found, sizeof found);
}

static dt_status take_found(void *context, dt_guard *from) {
    dt_h5_dealt *out = ((looking *)context)->out;
    DT_TRY(dt_guard_take(from, out, sizeof *out));
    out->dealt[sizeof out->dealt - 1] = out->rest[sizeof out->rest - 1] = '\0';
    if (out->bytes >= 0 && out->dealt_count > 0) return dt_ok();
    return dt_fail(DT_ERR_CORRUPT, "what was found of %s cannot be", ((looking *)context)->deal->by);
}

dt_status dt_h5_deal_look(dt_h5_dealt *out, const dt_h5_deal *deal, const char *path) {
    looking both = {deal, out};
    return dt_h5_run(&(dt_h5_job){.path = path, .stoppable = true, .work = look, .take = take_found, .context = &both});
}

size_t dt_h5_deal_most_bytes(const dt_h5_dealt *dealt, const char *path) {
    struct stat info;
    size_t whole = stat(path, &info) == 0 && info.st_size > 0 ? (size_t)info.st_size : 0;
    return 2 * (size_t)dealt->bytes + DT_H5_DEAL_PARTS * (whole + OVERHEAD_BYTES);
}

/* ---- parts ---- */

static dt_status label_part(const dt_h5_deal *deal, dt_h5 *part, int64_t p) {
    DT_TRY(dt_h5_put_int(part, "/", "part", p));
    DT_TRY(dt_h5_put_int(part, "/", "parts", deal->parts));
    DT_TRY(dt_h5_put_int(part, "/", "partition_seed", deal->seed));
    return dt_h5_put_text(part, "/", "partition", deal->partition);
}

static dt_status fill_parts(const dt_h5_deal *deal, dt_h5 *from, dt_h5 **parts, int64_t begin, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        DT_TRY(dt_h5_create(&parts[i], deal->paths[begin + i]));
        DT_TRY(dt_h5_copy_attributes(from, parts[i], "/"));
        DT_TRY(label_part(deal, parts[i], begin + i));
    }
    visit v = {.deal = deal, .whole = from, .parts = parts, .begin = begin, .count = count, .status = dt_ok()};
    return visit_all(&v);
}

dt_status dt_h5_deal_parts(const dt_h5_deal *deal, dt_h5 *from, int64_t begin, int64_t count) {
    dt_h5 *parts[DT_H5_DEAL_PARTS] = {NULL};
    dt_status status = fill_parts(deal, from, parts, begin, count);
    for (int64_t i = 0; i < count; i++) {
        dt_status closed = dt_h5_close(&parts[i]);
        if (status.code == DT_OK) status = closed;
    }
    return status;
}
