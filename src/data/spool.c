/* The spool: files without a name, one per machine, that hold what cannot be mapped where it lies. A file loses its
 * name before the first byte is in it, so neither a crash nor a kill leaves anything behind; its space is asked for
 * before it is written, for a mapped page without room on the disk would be a SIGBUS, much later. HDF5 is read by a
 * child (guard.h), which writes the file. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "array_internal.h"
#include "base/alive.h"
#include "base/memory.h"
#include "store/h5.h"

#define BLOCK_BYTES ((size_t)8 << 20)
#define MOST_BLOCK_BYTES ((size_t)256 << 20)

/* ---- the file ---- */

const char *dt_spool_directory(const char *spool) {
    if (spool && *spool) return spool;
    const char *temporary = getenv("TMPDIR"); // NOLINT(concurrency-mt-unsafe)
    return temporary && *temporary ? temporary : "/tmp";
}

static dt_status create_spool(int *fd, char path[PATH_MAX], const char *directory) {
    if (snprintf(path, PATH_MAX, "%s/dtrain-spool-XXXXXX", directory) >= PATH_MAX)
        return dt_fail(DT_ERR_INPUT, "data.spool: the name of the directory is too long");
    *fd = mkostemp(path, O_CLOEXEC);
    if (*fd >= 0) return dt_ok();
    return dt_fail(DT_ERR_IO, "cannot make a file in the spool directory %s: %s (data.spool names another)", directory,
                   strerror(errno));
}

static dt_status find_spool(int *fd, const char *path, const char *directory, const dt_ranks *ranks) {
    *fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (*fd >= 0) return dt_ok();
    return dt_fail(DT_ERR_IO,
                   "cannot open %s: %s; the spool directory %s must be one for all ranks on %s (data.spool names "
                   "another)",
                   path, strerror(errno), directory, ranks->host);
}

/* Collective. One file per machine, open on all its ranks, without a name. */
dt_status dt_spool_open(int *fd, const dt_ranks *ranks, const char *directory) {
    char path[PATH_MAX] = "";
    bool first = ranks->node_rank == 0;
    dt_status status = dt_ranks_agree(ranks, first ? create_spool(fd, path, directory) : dt_ok());
    if (status.code == DT_OK) status = dt_ranks_agree(ranks, dt_ranks_node_broadcast(ranks, path, sizeof path));
    if (status.code == DT_OK) status = dt_ranks_agree(ranks, first ? dt_ok() : find_spool(fd, path, directory, ranks));
    if (first && *fd >= 0) unlink(path);
    return status;
}

dt_status dt_spool_write(int fd, const char *data, size_t bytes, off_t offset) {
    while (bytes > 0) {
        ssize_t written = pwrite(fd, data, bytes, offset);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return dt_fail(DT_ERR_IO, "%s", written < 0 ? strerror(errno) : "nothing was written");
        data += written;
        bytes -= (size_t)written;
        offset += written;
    }
    return dt_ok();
}

/* ---- unpacking ---- */

/* Rows unpacked at once: whole rows of chunks, since a chunk cut in two is decompressed twice. */
int64_t dt_spool_rows(const dt_array *array, int64_t chunk_rows) {
    int64_t rows = array->row_bytes < BLOCK_BYTES ? (int64_t)(BLOCK_BYTES / array->row_bytes) : 1;
    int64_t most = array->row_bytes < MOST_BLOCK_BYTES ? (int64_t)(MOST_BLOCK_BYTES / array->row_bytes) : 1;
    if (chunk_rows > 0) rows = rows < chunk_rows ? chunk_rows : rows / chunk_rows * chunk_rows;
    if (rows > most) rows = most;
    return rows < array->rows ? rows : array->rows;
}

typedef struct unpack_job {
    const dt_array *array;
    const char *file, *dataset;
    int fd; /* the spool */
} unpack_job;

static dt_status unpack_blocks(const unpack_job *job, dt_h5 *h5, char *block, int64_t rows) {
    const dt_array *array = job->array;
    for (int64_t first = 0; first < array->rows; first += rows) {
        int64_t count = array->rows - first < rows ? array->rows - first : rows;
        DT_TRY(dt_h5_read_rows(h5, job->dataset, array->dtype, first, count, block));
        dt_status status =
            dt_spool_write(job->fd, block, (size_t)count * array->row_bytes, (off_t)((size_t)first * array->row_bytes));
        DT_TRY(dt_status_within(status, "cannot write the spool file of %s", job->dataset));
        dt_alive();
    }
    return dt_ok();
}

/* In a child. */
static dt_status unpack_in_child(void *context, dt_h5 *h5, dt_guard *to) {
    const unpack_job *job = context;
    (void)to;
    dt_h5_info info;
    DT_TRY(dt_h5_describe(h5, job->dataset, &info));
    if ((size_t)dt_shape_count(&info.shape) * dt_dtype_size(info.dtype) != job->array->bytes)
        return dt_fail(DT_ERR_CORRUPT, "%s: %s was changed while it was read", job->file, job->dataset);
    int64_t rows = dt_spool_rows(job->array, info.chunk_rows);
    size_t block_bytes = (size_t)rows * job->array->row_bytes;
    /* the block, and a chunk as it comes, as it is unpacked, and as it is converted */
    dt_guard_allow(block_bytes + 3 * info.chunk_bytes);
    char *block = dt_alloc(block_bytes, 1);
    if (!block) return dt_fail_memory("unpacking a dataset", block_bytes);
    dt_status status = unpack_blocks(job, h5, block, rows);
    dt_free(block);
    return status;
}

/* Space first: a mapped page without room on the disk would be a SIGBUS, much later. */
static dt_status unpack(const dt_array *array, int fd, const char *file, const char *dataset, const char *directory) {
    int code = posix_fallocate(fd, 0, (off_t)array->bytes);
    if (code != 0)
        return dt_fail(DT_ERR_IO,
                       "unpacking %s of %s needs %zu bytes in the spool directory %s: %s (data.spool names another)",
                       dataset, file, array->bytes, directory, strerror(code));
    unpack_job job = {array, file, dataset, fd};
    return dt_h5_run(&(dt_h5_job){
        .path = file, .stoppable = true, .file_bytes = array->bytes, .work = unpack_in_child, .context = &job});
}

/* Collective. */
dt_status dt_spool_unpack(dt_array *array, const dt_ranks *ranks, const char *file, const char *dataset,
                          const char *directory) {
    int fd = -1;
    bool first = ranks->node_rank == 0;
    dt_status status = dt_spool_open(&fd, ranks, directory);
    if (status.code == DT_OK)
        status = dt_ranks_agree(ranks, first ? unpack(array, fd, file, dataset, directory) : dt_ok());
    if (status.code == DT_OK) status = dt_array_map(array, fd, 0, directory, dataset);
    if (fd >= 0) close(fd);
    return status;
}
