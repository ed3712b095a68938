/* Writing safetensors: the header, padded with spaces so that the arrays begin at a multiple of eight, and the arrays
 * in their order. */
#include "data/safetensors.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/file.h"
#include "base/headway.h"

#define PIECE_BYTES ((size_t)4 << 20) /* between two looks at how far it is */

static const char *const names[DT_DTYPE_COUNT] = {
    [DT_U8] = "U8",   [DT_I8] = "I8",   [DT_U16] = "U16", [DT_I16] = "I16", [DT_U32] = "U32",
    [DT_I32] = "I32", [DT_U64] = "U64", [DT_I64] = "I64", [DT_F32] = "F32", [DT_F64] = "F64",
};

static size_t bytes_of(const dt_named_array *array) {
    return (size_t)dt_shape_count(&array->shape) * dt_dtype_size(array->dtype);
}

static json_t *shape_of(const dt_shape *shape) {
    json_t *list = json_array();
    for (int i = 0; i < shape->rank; i++) json_array_append_new(list, json_integer(shape->dim[i]));
    return list;
}

/* The header, to free; NULL where memory is short or a text is no UTF-8. */
static char *header_of(const dt_named_array *arrays, int64_t count, const dt_named_text *texts, int64_t text_count) {
    json_t *root = json_object(), *metadata = json_object();
    bool whole = root && metadata;
    for (int64_t i = 0; i < text_count && whole; i++)
        whole = json_object_set_new(metadata, texts[i].name, json_string(texts[i].text)) == 0;
    if (whole && text_count > 0) whole = json_object_set(root, "__metadata__", metadata) == 0;
    uint64_t at = 0;
    for (int64_t i = 0; i < count && whole; i++) {
        uint64_t end = at + bytes_of(&arrays[i]);
        json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", names[arrays[i].dtype], "shape",
                                  shape_of(&arrays[i].shape), "data_offsets", (json_int_t)at, (json_int_t)end);
        whole = entry && json_object_set_new(root, arrays[i].name, entry) == 0;
        at = end;
    }
    char *text = whole ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(metadata);
    json_decref(root);
    return text;
}

static bool put_header(FILE *out, const char *header) {
    size_t length = strlen(header), padded = (length + 7) / 8 * 8;
    uint64_t word = padded;
    bool written = fwrite(&word, sizeof word, 1, out) == 1 && fputs(header, out) >= 0;
    for (size_t i = length; i < padded && written; i++) written = fputc(' ', out) == ' ';
    return written;
}

static bool put_array(FILE *out, const dt_named_array *array, dt_headway *headway, int64_t *done) {
    const char *data = array->data;
    bool written = true;
    for (size_t left = bytes_of(array), piece; left > 0 && written; left -= piece, data += piece) {
        piece = left < PIECE_BYTES ? left : PIECE_BYTES;
        written = fwrite(data, 1, piece, out) == piece;
        dt_headway_at(headway, *done += (int64_t)piece);
    }
    return written;
}

static bool put_all(FILE *out, const char *path, const char *header, const dt_named_array *arrays, int64_t count) {
    dt_headway headway;
    int64_t all = 0, done = 0;
    for (int64_t i = 0; i < count; i++) all += (int64_t)bytes_of(&arrays[i]);
    bool written = put_header(out, header);
    dt_headway_begin(&headway, "bytes", all, "writing %s", path);
    for (int64_t i = 0; i < count && written; i++) written = put_array(out, &arrays[i], &headway, &done);
    dt_headway_end(&headway);
    return written && fflush(out) == 0;
}

dt_status dt_safetensors_write(const char *path, const dt_named_array *arrays, int64_t count,
                               const dt_named_text *texts, int64_t text_count) {
    char *header = header_of(arrays, count, texts, text_count);
    if (!header) return dt_fail(DT_ERR_INPUT, "%s: a name or text for its header is no UTF-8", path);
    int fd;
    dt_status status = dt_file_create(path, &fd);
    FILE *out = status.code == DT_OK ? fdopen(fd, "wb") : NULL;
    if (status.code == DT_OK && !out) close(fd);
    bool written = out && put_all(out, path, header, arrays, count);
    if (out && (fclose(out) != 0 || !written))
        status = dt_fail(DT_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
    free(header);
    return status;
}
