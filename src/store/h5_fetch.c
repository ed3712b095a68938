/* Small arrays from files of others, for rooms that want values and know nothing of children and files. */
#include "base/memory.h"
#include "store/h5.h"

typedef struct fetch_job {
    const char *path, *dataset;
    dt_dtype dtype;
    int64_t most, count;
    void *values;
} fetch_job;

static dt_status read_values(fetch_job *job, dt_h5 *file) {
    dt_h5_info info;
    if (!dt_h5_has(file, job->dataset)) return dt_ok();
    DT_TRY(dt_h5_describe(file, job->dataset, &info));
    int64_t count = info.shape.rank == 1 ? info.shape.dim[0] : 0;
    if (info.dtype != job->dtype || count < 1 || count > job->most)
        return dt_fail(DT_ERR_CORRUPT, "%s: %s is not a list of 1 to %lld numbers of %s", job->path, job->dataset,
                       (long long)job->most, dt_dtype_name(job->dtype));
    DT_TRY(dt_h5_check_values(file, job->dataset));
    job->values = dt_alloc((size_t)count, dt_dtype_size(job->dtype));
    if (!job->values) return dt_fail_memory(job->dataset, (size_t)count * dt_dtype_size(job->dtype));
    job->count = count;
    return dt_h5_read_rows(file, job->dataset, job->dtype, 0, count, job->values);
}

/* In a child. */
static dt_status send_values(void *context, dt_h5 *file, dt_guard *to) {
    fetch_job read = *(const fetch_job *)context;
    dt_status status = read_values(&read, file);
    if (status.code == DT_OK) status = dt_guard_send(to, &read.count, sizeof read.count);
    if (status.code == DT_OK) status = dt_guard_send(to, read.values, (size_t)read.count * dt_dtype_size(read.dtype));
    dt_free(read.values);
    return status;
}

static dt_status take_values(void *context, dt_guard *from) {
    fetch_job *job = context;
    DT_TRY(dt_guard_take(from, &job->count, sizeof job->count));
    if (job->count < 0 || job->count > job->most)
        return dt_fail(DT_ERR_CORRUPT, "%s: %s has an impossible size", job->path, job->dataset);
    if (job->count == 0) return dt_ok();
    size_t bytes = (size_t)job->count * dt_dtype_size(job->dtype);
    job->values = dt_alloc(bytes, 1);
    return job->values ? dt_guard_take(from, job->values, bytes) : dt_fail_memory(job->dataset, bytes);
}

dt_status dt_h5_fetch(const char *path, const char *dataset, dt_dtype dtype, int64_t most, void **values,
                      int64_t *count) {
    fetch_job job = {.path = path, .dataset = dataset, .dtype = dtype, .most = most};
    dt_status status = dt_h5_run(&(dt_h5_job){.path = path, .work = send_values, .take = take_values, .context = &job});
    if (status.code != DT_OK) {
        dt_free(job.values);
        job.values = NULL;
        job.count = 0;
    }
    *values = job.values;
    *count = job.count;
    return status;
}
