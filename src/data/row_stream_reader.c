/* Who reads for a stream: children of a machine's first ranks have the files open (guard.h), and a thread of the rank
 * for each asks it for one unit after another, as the cache wants them. The child writes a unit into the cache's memory
 * through its file, and says that it is done; a child that fails, crashes or is too slow ends the stream, and everybody
 * who waits for rows hears of it. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "row_stream_internal.h"
#include "store/h5_rows.h"

/* On the wall, for a unit: where others use the machine and disks are slow. */
#define LEAST_SECONDS 120
#define BYTES_A_SECOND (1 << 20)

#define TOLD 2                  /* units a child knows of */
#define LARGE ((size_t)4 << 20) /* bytes of a unit, of which one child is to have some */

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
    dt_h5_rows *from;
    DT_TRY(dt_array_open_rows(job->array, &from));
    dt_status status = serve(job, from, ends);
    dt_h5_rows_close(from);
    return status;
}

/* ---- in the rank ---- */

static double seconds_of(const dt_row_stream *stream) {
    return LEAST_SECONDS + (double)stream->size.unit_bytes / BYTES_A_SECOND;
}

static void tell(const dt_row_reader *reader, const dt_cache_task *task) {
    const dt_row_stream *stream = reader->stream;
    const int64_t first = task->unit * stream->unit_rows, left = stream->array->rows - first;
    const question q = {first, left < stream->unit_rows ? left : stream->unit_rows,
                        dt_cache_offset(stream->cache, task->slot)};
    dt_guard_tell(reader->server, &q, sizeof q);
}

/* The child has the next unit to read while its last answer is on its way. */
static void *read_units(void *context) {
    const dt_row_reader *reader = context;
    dt_cache *cache = reader->stream->cache;
    dt_cache_task told[TOLD];
    int32_t done;
    int count = 0;
    for (;;) {
        if (count == 0 && !dt_cache_next(cache, &told[0])) return NULL;
        if (count == 0) tell(reader, &told[count++]);
        while (count < TOLD && dt_cache_next_now(cache, &told[count])) tell(reader, &told[count++]);
        dt_cache_done(cache, &told[0], dt_guard_hear(reader->server, seconds_of(reader->stream), &done, sizeof done));
        memmove(told, told + 1, (size_t)--count * sizeof *told);
    }
}

/* A signal is for the thread that computes. */
static int start_thread(dt_row_reader *reader) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&reader->thread, NULL, read_units, reader);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

static dt_status start_reader(dt_row_stream *stream) {
    const dt_array *array = stream->array;
    dt_row_reader *reader = &stream->readers[stream->reader_count++];
    reader->stream = stream;
    reading job = {array, dt_cache_file(stream->cache), stream->unit_rows};
    DT_TRY(dt_guard_serve(&reader->server, &(dt_guard_job){.path = array->files.name[0],
                                                           .file_bytes = dt_cache_file_bytes(stream->cache),
                                                           .work = work,
                                                           .context = &job}));
    const question opens = {.count = 0};
    int32_t done;
    return dt_guard_ask(reader->server, &opens, sizeof opens, LEAST_SECONDS + dt_array_seconds(array, 0), &done,
                        sizeof done);
}

/* A child for each processor that this rank has of the machine's; one where units are large, for each takes the memory
 * of some. */
static int count_readers(const dt_row_stream *stream, const dt_ranks *ranks) {
    cpu_set_t mine;
    if (stream->size.unit_bytes > LARGE || sched_getaffinity(0, sizeof mine, &mine) != 0) return 1;
    const int each = CPU_COUNT(&mine) / ranks->size;
    return each < 1 ? 1 : each < DT_ROW_STREAM_READERS ? each : DT_ROW_STREAM_READERS;
}

/* The children first: fewer threads are there while they are made. */
dt_status dt_row_stream_start_readers(dt_row_stream *stream, const dt_ranks *ranks) {
    const int count = count_readers(stream, ranks);
    while (stream->reader_count < count) DT_TRY(start_reader(stream));
    for (int i = 0; i < count; i++) {
        const int code = start_thread(&stream->readers[i]);
        if (code != 0) return dt_fail(DT_ERR_MEMORY, "no thread can be started to read data: %s", strerror(code));
        stream->readers[i].runs = true;
    }
    return dt_ok();
}

void dt_row_stream_end_readers(dt_row_stream *stream) {
    if (stream->cache) dt_cache_end(stream->cache);
    for (int i = 0; i < stream->reader_count; i++) {
        if (stream->readers[i].runs) pthread_join(stream->readers[i].thread, NULL);
        dt_guard_dismiss(stream->readers[i].server);
    }
}
