/* What who computes sees of a stream. Rows are read by units, runs of so many rows that no chunk of the file is read
 * for two of them; a thread holds one unit at a time, that of the row it asked for last. */
#include "row_stream_internal.h"

#include <string.h>

#include "base/memory.h"
#include "base/trace.h"
#include "compute/compute.h"

static dt_status make(dt_row_stream *stream) {
    stream->held = dt_alloc(DT_ROW_STREAM_THREADS, sizeof *stream->held);
    stream->zeros = dt_alloc(stream->array->row_bytes, 1);
    stream->lists = dt_alloc(2 * (size_t)stream->size.plan + 1, sizeof *stream->lists);
    if (!stream->held || !stream->zeros || !stream->lists)
        return dt_fail_memory("a stream", 16 * (size_t)stream->size.plan + stream->array->row_bytes);
    for (int i = 0; i < DT_ROW_STREAM_THREADS; i++) stream->held[i].unit = -1;
    stream->waits = dt_trace_kind("input", "wait for data");
    stream->part = -1;
    return dt_ok();
}

static dt_status open_all(dt_row_stream *stream, const dt_ranks *ranks, const dt_row_stream_request *request) {
    DT_TRY(dt_ranks_agree(ranks, dt_row_stream_measure(stream, ranks, request)));
    DT_TRY(dt_ranks_agree(ranks, make(stream)));
    DT_TRY(dt_cache_open(&stream->cache, ranks, &stream->size));
    return dt_ranks_agree(ranks, ranks->node_rank < DT_ROW_STREAM_READERS ? dt_row_stream_start_readers(stream, ranks)
                                                                          : dt_ok());
}

dt_status dt_row_stream_open(dt_row_stream **out, const dt_ranks *ranks, const dt_array *array,
                             const dt_row_stream_request *request) {
    *out = NULL;
    dt_row_stream *stream = dt_alloc(1, sizeof *stream);
    DT_TRY(dt_ranks_agree(ranks, stream ? dt_ok() : dt_fail_memory("a stream", sizeof *stream)));
    stream->array = array;
    dt_status status = open_all(stream, ranks, request);
    if (status.code == DT_OK)
        *out = stream;
    else
        dt_row_stream_close(stream);
    return status;
}

void dt_row_stream_close(dt_row_stream *stream) {
    if (!stream) return;
    dt_row_stream_end_readers(stream);
    dt_cache_close(stream->cache);
    dt_free(stream->held);
    dt_free(stream->zeros);
    dt_free(stream->lists);
    dt_free(stream);
}

dt_status dt_row_stream_failure(const dt_row_stream *stream) {
    return dt_cache_failure(stream->cache);
}

/* ---- rows ---- */

#define LONG 1e-4 /* seconds: shorter waits are not worth a span */

void dt_row_stream_release(dt_row_stream *stream) {
    dt_held *held = &stream->held[dt_thread()];
    if (held->unit >= 0) dt_cache_release(stream->cache, held->unit);
    held->unit = -1;
}

static const char *change(dt_row_stream *stream, dt_held *held, int64_t unit) {
    dt_row_stream_release(stream);
    double begin = dt_trace_begin();
    held->bytes = dt_cache_hold(stream->cache, unit, !stream->planned);
    double end = dt_trace_begin();
    if (end - begin > LONG && dt_thread() == 0) dt_trace_span(stream->waits, begin, end, 0);
    if (held->bytes) held->unit = unit;
    return held->bytes;
}

const char *dt_row_stream_row(dt_row_stream *stream, int64_t row, int64_t *rows) {
    dt_held *held = &stream->held[dt_thread()];
    int64_t unit = row / stream->unit_rows, first = unit * stream->unit_rows;
    *rows = 1;
    if (held->unit != unit && !change(stream, held, unit)) return stream->zeros;
    int64_t end = first + stream->unit_rows;
    *rows = (end < stream->array->rows ? end : stream->array->rows) - row;
    return held->bytes + (size_t)(row - first) * stream->array->row_bytes;
}

/* ---- what comes next ---- */

void dt_row_stream_ahead(dt_row_stream *stream, const dt_sampler *order, const dt_selection *selection,
                         int64_t position) {
    dt_sampler_window window = dt_sampler_window_at(order, position);
    int64_t windows = dt_sampler_windows(order), part = order->epoch * windows + window.number;
    stream->planned = order->shuffle;
    if (order->block == 0 || part == stream->part) return;
    stream->part = part;
    int64_t most = stream->size.plan, *now = stream->lists, *next = now + most;
    int64_t now_count = dt_row_stream_window(order, selection, stream->unit_rows, position, now, most), next_count;
    if (window.number + 1 < windows) {
        next_count = dt_row_stream_window(order, selection, stream->unit_rows, window.begin + window.size, next, most);
    } else {
        dt_sampler following = dt_sampler_in(order, order->epoch + 1);
        next_count = dt_row_stream_window(&following, selection, stream->unit_rows, 0, next, most);
    }
    dt_cache_plan(stream->cache, part, now, now_count < most ? now_count : most, next,
                  next_count < most ? next_count : most);
}
