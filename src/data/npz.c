/* Writing NumPy's archives: each member is a header in Python's notation, padded so that the numbers begin at a
 * multiple of 64, and the numbers. The archive is libzip's. */
#include "data/npz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zip.h>

#include "base/append.h"
#include "base/escape.h"
#include "base/file.h"
#include "base/headway.h"
#include "base/memory.h"

static const char *const types[DT_DTYPE_COUNT] = {
    [DT_U8] = "|u1",  [DT_I8] = "|i1",  [DT_U16] = "<u2", [DT_I16] = "<i2", [DT_U32] = "<u4",
    [DT_I32] = "<i4", [DT_U64] = "<u8", [DT_I64] = "<i8", [DT_F32] = "<f4", [DT_F64] = "<f8",
};

#define HEADER 192 /* bytes, a multiple of 64: the longest there is, six dimensions of 19 digits, has 180 */
#define FIXED_DATE                                                                                                     \
    (1 << 5 | 1) /* the first of January 1980, where the dates of ZIP begin: no bytes depend on the time */

/* What libzip reads when it closes the archive. */
typedef struct member {
    char header[HEADER];
    void *text; /* of a text: its characters; else NULL */
    zip_buffer_fragment_t parts[2];
} member;

static void write_header(member *m, const char *type, const dt_shape *shape) {
    char text[HEADER] = "";
    dt_append(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (", type);
    for (int i = 0; i < shape->rank; i++) dt_append(text, sizeof text, "%lld, ", (long long)shape->dim[i]);
    dt_append(text, sizeof text, ")}");
    memset(m->header, ' ', HEADER);
    memcpy(m->header, "\x93NUMPY\x01\x00", 8);
    m->header[8] = (char)(HEADER - 10);
    m->header[9] = 0;
    memcpy(m->header + 10, text, strlen(text));
    m->header[HEADER - 1] = '\n';
}

static dt_status add(zip_t *archive, const char *path, const char *name, member *m, const void *data, size_t bytes) {
    char file[256];
    m->parts[0] = (zip_buffer_fragment_t){(zip_uint8_t *)m->header, HEADER};
    m->parts[1] = (zip_buffer_fragment_t){(zip_uint8_t *)data, bytes};
    snprintf(file, sizeof file, "%s.npy", name);
    zip_source_t *source = zip_source_buffer_fragment(archive, m->parts, bytes > 0 ? 2 : 1, 0);
    zip_int64_t at = source ? zip_file_add(archive, file, source, ZIP_FL_ENC_UTF_8) : -1;
    if (source && at < 0) zip_source_free(source);
    if (at >= 0 && zip_set_file_compression(archive, (zip_uint64_t)at, ZIP_CM_STORE, 0) == 0 &&
        zip_file_set_dostime(archive, (zip_uint64_t)at, 0, FIXED_DATE, 0) == 0)
        return dt_ok();
    return dt_fail(DT_ERR_IO, "%s: %s cannot be put into it: %s", path, file, zip_strerror(archive));
}

/* Its characters as numbers, as NumPy keeps them. */
static dt_status add_text(zip_t *archive, const char *path, const dt_named_text *text, member *m) {
    size_t length = strlen(text->text), count = 0;
    uint32_t *points = m->text = dt_alloc(length + 1, sizeof *points);
    if (!points) return dt_fail_memory("a text", length * sizeof *points);
    for (size_t at = 0; at < length; count++) {
        int taken = dt_utf8_take((const uint8_t *)text->text + at, length - at, &points[count]);
        if (taken <= 0) return dt_fail(DT_ERR_INPUT, "%s: the text %s is no UTF-8", path, text->name);
        at += (size_t)taken;
    }
    char type[32];
    snprintf(type, sizeof type, "<U%zu", count > 0 ? count : 1);
    write_header(m, type, &(dt_shape){0});
    return add(archive, path, text->name, m, points, (count > 0 ? count : 1) * sizeof *points);
}

static dt_status fill(zip_t *archive, const char *path, member *members, const dt_named_array *arrays, int64_t count,
                      const dt_named_text *texts, int64_t text_count) {
    for (int64_t i = 0; i < count; i++) {
        size_t bytes = (size_t)dt_shape_count(&arrays[i].shape) * dt_dtype_size(arrays[i].dtype);
        write_header(&members[i], types[arrays[i].dtype], &arrays[i].shape);
        DT_TRY(add(archive, path, arrays[i].name, &members[i], arrays[i].data, bytes));
    }
    for (int64_t i = 0; i < text_count; i++) DT_TRY(add_text(archive, path, &texts[i], &members[count + i]));
    return dt_ok();
}

/* libzip writes all of it when the archive is closed. */
static void tell(zip_t *archive, double share, void *context) {
    (void)archive;
    dt_headway *headway = context;
    dt_headway_at(headway, (int64_t)(share * (double)headway->total));
}

static bool put_all(zip_t *archive, const char *path, const dt_named_array *arrays, int64_t count) {
    dt_headway headway;
    int64_t all = 0;
    for (int64_t i = 0; i < count; i++)
        all += dt_shape_count(&arrays[i].shape) * (int64_t)dt_dtype_size(arrays[i].dtype);
    dt_headway_begin(&headway, "bytes", all, "writing %s", path);
    zip_register_progress_callback_with_state(archive, 0.01, tell, NULL, &headway);
    bool written = zip_close(archive) == 0;
    dt_headway_end(&headway);
    return written;
}

dt_status dt_npz_write(const char *path, const dt_named_array *arrays, int64_t count, const dt_named_text *texts,
                       int64_t text_count) {
    size_t all = (size_t)(count + text_count);
    int error = 0;
    member *members = dt_alloc(all + 1, sizeof *members);
    if (!members) return dt_fail_memory("an archive", all * sizeof *members);
    zip_t *archive = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &error);
    dt_status status = archive ? fill(archive, path, members, arrays, count, texts, text_count)
                               : dt_fail(DT_ERR_IO, "%s: cannot be made (libzip's error %d)", path, error);
    if (archive && status.code == DT_OK && !put_all(archive, path, arrays, count)) {
        status = dt_fail(DT_ERR_IO, "%s: cannot be written: %s", path, zip_strerror(archive));
        zip_discard(archive);
    } else if (archive && status.code != DT_OK) {
        zip_discard(archive);
    }
    for (size_t i = 0; i < all; i++) dt_free(members[i].text);
    dt_free(members);
    return status;
}
