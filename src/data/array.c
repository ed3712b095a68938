/* Arrays as memory. A contiguous native array is mapped where it lies, so opening it costs nothing, the machine's
 * ranks share one copy, and a set larger than memory is the page cache's business. Every other array (chunked,
 * compressed, foreign byte order, compact, never written) is unpacked once per machine into a spool file that has lost
 * its name before the first byte is in it, so neither a crash nor a kill leaves anything behind, and then it is mapped
 * too: reading a sample is the same pointer arithmetic for all. What is given up: the spool needs the unpacked size on
 * a local disk, and labels and values, but not inputs, are looked at when the set is opened.
 *
 * HDF5 is read by children alone (guard.h), for the file may be anybody's: one says where and what the array is,
 * another writes the spool. This process maps what it was told, where that is in the file. */
#include "array_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/append.h"
#include "base/file.h"
#include "base/mapped.h"
#include "base/memory.h"
#include "store/h5.h"

/* ---- what the file says ---- */

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

static bool note_member(void *context, const char *name, int64_t value) {
    member_list *members = context;
    size_t length = strlen(name) + 1;
    if (members->count == 512 || (size_t)members->used + length > sizeof members->text) return false;
    memcpy(members->text + members->used, name, length);
    members->value[members->count] = value;
    members->begin[members->count++] = (uint16_t)members->used;
    members->used += (int32_t)length;
    return true;
}

/* What came from a child is not trusted. */
static bool members_sound(const member_list *members) {
    if (members->count < 0 || members->count > 512 || members->text[sizeof members->text - 1] != '\0') return false;
    for (int i = 0; i < members->count; i++)
        if (members->begin[i] >= sizeof members->text) return false;
    return true;
}

dt_status dt_fail_missing(const char *file) {
    const char *slash = strrchr(file, '/');
    const char *name = slash ? slash + 1 : file;
    if (strcmp(name, "fashion-mnist.h5") == 0 || strcmp(name, "mnist.h5") == 0 || strcmp(name, "shakespeare.h5") == 0)
        return dt_fail(DT_ERR_IO, "%s: no such file (run data/fetch.sh %.*s to make it)", file, (int)strlen(name) - 3,
                       name);
    return dt_fail(DT_ERR_IO, "%s: no such file", file);
}

static dt_status check_shape(const dt_h5_info *info, const char *file, const char *dataset) {
    char text[96];
    dt_shape_text(&info->shape, text);
    if (info->shape.rank == 0)
        return dt_fail(DT_ERR_INPUT, "%s: %s is a single value; expected one row per sample", file, dataset);
    size_t bytes = dt_dtype_size(info->dtype);
    for (int i = 0; i < info->shape.rank; i++) {
        if (info->shape.dim[i] <= 0) return dt_fail(DT_ERR_INPUT, "%s: %s is empty (shape %s)", file, dataset, text);
        if (!dt_size_mul(bytes, (size_t)info->shape.dim[i], &bytes) || bytes > INT64_MAX)
            return dt_fail(DT_ERR_INPUT, "%s: %s is too large (shape %s)", file, dataset, text);
    }
    return dt_ok();
}

typedef struct look_job {
    const char *file, *dataset;
    dt_h5_info info;
    member_list members;
} look_job;

static dt_status look_into(dt_h5 *h5, look_job *job) {
    if (!dt_h5_has(h5, job->dataset)) {
        name_list list = {.text = ""};
        dt_status walked = dt_h5_walk(h5, list_name, &list);
        return dt_fail(DT_ERR_INPUT, "%s: there is no %s; %s%s", job->file, job->dataset,
                       walked.code == DT_OK && list.text[0] ? "it holds " : "it holds no datasets", list.text);
    }
    DT_TRY(dt_h5_describe(h5, job->dataset, &job->info));
    DT_TRY(check_shape(&job->info, job->file, job->dataset));
    DT_TRY(dt_h5_members(h5, job->dataset, note_member, &job->members));
    return dt_h5_check_values(h5, job->dataset);
}

/* In a child. */
static dt_status send_info(void *context, dt_h5 *h5, dt_guard *to) {
    look_job *job = context;
    DT_TRY(look_into(h5, job));
    DT_TRY(dt_guard_send(to, &job->info, sizeof job->info));
    return dt_guard_send(to, &job->members, sizeof job->members);
}

static dt_status take_info(void *context, dt_guard *from) {
    look_job *job = context;
    DT_TRY(dt_guard_take(from, &job->info, sizeof job->info));
    DT_TRY(dt_guard_take(from, &job->members, sizeof job->members));
    if (!members_sound(&job->members) || job->info.dtype >= DT_DTYPE_COUNT || job->info.shape.rank < 0 ||
        job->info.shape.rank > DT_MAX_RANK)
        return dt_fail(DT_ERR_CORRUPT, "%s: %s is nothing that can be read", job->file, job->dataset);
    return check_shape(&job->info, job->file, job->dataset);
}

static dt_status look(look_job *job) {
    if (access(job->file, F_OK) != 0 && errno == ENOENT) return dt_fail_missing(job->file);
    return dt_h5_run(&(dt_h5_job){.path = job->file, .work = send_info, .take = take_info, .context = job});
}

/* Machines may have copies of their own; they have to be alike. */
static dt_status check_alike(const dt_h5_info *info, const dt_h5_info *first, const dt_ranks *ranks, const char *file,
                             const char *dataset) {
    bool alike = info->dtype == first->dtype && info->shape.rank == first->shape.rank;
    for (int i = 0; alike && i < info->shape.rank; i++) alike = info->shape.dim[i] == first->shape.dim[i];
    if (alike) return dt_ok();
    char here[96], there[96];
    dt_shape_text(&info->shape, here);
    dt_shape_text(&first->shape, there);
    return dt_fail(DT_ERR_INPUT, "%s: %s is %s %s on %s but %s %s where rank 0 runs", file, dataset,
                   dt_dtype_name(info->dtype), here, ranks->host, dt_dtype_name(first->dtype), there);
}

/* Collective. Rank 0's names of values, where there are any. */
static dt_status share_members(dt_array *array, const member_list *found, const dt_ranks *ranks) {
    int32_t count = found->count;
    DT_TRY(dt_ranks_broadcast(ranks, &count, sizeof count, 0));
    if (count == 0) return dt_ok();
    array->members = dt_alloc(1, sizeof *array->members);
    DT_TRY(dt_ranks_agree(ranks, array->members ? dt_ok() : dt_fail_memory("names of values", sizeof *array->members)));
    *array->members = *found;
    return dt_ranks_broadcast(ranks, array->members, sizeof *array->members, 0);
}

/* Collective. The first rank of every machine looks, and tells the others. */
static dt_status describe(dt_array *array, dt_h5_info *info, const dt_ranks *ranks, const char *file,
                          const char *dataset) {
    look_job job = {.file = file, .dataset = dataset};
    dt_status status = ranks->node_rank == 0 ? look(&job) : dt_ok();
    DT_TRY(dt_ranks_agree(ranks, status));
    *info = job.info;
    DT_TRY(dt_ranks_node_broadcast(ranks, info, sizeof *info));
    dt_h5_info first = *info;
    DT_TRY(dt_ranks_broadcast(ranks, &first, sizeof first, 0));
    DT_TRY(dt_ranks_agree(ranks, check_alike(info, &first, ranks, file, dataset)));
    return share_members(array, &job.members, ranks);
}

/* ---- mapping ---- */

static dt_status map_in_place(dt_array *array, uint64_t offset, const char *file, const char *dataset) {
    int fd;
    DT_TRY(dt_file_open(file, &fd, NULL));
    dt_status status = dt_array_map(array, fd, offset, file, dataset);
    close(fd);
    return status;
}

/* ---- arrays ---- */

static void fill_in(dt_array *array, const dt_h5_info *info) {
    array->dtype = info->dtype;
    array->rows = info->shape.dim[0];
    array->row_shape.rank = info->shape.rank - 1;
    for (int i = 1; i < info->shape.rank; i++) array->row_shape.dim[i - 1] = info->shape.dim[i];
    array->row_bytes = (size_t)dt_shape_count(&array->row_shape) * dt_dtype_size(info->dtype);
    array->bytes = (size_t)array->rows * array->row_bytes;
    array->in_place =
        info->native && info->contiguous && info->allocated && info->offset % dt_dtype_size(info->dtype) == 0;
    array->offset = info->offset;
}

static dt_status describe_values(dt_array *array, const dt_ranks *ranks, const char *file, const char *dataset) {
    dt_h5_info info;
    DT_TRY(describe(array, &info, ranks, file, dataset));
    fill_in(array, &info);
    return dt_ok();
}

dt_status dt_array_describe(dt_array **out, const dt_ranks *ranks, const char *file, const char *dataset) {
    *out = NULL;
    dt_array *array = dt_alloc(1, sizeof *array);
    dt_status status = dt_ranks_agree(ranks, array ? dt_ok() : dt_fail_memory("a dataset", sizeof *array));
    if (status.code == DT_OK) status = describe_values(array, ranks, file, dataset);
    if (status.code == DT_OK)
        *out = array;
    else
        dt_array_close(array);
    return status;
}

dt_status dt_array_recall(dt_array **out, dt_dtype dtype, const dt_shape *shape) {
    *out = dt_alloc(1, sizeof **out);
    if (!*out) return dt_fail_memory("a dataset", sizeof **out);
    fill_in(*out, &(dt_h5_info){.dtype = dtype, .shape = *shape});
    return dt_ok();
}

/* Files of different machines may differ in layout: either way takes the same collective calls only if all take it, so
 * one that needs unpacking makes all unpack. */
dt_status dt_array_fetch(dt_array *array, const dt_ranks *ranks, const char *file, const char *dataset,
                         const char *spool) {
    if (dt_ranks_any(ranks, !array->in_place))
        return dt_ranks_agree(ranks, dt_spool_unpack(array, ranks, file, dataset, dt_spool_directory(spool)));
    return dt_ranks_agree(ranks, map_in_place(array, array->offset, file, dataset));
}

dt_status dt_array_open(dt_array **out, const dt_ranks *ranks, const char *file, const char *dataset,
                        const char *spool) {
    DT_TRY(dt_array_describe(out, ranks, file, dataset));
    dt_status status = dt_array_fetch(*out, ranks, file, dataset, spool);
    if (status.code == DT_OK) return status;
    dt_array_close(*out);
    *out = NULL;
    return status;
}

void dt_array_close(dt_array *array) {
    if (!array) return;
    if (array->map) {
        dt_mapped_remove(array->map);
        munmap(array->map, array->map_bytes);
    }
    dt_free(array->members);
    dt_free(array);
}

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

bool dt_array_of_integers(const dt_array *array) {
    return array->dtype != DT_F32 && array->dtype != DT_F64;
}

const void *dt_array_row(const dt_array *array, int64_t row) {
    return array->values + (size_t)row * array->row_bytes;
}

const char *dt_array_member(const dt_array *array, int64_t value) {
    for (int i = 0; array->members && i < array->members->count; i++)
        if (array->members->value[i] == value) return array->members->text + array->members->begin[i];
    return NULL;
}
