/* Weights in HDF5: every numeric dataset of the file, under its path. Of a checkpoint of ours only what is below
 * /weights counts, by its name there. Files are read by children (guard.h). */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "store/h5.h"
#include "weights_kind.h"

static bool is(const unsigned char *begin, size_t bytes) {
    return bytes >= 8 && memcmp(begin, "\x89HDF\r\n\x1a\n", 8) == 0;
}

/* ---- what there is ---- */

typedef struct walk {
    dt_h5 *file;
    dt_guard *to;
    bool ours;
    dt_status status;
} walk;

static const char below[] = "/weights/";

static bool visit(void *context, const char *path, char kind) {
    walk *w = context;
    dt_weights_array array = {.count = 0};
    dt_h5_info info;
    size_t skipped = w->ours ? strlen(below) : 1;
    if (kind != 'd' || (w->ours && strncmp(path, below, skipped) != 0)) return true;
    if (dt_h5_describe(w->file, path, &info).code != DT_OK) return true; /* texts and the like */
    if (snprintf(array.name, sizeof array.name, "%s", path + skipped) >= (int)sizeof array.name) return true;
    array.shape = info.shape;
    array.count = dt_shape_count(&info.shape);
    w->status = dt_guard_send(w->to, &array, sizeof array);
    return w->status.code == DT_OK;
}

/* In a child. */
static dt_status send_names(void *context, dt_h5 *file, dt_guard *to) {
    (void)context;
    walk w = {.file = file, .to = to};
    char *format = NULL;
    if (dt_h5_has_attribute(file, "/", "format")) DT_TRY(dt_h5_get_text(file, "/", "format", &format));
    w.ours = format && strcmp(format, "dtrain checkpoint") == 0;
    dt_free(format);
    unsigned char ours = w.ours;
    DT_TRY(dt_guard_send(to, &ours, sizeof ours));
    DT_TRY(dt_h5_walk(file, visit, &w));
    DT_TRY(w.status);
    dt_weights_array end = {.count = -1};
    return dt_guard_send(to, &end, sizeof end);
}

/* What came from a child is not trusted. */
static bool is_sound(const dt_weights_array *array) {
    if (!array->name[0] || !memchr(array->name, '\0', sizeof array->name)) return false;
    if (array->shape.rank < 0 || array->shape.rank > DT_MAX_RANK) return false;
    size_t count = 1;
    for (int i = 0; i < array->shape.rank; i++)
        if (array->shape.dim[i] < 0 || !dt_size_mul(count, (size_t)array->shape.dim[i], &count)) return false;
    return count < (size_t)1 << 40 && (int64_t)count == array->count;
}

static dt_status take_names(void *context, dt_guard *from) {
    dt_weights_file *file = context;
    unsigned char ours = 0;
    DT_TRY(dt_guard_take(from, &ours, sizeof ours));
    file->ours = file->checkpoint = ours != 0;
    DT_TRY(dt_weights_reserve(file, DT_MOST_WEIGHTS));
    for (;;) {
        dt_weights_array array;
        DT_TRY(dt_guard_take(from, &array, sizeof array));
        if (array.count < 0) return dt_ok();
        if (file->count == DT_MOST_WEIGHTS || !is_sound(&array))
            return dt_fail(DT_ERR_CORRUPT, "%s: what arrays it has cannot be read", file->path);
        file->arrays[file->count++] = array;
    }
}

static dt_status open_file(dt_weights_file *file) {
    return dt_h5_run(&(dt_h5_job){.path = file->path, .work = send_names, .take = take_names, .context = file});
}

/* ---- values ---- */

typedef struct reading {
    char dataset[256];
    int64_t count; /* elements */
    float *out;
} reading;

#define AT_ONCE ((int64_t)1 << 22) /* elements, at least a row */

/* In a child. */
static dt_status send_values(void *context, dt_h5 *file, dt_guard *to) {
    const reading *r = context;
    dt_h5_info info;
    DT_TRY(dt_h5_describe(file, r->dataset, &info));
    DT_TRY(dt_h5_check_values(file, r->dataset));
    int64_t rows = info.shape.rank ? info.shape.dim[0] : 1, width = rows > 0 ? r->count / rows : 0;
    if (r->count == 0) return dt_ok();
    int64_t together = width > 0 && width < AT_ONCE ? AT_ONCE / width : 1;
    if (together > rows) together = rows;
    size_t bytes = (size_t)(together * width) * sizeof(float);
    dt_guard_allow(bytes);
    float *piece = dt_alloc((size_t)(together * width), sizeof *piece);
    dt_status status = piece ? dt_ok() : dt_fail_memory(r->dataset, bytes);
    for (int64_t first = 0; first < rows && status.code == DT_OK; first += together) {
        int64_t count = rows - first < together ? rows - first : together;
        status = dt_h5_read_rows(file, r->dataset, DT_F32, first, count, piece);
        if (status.code == DT_OK) status = dt_guard_send(to, piece, (size_t)(count * width) * sizeof *piece);
    }
    dt_free(piece);
    return status;
}

static dt_status take_values(void *context, dt_guard *from) {
    const reading *r = context;
    return dt_guard_take(from, r->out, (size_t)r->count * sizeof *r->out);
}

static dt_status read_array(const dt_weights_file *file, int64_t i, float *out) {
    reading r = {.count = file->arrays[i].count, .out = out};
    snprintf(r.dataset, sizeof r.dataset, "%s%s", file->ours ? below : "/", file->arrays[i].name);
    return dt_h5_run(&(dt_h5_job){.path = file->path, .work = send_values, .take = take_values, .context = &r});
}

static void close_file(dt_weights_file *file) {
    (void)file;
}

const dt_weights_kind dt_weights_hdf5 = {
    .name = "hdf5", .is = is, .open = open_file, .read = read_array, .close = close_file};
