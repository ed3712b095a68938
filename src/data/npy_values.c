/* Values of NumPy's arrays into datasets, a block of rows at a time, whichever index moves fastest in the file. */
#include <byteswap.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alive.h"
#include "base/headway.h"
#include "base/memory.h"
#include "elements.h"
#include "npy.h"

#define BLOCK_BYTES ((size_t)4 << 20)
#define TURNED_BYTES ((size_t)64 << 20) /* of a block whose columns lie far apart: the larger, the fewer readings */

/* Values as they are in the file become those of the dataset, in place; of half precision from the last one on. */
static void convert(const dt_npy *npy, void *block, size_t count) {
    if (npy->swapped && npy->item == 2)
        for (uint16_t *v = block, *end = v + count; v < end; v++) *v = bswap_16(*v);
    if (npy->swapped && npy->item == 4)
        for (uint32_t *v = block, *end = v + count; v < end; v++) *v = bswap_32(*v);
    if (npy->swapped && npy->item == 8)
        for (uint64_t *v = block, *end = v + count; v < end; v++) *v = bswap_64(*v);
    for (size_t i = count; npy->half && i-- > 0;) {
        uint16_t bits;
        memcpy(&bits, (char *)block + i * sizeof bits, sizeof bits);
        float value = dt_half(bits);
        memcpy((char *)block + i * sizeof value, &value, sizeof value);
    }
}

/* How many rows a block of so many bytes has, and what a row has of values. */
static int64_t rows_of(const dt_npy *npy, size_t bytes, size_t *values) {
    *values = (size_t)(dt_shape_count(&npy->shape) / npy->shape.dim[0]);
    size_t row = *values * dt_dtype_size(npy->dtype), rows = row < bytes ? bytes / row : 1;
    return (int64_t)rows < npy->shape.dim[0] ? (int64_t)rows : npy->shape.dim[0];
}

static dt_status copy_rows(const dt_npy *npy, const dt_npy_source *source, dt_h5 *to, const char *dataset, void *block,
                           int64_t at_once, size_t row) {
    int64_t rows = npy->shape.dim[0];
    dt_headway headway;
    dt_headway_begin(&headway, "rows", rows, "importing %s", source->name);
    for (int64_t first = 0, count; first < rows; first += count) {
        count = rows - first < at_once ? rows - first : at_once;
        dt_headway_at(&headway, first);
        size_t want = (size_t)count * row * npy->item, got;
        DT_TRY(source->read(source->context, block, want, &got));
        if (got < want) return dt_fail(DT_ERR_CORRUPT, "%s: the file ends inside the array", source->name);
        convert(npy, block, (size_t)count * row);
        DT_TRY(dt_h5_write_rows(to, dataset, npy->dtype, first, count, block));
    }
    dt_headway_end(&headway);
    return dt_ok();
}

/* Of `rows` rows of `values` values; NULL when memory is short. */
static void *make_block(const dt_npy *npy, int64_t rows, size_t values) {
    size_t bytes;
    return dt_size_mul((size_t)rows * dt_dtype_size(npy->dtype), values, &bytes) ? dt_alloc(bytes, 1) : NULL;
}

static dt_status fail_block(const dt_npy *npy, int64_t rows, size_t values) {
    return dt_fail_memory("a block of rows", (size_t)rows * dt_dtype_size(npy->dtype) * values);
}

dt_status dt_npy_copy(const dt_npy *npy, const dt_npy_source *source, dt_h5 *to, const char *dataset) {
    size_t row;
    int64_t rows = rows_of(npy, BLOCK_BYTES, &row);
    DT_TRY(dt_h5_create_dataset(to, dataset, npy->dtype, &npy->shape, 0));
    void *block = make_block(npy, rows, row);
    if (!block) return fail_block(npy, rows, row);
    dt_status status = copy_rows(npy, source, to, dataset, block, rows, row);
    dt_free(block);
    return status;
}

/* ---- columns first ---- */

static dt_status read_at(int fd, const char *name, char *out, size_t want, int64_t at) {
    while (want > 0) {
        ssize_t got = pread(fd, out, want, at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return dt_fail(DT_ERR_IO, "%s: cannot read: %s", name, strerror(errno));
        if (got == 0) return dt_fail(DT_ERR_CORRUPT, "%s: the file ends inside the array", name);
        out += got;
        at += got;
        want -= (size_t)got;
    }
    return dt_ok();
}

/* The next index of a row's values, the last dimension the fastest, and where its column lies among the columns, the
 * second dimension the fastest. */
static size_t next_column(const dt_shape *shape, int64_t *index) {
    for (int d = shape->rank - 1; d > 0; d--) {
        if (++index[d] < shape->dim[d]) break;
        index[d] = 0;
    }
    size_t column = 0;
    for (int d = shape->rank - 1; d > 0; d--) column = column * (size_t)shape->dim[d] + (size_t)index[d];
    return column;
}

typedef struct turning {
    const dt_npy *npy;
    int fd;
    const char *name;
    size_t row;           /* values */
    char *column, *block; /* of a block of rows */
} turning;

static dt_status read_block(turning *t, int64_t first, int64_t count) {
    const dt_npy *npy = t->npy;
    size_t size = dt_dtype_size(npy->dtype), place = 0;
    int64_t index[DT_MAX_RANK] = {0};
    for (size_t i = 0; i < t->row; i++) {
        int64_t at = npy->begin + ((int64_t)place * npy->shape.dim[0] + first) * (int64_t)npy->item;
        DT_TRY(read_at(t->fd, t->name, t->column, (size_t)count * npy->item, at));
        convert(npy, t->column, (size_t)count);
        for (int64_t r = 0; r < count; r++)
            memcpy(t->block + ((size_t)r * t->row + i) * size, t->column + (size_t)r * size, size);
        place = next_column(&npy->shape, index);
        dt_alive();
    }
    return dt_ok();
}

static dt_status turn_rows(turning *t, int64_t at_once, dt_h5 *to, const char *dataset) {
    int64_t rows = t->npy->shape.dim[0];
    dt_headway headway;
    dt_headway_begin(&headway, "rows", rows, "importing %s", t->name);
    for (int64_t first = 0, count; first < rows; first += count) {
        dt_headway_at(&headway, first);
        count = rows - first < at_once ? rows - first : at_once;
        DT_TRY(read_block(t, first, count));
        DT_TRY(dt_h5_write_rows(to, dataset, t->npy->dtype, first, count, t->block));
    }
    dt_headway_end(&headway);
    return dt_ok();
}

dt_status dt_npy_turn(const dt_npy *npy, int fd, const char *name, dt_h5 *to, const char *dataset) {
    turning t = {.npy = npy, .fd = fd, .name = name};
    int64_t at_once = rows_of(npy, TURNED_BYTES, &t.row);
    DT_TRY(dt_h5_create_dataset(to, dataset, npy->dtype, &npy->shape, 0));
    t.block = make_block(npy, at_once, t.row);
    t.column = make_block(npy, at_once, 1);
    dt_status status = t.block && t.column ? turn_rows(&t, at_once, to, dataset) : fail_block(npy, at_once, t.row);
    dt_free(t.block);
    dt_free(t.column);
    return status;
}

/* from[…] with the first index fastest, into C order. */
static void turn(const dt_npy *npy, const char *from, char *to) {
    size_t bytes = dt_dtype_size(npy->dtype);
    int64_t index[DT_MAX_RANK] = {0}, step[DT_MAX_RANK], count = dt_shape_count(&npy->shape);
    for (int i = 0; i < npy->shape.rank; i++) step[i] = i == 0 ? 1 : step[i - 1] * npy->shape.dim[i - 1];
    for (int64_t n = 0; n < count; n++) {
        int64_t at = 0;
        for (int i = 0; i < npy->shape.rank; i++) at += index[i] * step[i];
        memcpy(to + (size_t)n * bytes, from + (size_t)at * bytes, bytes);
        for (int i = npy->shape.rank - 1; i >= 0 && ++index[i] == npy->shape.dim[i]; i--) index[i] = 0;
    }
}

dt_status dt_npy_read(const dt_npy *npy, const dt_npy_source *source, void *out) {
    size_t count = (size_t)dt_shape_count(&npy->shape), got;
    DT_TRY(source->read(source->context, out, count * npy->item, &got));
    if (got < count * npy->item) return dt_fail(DT_ERR_CORRUPT, "%s: the file ends inside the array", source->name);
    convert(npy, out, count);
    if (!npy->fortran || npy->shape.rank < 2) return dt_ok();
    size_t bytes = count * dt_dtype_size(npy->dtype);
    char *copy = dt_alloc(bytes, 1);
    if (!copy) return dt_fail_memory("an array", bytes);
    memcpy(copy, out, bytes);
    turn(npy, copy, out);
    dt_free(copy);
    return dt_ok();
}
