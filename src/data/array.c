/* Arrays as memory. A contiguous native dataset is mapped where it lies, so opening it costs nothing, the machine's
 * ranks share it, and a set larger than memory is the page cache's business; what is small each rank copies
 * (array_map.c, which says why). Every other one (chunked, compressed, of another byte order, compact, part of a
 * compound, turned) is unpacked once per machine into a spool file that has lost its name before the first byte is in
 * it, so neither a crash nor a kill leaves anything behind, and then it is mapped too: reading a sample is the same
 * pointer arithmetic for all. What is given up: the spool needs the unpacked size on a local disk, and labels and
 * values, but not inputs, are looked at when the set is opened.
 *
 * Where the files of an array are mapped, a row finds its file's; whoever goes through all values as one asks for one
 * run, which puts those of several files into the spool. What is computed never depends on it. */
#include "array_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "row_stream.h"

#define MOST_MAPS 16384 /* files that are mapped one by one: the system has 65530 for a process */

/* ---- shape ---- */

static void settle(dt_array *array, dt_dtype dtype, const dt_shape *shape) {
    array->dtype = dtype;
    array->rows = shape->dim[0];
    array->row_shape.rank = shape->rank - 1;
    for (int i = 1; i < shape->rank; i++) array->row_shape.dim[i - 1] = shape->dim[i];
    array->row_bytes = (size_t)dt_shape_count(&array->row_shape) * dt_dtype_size(dtype);
    array->bytes = (size_t)array->rows * array->row_bytes;
}

dt_status dt_array_name_inputs(dt_array *array, const dt_input *inputs, int64_t count) {
    if (count == 0) return dt_ok();
    array->inputs = dt_alloc((size_t)count, sizeof *inputs);
    if (!array->inputs) return dt_fail_memory("names of inputs", (size_t)count * sizeof *inputs);
    memcpy(array->inputs, inputs, (size_t)count * sizeof *inputs);
    array->input_count = count;
    return dt_ok();
}

dt_status dt_array_recall(dt_array **out, dt_dtype dtype, const dt_shape *shape) {
    *out = dt_alloc(1, sizeof **out);
    if (!*out) return dt_fail_memory("a dataset", sizeof **out);
    settle(*out, dtype, shape);
    return dt_ok();
}

static dt_status describe(dt_array *array, const dt_ranks *ranks, const char *files, const char *dataset,
                          const dt_h5_order *order) {
    if (order) array->order = *order;
    array->dataset = dt_strdup(dataset);
    DT_TRY(dt_ranks_agree(ranks, array->dataset ? dt_ok() : dt_fail_memory("a name", strlen(dataset))));
    DT_TRY(dt_files_open(&array->files, ranks, files));
    dt_h5_rows_info info;
    DT_TRY(dt_array_look(array, ranks, &info));
    settle(array, info.dtype, &info.shape);
    return dt_ranks_agree(ranks, dt_array_name_inputs(array, info.input, info.input_count));
}

dt_status dt_array_describe(dt_array **out, const dt_ranks *ranks, const char *files, const char *dataset,
                            const dt_h5_order *order) {
    *out = NULL;
    dt_array *array = dt_alloc(1, sizeof *array);
    dt_status status = dt_ranks_agree(ranks, array ? dt_ok() : dt_fail_memory("a dataset", sizeof *array));
    if (status.code == DT_OK) status = describe(array, ranks, files, dataset, order);
    if (status.code == DT_OK)
        *out = array;
    else
        dt_array_close(array);
    return status;
}

/* ---- values ---- */

static dt_status map_in_place(dt_array *array, int64_t index) {
    const dt_h5_part *part = &array->parts[index];
    const char *file = array->files.name[index];
    int fd;
    DT_TRY(dt_file_open(file, &fd, NULL));
    dt_status status = dt_array_map(array, part->first, (size_t)part->rows * array->row_bytes, fd, part->offset, file);
    close(fd);
    return status;
}

/* All parts, in their order; neighbours in the spool are one run. */
static dt_status map_parts(dt_array *array, const int64_t *spooled, int spool, const char *directory) {
    uint64_t offset = 0;
    for (int64_t i = 0, end; i < array->files.count; i = end) {
        size_t bytes = 0;
        for (end = i; end < array->files.count && spooled[end]; end++)
            bytes += (size_t)array->parts[end].rows * array->row_bytes;
        if (end == i)
            DT_TRY(map_in_place(array, end++));
        else
            DT_TRY(dt_array_map(array, array->parts[i].first, bytes, spool, offset, directory));
        offset += bytes;
    }
    return dt_ok();
}

static dt_status map_values(dt_array *array, const dt_ranks *ranks, const int64_t *spooled, const char *directory) {
    bool any = false;
    for (int64_t i = 0; i < array->files.count; i++) any = any || spooled[i];
    int spool = -1;
    dt_status status = any ? dt_spool_unpack(array, ranks, spooled, &spool, directory) : dt_ok();
    if (status.code == DT_OK) status = dt_ranks_agree(ranks, map_parts(array, spooled, spool, directory));
    if (spool >= 0) close(spool);
    if (status.code == DT_OK && array->run_count == 1) array->values = array->runs[0].values;
    return status;
}

/* Files of different machines may differ in layout, and all ranks must take the same way: what one of them has to
 * unpack, all unpack. */
dt_status dt_array_fetch(dt_array *array, const dt_ranks *ranks, const char *spool, bool one_run) {
    int64_t count = array->files.count;
    int64_t *in_place = dt_alloc((size_t)count, sizeof *in_place);
    array->runs = dt_alloc((size_t)count, sizeof *array->runs);
    dt_status status = in_place && array->runs ? dt_ok() : dt_fail_memory("a list of files", (size_t)count * 40);
    status = dt_ranks_agree(ranks, status);
    bool all = count > 1 && (one_run || count > MOST_MAPS);
    for (int64_t i = 0; status.code == DT_OK && i < count; i++) in_place[i] = array->parts[i].in_place && !all;
    if (status.code == DT_OK) status = dt_ranks_least(ranks, in_place, (size_t)count);
    for (int64_t i = 0; status.code == DT_OK && i < count; i++) in_place[i] = !in_place[i]; /* now: to be unpacked */
    if (status.code == DT_OK) status = map_values(array, ranks, in_place, dt_spool_directory(spool));
    dt_free(in_place);
    return status;
}

dt_status dt_array_open(dt_array **out, const dt_ranks *ranks, const char *files, const char *dataset,
                        const char *spool) {
    DT_TRY(dt_array_describe(out, ranks, files, dataset, NULL));
    dt_status status = dt_array_fetch(*out, ranks, spool, true);
    if (status.code == DT_OK) return status;
    dt_array_close(*out);
    *out = NULL;
    return status;
}

bool dt_array_fits(const dt_array *array, const dt_ranks *ranks, size_t memory) {
    bool in_place = true;
    for (int64_t i = 0; i < array->files.count; i++) in_place = in_place && array->parts[i].in_place;
    return !dt_ranks_any(ranks, !in_place || array->files.count > MOST_MAPS || array->bytes > memory);
}

dt_status dt_array_stream(dt_array *array, const dt_ranks *ranks, const dt_row_stream_request *request) {
    dt_row_stream_close(array->stream);
    return dt_row_stream_open(&array->stream, ranks, array, request);
}

int64_t dt_array_files(const dt_array *array) {
    return array->files.count;
}

int64_t dt_array_file_of(const dt_array *array, int64_t row) {
    int64_t file = 0;
    while (file + 1 < array->files.count && row >= array->parts[file + 1].first) file++;
    return file;
}

void dt_array_close(dt_array *array) {
    if (!array) return;
    dt_row_stream_close(array->stream);
    for (int64_t i = 0; i < array->run_count; i++) {
        dt_array_unmap(&array->runs[i]);
        dt_free(array->runs[i].copy);
    }
    dt_free(array->inputs);
    dt_free(array->runs);
    dt_free(array->parts);
    dt_files_close(&array->files);
    dt_free(array->dataset);
    dt_members_finish(&array->members);
    dt_free(array);
}

/* ---- rows ---- */

int64_t dt_array_rows(const dt_array *array) {
    return array->rows;
}
dt_shape dt_array_shape(const dt_array *array) {
    dt_shape shape = {array->row_shape.rank + 1, {array->rows}};
    memcpy(shape.dim + 1, array->row_shape.dim, (size_t)array->row_shape.rank * sizeof *shape.dim);
    return shape;
}
dt_shape dt_array_row_shape(const dt_array *array) {
    return array->row_shape;
}
dt_dtype dt_array_dtype(const dt_array *array) {
    return array->dtype;
}

const dt_input *dt_array_inputs(const dt_array *array, int64_t *count) {
    *count = array->input_count;
    return array->inputs;
}

bool dt_array_of_integers(const dt_array *array) {
    return array->dtype != DT_F32 && array->dtype != DT_F64;
}

/* The run that has a row. */
static const array_run *run_of(const dt_array *array, int64_t row) {
    int64_t low = 0, high = array->run_count - 1;
    while (low < high) {
        int64_t middle = (low + high + 1) / 2;
        if (array->runs[middle].first <= row)
            low = middle;
        else
            high = middle - 1;
    }
    return &array->runs[low];
}

const void *dt_array_row(const dt_array *array, int64_t row) {
    int64_t rows;
    if (array->values) return array->values + (size_t)row * array->row_bytes;
    if (array->stream) return dt_row_stream_row(array->stream, row, &rows);
    const array_run *run = run_of(array, row);
    return run->values + (size_t)(row - run->first) * array->row_bytes;
}

const char *dt_array_bytes(const dt_array *array, size_t at, size_t *run) {
    int64_t row = (int64_t)(at / array->row_bytes), rows;
    if (array->stream) {
        const char *first = dt_row_stream_row(array->stream, row, &rows);
        at -= (size_t)row * array->row_bytes;
        *run = (size_t)rows * array->row_bytes - at;
        return first + at;
    }
    const array_run *here = run_of(array, row);
    int64_t end = here + 1 < array->runs + array->run_count ? here[1].first : array->rows;
    *run = (size_t)end * array->row_bytes - at;
    return here->values + (at - (size_t)here->first * array->row_bytes);
}

bool dt_array_in_memory(const dt_array *array) {
    return !array->stream;
}

size_t dt_array_copied(const dt_array *array) {
    size_t bytes = 0;
    for (int64_t i = 0; i < array->run_count; i++)
        if (array->runs[i].copy) bytes += array->runs[i].map_bytes;
    return bytes;
}

void dt_array_release(const dt_array *array) {
    if (array->stream) dt_row_stream_release(array->stream);
}

void dt_array_ahead(const dt_array *array, const dt_sampler *order, const dt_selection *selection, int64_t position) {
    if (array->stream) dt_row_stream_ahead(array->stream, order, selection, position);
}

dt_status dt_array_failure(const dt_array *array) {
    return array->stream ? dt_row_stream_failure(array->stream) : dt_ok();
}
