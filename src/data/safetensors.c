/* Reading safetensors. The header is parsed by jansson, which is strict about UTF-8 and doubled keys; everything it
 * says is checked before it is used, and what is read later is inside the file by then. */
#include "data/safetensors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/escape.h"
#include "base/file.h"
#include "base/memory.h"
#include "elements.h"

#define MOST_HEADER ((int64_t)32 << 20) /* bytes; that of a model of a thousand tensors has 100 KiB */
#define LENGTH_BYTES 8

static dt_status fail(const dt_safetensors *f, const char *name, const char *what) {
    char shown[128];
    return dt_fail(DT_ERR_CORRUPT, "%s: array %s: %s", f->path, dt_escape_name(shown, sizeof shown, name), what);
}

static dt_status read_at(const dt_safetensors *f, void *out, size_t bytes, uint64_t at) {
    for (size_t done = 0; done < bytes;) {
        ssize_t got = pread(f->fd, (char *)out + done, bytes - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return dt_fail(DT_ERR_IO, "%s: cannot be read: %s", f->path, strerror(errno));
        if (got == 0) return dt_fail(DT_ERR_CORRUPT, "%s: ends early, at byte %llu", f->path, (long long)(at + done));
        done += (size_t)got;
    }
    return dt_ok();
}

/* ---- one array ---- */

static dt_status take_shape(const dt_safetensors *f, dt_safetensor *t, const json_t *list) {
    if (!json_is_array(list)) return fail(f, t->name, "shape is no list");
    if (json_array_size(list) > DT_MAX_RANK) return fail(f, t->name, "has more than 6 dimensions");
    t->count = 1;
    t->shape.rank = (int)json_array_size(list);
    for (int i = 0; i < t->shape.rank; i++) {
        const json_t *size = json_array_get(list, (size_t)i);
        if (!json_is_integer(size) || json_integer_value(size) < 0)
            return fail(f, t->name, "a dimension in shape is no whole number of at least 0");
        t->shape.dim[i] = json_integer_value(size);
        if (__builtin_mul_overflow(t->count, t->shape.dim[i], &t->count))
            return fail(f, t->name, "shape is beyond any memory");
    }
    return dt_ok();
}

static dt_status take_offsets(const dt_safetensors *f, dt_safetensor *t, const json_t *pair, uint64_t data_bytes) {
    const json_t *begin = json_array_get(pair, 0), *end = json_array_get(pair, 1);
    if (json_array_size(pair) != 2 || !json_is_integer(begin) || !json_is_integer(end))
        return fail(f, t->name, "data_offsets is no pair of whole numbers");
    json_int_t from = json_integer_value(begin), to = json_integer_value(end);
    if (from < 0 || to < from || (uint64_t)to > data_bytes)
        return fail(f, t->name, "data_offsets lie outside of the file");
    t->begin = (uint64_t)from;
    t->bytes = (uint64_t)(to - from);
    return dt_ok();
}

static dt_status take_array(const dt_safetensors *f, dt_safetensor *t, const char *name, const json_t *entry,
                            uint64_t data_bytes) {
    t->name = (char *)name;
    if (!json_is_object(entry)) return fail(f, name, "is described by no map");
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)entry, key, value) {
        if (strcmp(key, "dtype") != 0 && strcmp(key, "shape") != 0 && strcmp(key, "data_offsets") != 0)
            return fail(f, name, "has a key besides dtype, shape and data_offsets");
    }
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    if (!dtype || strlen(dtype) >= sizeof t->dtype) return fail(f, name, "has no dtype");
    memcpy(t->dtype, dtype, strlen(dtype) + 1);
    DT_TRY(take_shape(f, t, json_object_get(entry, "shape")));
    DT_TRY(take_offsets(f, t, json_object_get(entry, "data_offsets"), data_bytes));
    const dt_element *element = dt_element_named(t->dtype);
    uint64_t bytes;
    if (!element) return dt_ok(); /* it may be left alone */
    if (__builtin_mul_overflow((uint64_t)t->count, element->bytes, &bytes) || bytes != t->bytes)
        return fail(f, name, "data_offsets and shape are of different sizes");
    return dt_ok();
}

/* ---- the header ---- */

static dt_status take_metadata(dt_safetensors *f, const json_t *map) {
    const char *key;
    json_t *value;
    if (!json_is_object(map)) return dt_fail(DT_ERR_CORRUPT, "%s: __metadata__ is no map", f->path);
    f->metadata = dt_alloc(json_object_size(map) + 1, sizeof *f->metadata);
    if (!f->metadata) return dt_fail_memory("a header", json_object_size(map) * sizeof *f->metadata);
    json_object_foreach((json_t *)map, key, value) {
        if (!json_is_string(value))
            return dt_fail(DT_ERR_CORRUPT, "%s: __metadata__ has something that is no text", f->path);
        f->metadata[f->metadata_count++] = (dt_named_text){key, json_string_value(value)};
    }
    return dt_ok();
}

static int by_begin(const void *a, const void *b) {
    const dt_safetensor *x = a, *y = b;
    uint64_t left = x->begin != y->begin ? x->begin : x->bytes, right = x->begin != y->begin ? y->begin : y->bytes;
    return left < right ? -1 : left > right;
}

/* That every byte behind the header belongs to one array. */
static dt_status check_order(const dt_safetensors *f, uint64_t data_bytes) {
    uint64_t end = 0;
    for (int64_t i = 0; i < f->count; i++) {
        const dt_safetensor *t = &f->tensors[i];
        if (t->begin < end) return fail(f, t->name, "shares bytes with the one before it");
        if (t->begin > end) return fail(f, t->name, "begins behind bytes that belong to no array");
        end = t->begin + t->bytes;
    }
    if (end == data_bytes) return dt_ok();
    return dt_fail(DT_ERR_CORRUPT, "%s: %llu bytes at its end belong to no array", f->path,
                   (unsigned long long)(data_bytes - end));
}

static dt_status take_header(dt_safetensors *f, const json_t *root, uint64_t data_begin, uint64_t data_bytes) {
    const char *key;
    json_t *value;
    if (!json_is_object(root)) return dt_fail(DT_ERR_CORRUPT, "%s: its header is no map", f->path);
    f->tensors = dt_alloc(json_object_size(root) + 1, sizeof *f->tensors);
    if (!f->tensors) return dt_fail_memory("a header", json_object_size(root) * sizeof *f->tensors);
    json_object_foreach((json_t *)root, key, value) {
        if (strcmp(key, "__metadata__") == 0)
            DT_TRY(take_metadata(f, value));
        else
            DT_TRY(take_array(f, &f->tensors[f->count++], key, value, data_bytes));
    }
    if (f->count > 0) qsort(f->tensors, (size_t)f->count, sizeof *f->tensors, by_begin);
    DT_TRY(check_order(f, data_bytes));
    for (int64_t i = 0; i < f->count; i++) f->tensors[i].begin += data_begin;
    return dt_ok();
}

static dt_status parse_header(dt_safetensors *f, const char *text, size_t length, uint64_t data_bytes) {
    json_error_t error;
    if (text[0] != '{') return dt_fail(DT_ERR_CORRUPT, "%s: is no safetensors file: its header is no JSON", f->path);
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        char shown[200];
        return dt_fail(DT_ERR_CORRUPT, "%s: its header is no JSON: byte %d: %s", f->path, error.position,
                       dt_escape_name(shown, sizeof shown, error.text));
    }
    f->header = root;
    return take_header(f, root, LENGTH_BYTES + length, data_bytes);
}

static dt_status read_header(dt_safetensors *f, int64_t file_bytes) {
    uint64_t length;
    if (file_bytes < LENGTH_BYTES + 2)
        return dt_fail(DT_ERR_CORRUPT, "%s: is no safetensors file: it has %lld bytes", f->path, (long long)file_bytes);
    DT_TRY(read_at(f, &length, sizeof length, 0));
    if (length > (uint64_t)(file_bytes - LENGTH_BYTES) || length < 2)
        return dt_fail(DT_ERR_CORRUPT,
                       "%s: is no safetensors file: its first 8 bytes say that a header of %llu bytes follows, and "
                       "%lld bytes do",
                       f->path, (unsigned long long)length, (long long)(file_bytes - LENGTH_BYTES));
    if (length > MOST_HEADER)
        return dt_fail(DT_ERR_CORRUPT, "%s: its header has %llu bytes; at most %lld are read", f->path,
                       (unsigned long long)length, (long long)MOST_HEADER);
    char *text = dt_alloc(length + 1, 1);
    if (!text) return dt_fail_memory("a header", length);
    dt_status status = read_at(f, text, length, LENGTH_BYTES);
    if (status.code == DT_OK) status = parse_header(f, text, length, (uint64_t)file_bytes - LENGTH_BYTES - length);
    dt_free(text);
    return status;
}

dt_status dt_safetensors_open(dt_safetensors *out, const char *path) {
    int64_t bytes = 0;
    memset(out, 0, sizeof *out);
    out->path = path;
    DT_TRY(dt_file_open(path, &out->fd, &bytes));
    return read_header(out, bytes);
}

void dt_safetensors_close(dt_safetensors *file) {
    if (file->path && file->fd >= 0) close(file->fd);
    json_decref(file->header);
    dt_free(file->tensors);
    dt_free(file->metadata);
    memset(file, 0, sizeof *file);
}

/* ---- what is in it ---- */

const dt_safetensor *dt_safetensors_find(const dt_safetensors *file, const char *name) {
    for (int64_t i = 0; i < file->count; i++)
        if (strcmp(file->tensors[i].name, name) == 0) return &file->tensors[i];
    return NULL;
}

const char *dt_safetensors_text(const dt_safetensors *file, const char *key) {
    for (int64_t i = 0; i < file->metadata_count; i++)
        if (strcmp(file->metadata[i].name, key) == 0) return file->metadata[i].text;
    return NULL;
}

#define PIECE 65536 /* elements */

dt_status dt_safetensors_read(const dt_safetensors *file, const dt_safetensor *tensor, float *out) {
    const dt_element *element = dt_element_named(tensor->dtype);
    char name[128], type[32];
    if (!element)
        return dt_fail(DT_ERR_INPUT, "%s: array %s is of the type %s, which is not read", file->path,
                       dt_escape_name(name, sizeof name, tensor->name),
                       dt_escape_name(type, sizeof type, tensor->dtype));
    void *piece = dt_alloc(PIECE, element->bytes);
    if (!piece) return dt_fail_memory("an array", PIECE * element->bytes);
    dt_status status = dt_ok();
    for (int64_t at = 0; status.code == DT_OK && at < tensor->count; at += PIECE) {
        int64_t count = tensor->count - at < PIECE ? tensor->count - at : PIECE;
        status = read_at(file, piece, (size_t)count * element->bytes, tensor->begin + (uint64_t)at * element->bytes);
        if (status.code == DT_OK) element->read(out + at, piece, count);
    }
    dt_free(piece);
    return status;
}
