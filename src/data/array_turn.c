/* Arrays whose samples are last, as MATLAB writes them: the last dimension becomes the first, once, in a second file of
 * the spool, so reading a sample stays pointer arithmetic. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "array_internal.h"
#include "base/alive.h"
#include "base/memory.h"

/* Rows [first, first + count) of what is to be [rows, width] into block, from [width, rows]. */
static void turn_block(char *block, const char *from, int64_t rows, int64_t width, size_t size, int64_t first,
                       int64_t count) {
    for (int64_t i = 0; i < width; i++) {
        const char *line = from + (size_t)(i * rows + first) * size;
        char *to = block + (size_t)i * size;
        for (int64_t r = 0; r < count; r++) memcpy(to + (size_t)(r * width) * size, line + (size_t)r * size, size);
    }
}

static dt_status write_turned(const dt_array *array, int fd, const char *from, const char *dataset) {
    int64_t rows = dt_spool_rows(array, 0), width = dt_shape_count(&array->row_shape);
    char *block = dt_alloc((size_t)rows, array->row_bytes);
    if (!block) return dt_fail_memory("turning a dataset", (size_t)rows * array->row_bytes);
    dt_status status = dt_ok();
    for (int64_t first = 0; first < array->rows && status.code == DT_OK; first += rows) {
        int64_t count = array->rows - first < rows ? array->rows - first : rows;
        turn_block(block, from, array->rows, width, dt_dtype_size(array->dtype), first, count);
        status = dt_spool_write(fd, block, (size_t)count * array->row_bytes, (off_t)((size_t)first * array->row_bytes));
        dt_alive();
    }
    dt_free(block);
    return dt_status_within(status, "cannot write the spool file of %s", dataset);
}

/* Collective. `turned` has the shape; `array` the values. */
static dt_status map_turned(dt_array *turned, const dt_array *array, const dt_ranks *ranks, const char *dataset,
                            const char *directory) {
    int fd = -1;
    dt_status status = dt_spool_open(&fd, ranks, directory);
    bool first = ranks->node_rank == 0;
    if (status.code == DT_OK) {
        int code = first ? posix_fallocate(fd, 0, (off_t)turned->bytes) : 0;
        if (code != 0)
            status = dt_fail(DT_ERR_IO,
                             "turning %s needs %zu bytes in the spool directory %s: %s (data.spool names another)",
                             dataset, turned->bytes, directory, strerror(code));
        else if (first)
            status = write_turned(turned, fd, array->values, dataset);
        status = dt_ranks_agree(ranks, status);
    }
    if (status.code == DT_OK) status = dt_ranks_agree(ranks, dt_array_map(turned, fd, 0, directory, dataset));
    if (fd >= 0) close(fd);
    return status;
}

dt_status dt_array_turn(dt_array **array, const dt_ranks *ranks, const char *dataset, const char *spool) {
    dt_array *old = *array;
    int rank = old->row_shape.rank;
    if (rank == 0) return dt_ok();
    dt_array *turned = dt_alloc(1, sizeof *turned);
    DT_TRY(dt_ranks_agree(ranks, turned ? dt_ok() : dt_fail_memory("a dataset", sizeof *turned)));
    *turned = *old;
    turned->map = NULL;
    turned->rows = old->row_shape.dim[rank - 1];
    turned->row_shape.dim[0] = old->rows;
    for (int i = 1; i < rank; i++) turned->row_shape.dim[i] = old->row_shape.dim[i - 1];
    turned->row_bytes = (size_t)dt_shape_count(&turned->row_shape) * dt_dtype_size(turned->dtype);
    dt_status status = map_turned(turned, old, ranks, dataset, dt_spool_directory(spool));
    dt_array *left = status.code == DT_OK ? old : turned;
    *array = left == old ? turned : old;
    left->members = NULL; /* the other has them, too */
    dt_array_close(left);
    return status;
}
