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
#include "base/headway.h"
#include "base/memory.h"
#include "store/h5_rows.h"

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

/* Collective. One file per machine, open on all its ranks, without a name. *fd is -1 before, and may be open after a
 * failure. */
static dt_status open_spool(int *fd, const dt_ranks *ranks, const char *directory) {
    char path[PATH_MAX] = "";
    bool first = ranks->node_rank == 0;
    dt_status status = dt_ranks_agree(ranks, first ? create_spool(fd, path, directory) : dt_ok());
    if (status.code == DT_OK) status = dt_ranks_agree(ranks, dt_ranks_node_broadcast(ranks, path, sizeof path));
    if (status.code == DT_OK) status = dt_ranks_agree(ranks, first ? dt_ok() : find_spool(fd, path, directory, ranks));
    if (first && *fd >= 0) unlink(path);
    return status;
}

static dt_status write_spool(int fd, const char *data, size_t bytes, off_t offset) {
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
static int64_t rows_at_once(const dt_array *array, int64_t chunk_rows) {
    int64_t rows = array->row_bytes < BLOCK_BYTES ? (int64_t)(BLOCK_BYTES / array->row_bytes) : 1;
    int64_t most = array->row_bytes < MOST_BLOCK_BYTES ? (int64_t)(MOST_BLOCK_BYTES / array->row_bytes) : 1;
    if (chunk_rows > 0) rows = rows < chunk_rows ? chunk_rows : rows / chunk_rows * chunk_rows;
    if (rows > most) rows = most;
    return rows < array->rows ? rows : array->rows;
}

typedef struct unpack_job {
    const dt_array *array;
    const int64_t *spooled;
    int fd; /* the spool */
    size_t bytes;
    dt_guard *to; /* in the child: where it says how many bytes it has written */
} unpack_job;

/* One file's rows, to `offset` on. */
static dt_status unpack_part(const unpack_job *job, dt_h5_rows *from, const dt_h5_part *part, char *block, int64_t rows,
                             off_t offset) {
    const dt_array *array = job->array;
    for (int64_t done = 0; done < part->rows; done += rows) {
        int64_t count = part->rows - done < rows ? part->rows - done : rows;
        DT_TRY(dt_h5_rows_read(from, part->first + done, count, block));
        const off_t begin = offset + (off_t)((size_t)done * array->row_bytes);
        const int64_t end = begin + (int64_t)((size_t)count * array->row_bytes);
        dt_status status = write_spool(job->fd, block, (size_t)count * array->row_bytes, begin);
        DT_TRY(dt_status_within(status, "cannot write the spool file of %s", array->dataset));
        DT_TRY(dt_guard_send(job->to, &end, sizeof end));
        dt_alive();
    }
    return dt_ok();
}

static dt_status unpack_parts(const unpack_job *job, dt_h5_rows *from, char *block, int64_t rows) {
    const dt_array *array = job->array;
    off_t offset = 0;
    for (int64_t i = 0; i < array->files.count; i++) {
        if (!job->spooled[i]) continue;
        DT_TRY(unpack_part(job, from, &array->parts[i], block, rows, offset));
        offset += (off_t)((size_t)array->parts[i].rows * array->row_bytes);
    }
    return dt_ok();
}

static dt_status unpack_all(const unpack_job *job, dt_h5_rows *from) {
    const dt_array *array = job->array;
    int64_t rows = rows_at_once(array, dt_h5_rows_info_of(from)->block_rows);
    size_t bytes = (size_t)rows * array->row_bytes;
    dt_guard_allow(bytes + dt_h5_rows_memory(from, rows));
    char *block = dt_alloc(bytes, 1);
    if (!block) return dt_fail_memory("unpacking a dataset", bytes);
    dt_status status = unpack_parts(job, from, block, rows);
    dt_free(block);
    return status;
}

/* In a child. */
static dt_status unpack_in_child(void *context, dt_guard *to) {
    unpack_job *job = context;
    dt_h5_rows *from;
    job->to = to;
    DT_TRY(dt_array_open_rows(job->array, &from));
    dt_status status = unpack_all(job, from);
    dt_h5_rows_close(from);
    return status;
}

/* Meanwhile. */
static dt_status tell_unpacked(void *context, dt_guard *from) {
    const unpack_job *job = context;
    dt_headway headway;
    dt_headway_begin(&headway, "bytes", (int64_t)job->bytes, "unpacking %s of %s", job->array->dataset,
                     job->array->files.name[0]);
    dt_status status = dt_ok();
    for (int64_t done = 0; status.code == DT_OK && done < (int64_t)job->bytes;) {
        status = dt_guard_take(from, &done, sizeof done);
        dt_headway_at(&headway, done);
    }
    dt_headway_end(&headway);
    return status;
}

/* Space first: a mapped page without room on the disk would be a SIGBUS, much later. */
static dt_status unpack(const dt_array *array, const int64_t *spooled, int fd, const char *directory) {
    size_t bytes = 0;
    for (int64_t i = 0; i < array->files.count; i++)
        if (spooled[i]) bytes += (size_t)array->parts[i].rows * array->row_bytes;
    int code = posix_fallocate(fd, 0, (off_t)bytes);
    if (code != 0)
        return dt_fail(DT_ERR_IO,
                       "unpacking %s of %s needs %zu bytes in the spool directory %s: %s (data.spool names another)",
                       array->dataset, array->files.name[0], bytes, directory, strerror(code));
    unpack_job job = {array, spooled, fd, bytes, NULL};
    return dt_guard_run(&(dt_guard_job){.path = array->files.name[0],
                                        .seconds = dt_array_seconds(array, bytes),
                                        .stoppable = true,
                                        .file_bytes = bytes,
                                        .work = unpack_in_child,
                                        .take = tell_unpacked,
                                        .context = &job});
}

dt_status dt_spool_unpack(const dt_array *array, const dt_ranks *ranks, const int64_t *spooled, int *fd,
                          const char *directory) {
    bool first = ranks->node_rank == 0;
    DT_TRY(open_spool(fd, ranks, directory));
    return dt_ranks_agree(ranks, first ? unpack(array, spooled, *fd, directory) : dt_ok());
}
