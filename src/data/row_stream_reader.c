/* Who reads for a stream: a child of each of a machine's first ranks has the files open (guard.h), and a thread of the
 * rank asks it for one unit after another, as the cache wants them. The child writes a unit into the cache's memory
 * through its file, and says that it is done; a child that fails, crashes or is too slow ends the stream, and everybody
 * who waits for rows hears of it. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "row_stream_internal.h"
#include "store/h5_rows.h"

/* On the wall, for a unit: where others use the machine and disks are slow. */
#define LEAST_SECONDS 120
#define BYTES_A_SECOND (1 << 20)

typedef struct question {
    int64_t first, count; /* rows; 0: only whether the files can be read */
    uint64_t offset;      /* where they are to be, in the cache's file */
} question;

typedef struct reading {
    const dt_array *array;
    int file;
    int64_t unit_rows;
} reading;

/* ---- in the child ---- */

static dt_status write_rows(int file, const char *rows, size_t bytes, off_t offset) {
    while (bytes > 0) {
        ssize_t written = pwrite(file, rows, bytes, offset);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return dt_fail(DT_ERR_IO, "the cache of data.memory cannot be written: %s", strerror(errno));
        rows += written;
        bytes -= (size_t)written;
        offset += written;
    }
    return dt_ok();
}

static dt_status answer_all(const reading *job, dt_h5_rows *from, char *block, dt_guard *ends) {
    question q;
    const int32_t done = 1;
    while (dt_guard_receive(ends, &q, sizeof q)) {
        if (q.count > 0) DT_TRY(dt_h5_rows_read(from, q.first, q.count, block));
        DT_TRY(write_rows(job->file, block, (size_t)q.count * job->array->row_bytes, (off_t)q.offset));
        DT_TRY(dt_guard_send(ends, &done, sizeof done));
    }
    return dt_ok();
}

static dt_status serve(const reading *job, dt_h5_rows *from, dt_guard *ends) {
    DT_TRY(dt_array_check_unchanged(job->array, from));
    size_t bytes = (size_t)job->unit_rows * job->array->row_bytes;
    dt_guard_allow(bytes + dt_h5_rows_memory(from, job->unit_rows));
    char *block = dt_alloc(bytes, 1);
    if (!block) return dt_fail_memory("reading a dataset", bytes);
    dt_status status = answer_all(job, from, block, ends);
    dt_free(block);
    return status;
}

static dt_status work(void *context, dt_guard *ends) {
    const reading *job = context;
    const dt_array *array = job->array;
    dt_h5_rows *from;
    dt_h5_files files = {array->files.name, array->files.count};
    DT_TRY(dt_h5_rows_open(&from, &files, array->dataset, &array->order));
    dt_status status = serve(job, from, ends);
    dt_h5_rows_close(from);
    return status;
}

/* ---- in the rank ---- */

static dt_status ask(dt_row_stream *stream, const question *q, double seconds) {
    int32_t done;
    return dt_guard_ask(stream->server, q, sizeof *q, seconds, &done, sizeof done);
}

static void *read_units(void *context) {
    dt_row_stream *stream = context;
    double seconds = LEAST_SECONDS + (double)stream->size.unit_bytes / BYTES_A_SECOND;
    dt_cache_task task;
    while (dt_cache_next(stream->cache, &task)) {
        int64_t first = task.unit * stream->unit_rows, left = stream->array->rows - first;
        question q = {first, left < stream->unit_rows ? left : stream->unit_rows,
                      dt_cache_offset(stream->cache, task.slot)};
        dt_cache_done(stream->cache, &task, ask(stream, &q, seconds));
    }
    return NULL;
}

/* A signal is for the thread that computes. */
static int start_thread(dt_row_stream *stream) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&stream->thread, NULL, read_units, stream);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

dt_status dt_row_stream_start_reader(dt_row_stream *stream) {
    reading job = {stream->array, dt_cache_file(stream->cache), stream->unit_rows};
    DT_TRY(dt_guard_serve(&stream->server, &(dt_guard_job){.path = stream->array->files.name[0],
                                                           .file_bytes = dt_cache_file_bytes(stream->cache),
                                                           .work = work,
                                                           .context = &job}));
    DT_TRY(ask(stream, &(question){.count = 0}, LEAST_SECONDS + dt_array_seconds(stream->array, 0)));
    int code = start_thread(stream);
    if (code != 0) return dt_fail(DT_ERR_MEMORY, "no thread can be started to read data: %s", strerror(code));
    stream->reads = true;
    return dt_ok();
}

void dt_row_stream_end_reader(dt_row_stream *stream) {
    if (stream->reads) {
        dt_cache_end(stream->cache);
        pthread_join(stream->thread, NULL);
    }
    dt_guard_dismiss(stream->server);
}
