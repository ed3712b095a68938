/* What the files of an array say of it. HDF5 is read by children alone (guard.h), for a file may be anybody's: one says
 * where and what the array is, another writes the spool. This process maps what it was told, where that is in a file.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "array_internal.h"
#include "base/memory.h"

#define LEAST_SECONDS 10
#define FILES_A_SECOND 50
#define BYTES_A_SECOND (8.0 * (1 << 20)) /* a tenth of what unpacking reaches */

typedef struct look_job {
    dt_array *array;
    dt_h5_rows_info info;
} look_job;

dt_status dt_fail_missing(const char *file) {
    const char *slash = strrchr(file, '/');
    const char *name = slash ? slash + 1 : file;
    if (strcmp(name, "fashion-mnist.h5") == 0 || strcmp(name, "mnist.h5") == 0 || strcmp(name, "shakespeare.h5") == 0)
        return dt_fail(DT_ERR_IO, "%s: no such file (run data/fetch.sh %.*s to make it)", file, (int)strlen(name) - 3,
                       name);
    return dt_fail(DT_ERR_IO, "%s: no such file", file);
}

unsigned dt_array_seconds(const dt_array *array, size_t written) {
    double bytes = (double)written;
    struct stat about;
    for (int64_t i = 0; i < array->files.count; i++)
        if (stat(array->files.name[i], &about) == 0 && about.st_size > 0) bytes += (double)about.st_size;
    double seconds = LEAST_SECONDS + (double)array->files.count / FILES_A_SECOND + bytes / BYTES_A_SECOND;
    return seconds < 1e9 ? (unsigned)seconds : 1000000000;
}

/* ---- in a child ---- */

static dt_status check_unchanged(const dt_array *array, const dt_h5_rows *from) {
    const dt_h5_rows_info *info = dt_h5_rows_info_of(from);
    bool same = (size_t)dt_shape_count(&info->shape) * dt_dtype_size(info->dtype) == array->bytes;
    for (int64_t i = 0; i < array->files.count; i++)
        same = same && dt_h5_rows_parts(from)[i].rows == array->parts[i].rows;
    return same ? dt_ok()
                : dt_fail(DT_ERR_CORRUPT, "%s: %s was changed while it was read", array->files.name[0], array->dataset);
}

dt_status dt_array_open_rows(const dt_array *array, dt_h5_rows **out) {
    const dt_h5_files files = {array->files.name, array->files.count};
    DT_TRY(dt_h5_rows_open(out, &files, array->dataset, &array->order));
    dt_status status = check_unchanged(array, *out);
    if (status.code != DT_OK) dt_h5_rows_close(*out);
    return status;
}

static dt_status send_all(look_job *job, const dt_h5_rows *rows, dt_guard *to) {
    job->info = *dt_h5_rows_info_of(rows);
    DT_TRY(dt_guard_send(to, &job->info, sizeof job->info));
    DT_TRY(dt_guard_send(to, dt_h5_rows_parts(rows), (size_t)job->array->files.count * sizeof(dt_h5_part)));
    return dt_members_send(rows, to);
}

static dt_status look_in_child(void *context, dt_guard *to) {
    look_job *job = context;
    const dt_array *array = job->array;
    dt_h5_rows *rows;
    const dt_h5_files files = {array->files.name, array->files.count};
    DT_TRY(dt_h5_rows_open(&rows, &files, array->dataset, &array->order));
    dt_status status = send_all(job, rows, to);
    dt_h5_rows_close(rows);
    return status;
}

/* ---- here: what came from a child is not trusted ---- */

static bool info_sound(const dt_h5_rows_info *info) {
    if (info->dtype >= DT_DTYPE_COUNT || info->shape.rank < 1 || info->shape.rank > DT_MAX_RANK) return false;
    size_t bytes = dt_dtype_size(info->dtype);
    for (int i = 0; i < info->shape.rank; i++)
        if (info->shape.dim[i] <= 0 || !dt_size_mul(bytes, (size_t)info->shape.dim[i], &bytes) ||
            bytes > INT64_MAX / 16)
            return false;
    return true;
}

static bool inputs_sound(const dt_h5_rows_info *info) {
    if (info->input_count == 0) return true;
    if (info->input_count < 0 || info->input_count > DT_MOST_INPUTS || info->shape.rank != 2) return false;
    int64_t first = 0;
    for (int64_t i = 0; i < info->input_count; i++) {
        const dt_input *input = &info->input[i];
        int64_t numbers = 1;
        if (memchr(input->name, '\0', sizeof input->name) == NULL || input->first != first) return false;
        if (input->shape.rank < 1 || input->shape.rank > DT_MAX_RANK) return false;
        for (int d = 0; d < input->shape.rank; d++)
            if (input->shape.dim[d] < 1 || __builtin_mul_overflow(numbers, input->shape.dim[d], &numbers)) return false;
        if (numbers > info->shape.dim[1] - first) return false;
        first += numbers;
    }
    return first == info->shape.dim[1];
}

static bool parts_sound(const dt_h5_part *parts, int64_t count, int64_t rows) {
    int64_t first = 0;
    for (int64_t i = 0; i < count; i++) {
        if (parts[i].first != first || parts[i].rows < 1 || parts[i].rows > rows - first) return false;
        first += parts[i].rows;
    }
    return first == rows;
}

static dt_status take_look(void *context, dt_guard *from) {
    look_job *job = context;
    dt_array *array = job->array;
    int64_t count = array->files.count;
    DT_TRY(dt_guard_take(from, &job->info, sizeof job->info));
    DT_TRY(dt_guard_take(from, array->parts, (size_t)count * sizeof *array->parts));
    DT_TRY(dt_members_take(&array->members, from, array->files.name[0], array->dataset));
    if (info_sound(&job->info) && inputs_sound(&job->info) && parts_sound(array->parts, count, job->info.shape.dim[0]))
        return dt_ok();
    return dt_fail(DT_ERR_CORRUPT, "%s: %s is nothing that can be read", array->files.name[0], array->dataset);
}

static dt_status look(look_job *job, const dt_ranks *ranks) {
    const dt_files *files = &job->array->files;
    for (int64_t i = 0; i < files->count; i++) {
        if (access(files->name[i], F_OK) == 0 || errno != ENOENT) continue;
        if (ranks->rank == 0) return dt_fail_missing(files->name[i]);
        return dt_fail(DT_ERR_IO, "%s: no such file on %s; every machine needs all of the data", files->name[i],
                       ranks->host);
    }
    return dt_guard_run(&(dt_guard_job){.path = files->name[0],
                                        .seconds = dt_array_seconds(job->array, 0),
                                        .work = look_in_child,
                                        .take = take_look,
                                        .context = job});
}

/* ---- all ranks ---- */

/* Machines may have copies of their own; they have to be alike. */
static dt_status check_alike(const look_job *job, const look_job *first, const dt_ranks *ranks) {
    const dt_shape *shape = &job->info.shape;
    const dt_array *array = job->array;
    bool alike = job->info.dtype == first->info.dtype && job->info.texts == first->info.texts &&
                 shape->rank == first->info.shape.rank;
    for (int i = 0; alike && i < shape->rank; i++) alike = shape->dim[i] == first->info.shape.dim[i];
    if (alike) return dt_ok();
    char here[96], there[96];
    dt_shape_text(shape, here);
    dt_shape_text(&first->info.shape, there);
    return dt_fail(DT_ERR_INPUT, "%s: %s is %s %s on %s but %s %s where rank 0 runs", array->files.name[0],
                   array->dataset, dt_dtype_name(job->info.dtype), here, ranks->host, dt_dtype_name(first->info.dtype),
                   there);
}

/* Collective. The rows of each file, on every machine those of rank 0's. */
static dt_status check_parts(const dt_array *array, const dt_ranks *ranks) {
    int64_t count = array->files.count, other = -1;
    size_t bytes = (size_t)count * sizeof *array->parts;
    dt_h5_part *first = dt_alloc(bytes, 1);
    dt_status status = dt_ranks_agree(ranks, first ? dt_ok() : dt_fail_memory("a list of files", bytes));
    if (status.code == DT_OK) memcpy(first, array->parts, bytes);
    if (status.code == DT_OK) status = dt_ranks_broadcast(ranks, first, bytes, 0);
    for (int64_t i = 0; status.code == DT_OK && i < count && other < 0; i++)
        if (first[i].rows != array->parts[i].rows) other = i;
    dt_status alike = other < 0 ? status
                                : dt_fail(DT_ERR_INPUT, "%s: %s has %lld rows on %s but %lld where rank 0 runs",
                                          array->files.name[other], array->dataset, (long long)array->parts[other].rows,
                                          ranks->host, (long long)first[other].rows);
    dt_free(first);
    return dt_ranks_agree(ranks, alike);
}

dt_status dt_array_look(dt_array *array, const dt_ranks *ranks, dt_h5_rows_info *info) {
    look_job job = {.array = array};
    size_t bytes = (size_t)array->files.count * sizeof *array->parts;
    array->parts = dt_alloc(bytes, 1);
    DT_TRY(dt_ranks_agree(ranks, array->parts ? dt_ok() : dt_fail_memory("a list of files", bytes)));
    DT_TRY(dt_ranks_agree(ranks, ranks->node_rank == 0 ? look(&job, ranks) : dt_ok()));
    DT_TRY(dt_ranks_node_broadcast(ranks, &job.info, sizeof job.info));
    DT_TRY(dt_ranks_node_broadcast(ranks, array->parts, bytes));
    look_job first = {.info = job.info};
    DT_TRY(dt_ranks_broadcast(ranks, &first.info, sizeof first.info, 0));
    DT_TRY(dt_ranks_agree(ranks, check_alike(&job, &first, ranks)));
    DT_TRY(check_parts(array, ranks));
    array->block_rows = job.info.block_rows;
    *info = job.info;
    array->texts = job.info.texts != 0;
    array->columns = job.info.columns != 0;
    return dt_members_share(&array->members, ranks, array->files.name[0], array->dataset);
}
