/* How a stream is cut: what is read at a time, how much of it the memory holds, and whether that is enough for the
 * order in which it is wanted. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "row_stream_internal.h"

#define UNIT_BYTES ((size_t)1 << 20)
#define LEAST_UNIT_BYTES ((size_t)16 << 10)
#define UNITS_OF_MEMORY 64 /* at least, where chunks allow it */
#define MOST_UNITS 16384   /* of a cache, about */
#define WASTEFUL 1.5       /* rows read for one that is used */

/* ---- units ---- */

/* As many rows as `bytes` hold, whole rows of chunks, at least one of these; and where that can be, so many that a
 * block of samples is a number of units. */
static int64_t rows_of_unit(const dt_array *array, size_t bytes, int64_t block) {
    int64_t chunk = array->block_rows > 0 ? array->block_rows : 1;
    if (chunk >= array->rows) return array->rows;
    int64_t chunks = (int64_t)(bytes / ((size_t)chunk * array->row_bytes));
    if (block > 0 && chunks > block / chunk) chunks = block / chunk;
    if (chunks < 1) chunks = 1;
    for (int64_t fewer = chunks; fewer > chunks / 2 && block > 0; fewer--)
        if (block % (fewer * chunk) == 0) return fewer * chunk;
    return chunks * chunk < array->rows ? chunks * chunk : array->rows;
}

static size_t bytes_of_unit(size_t memory) {
    size_t bytes = memory / UNITS_OF_MEMORY < UNIT_BYTES ? memory / UNITS_OF_MEMORY : UNIT_BYTES;
    if (bytes < LEAST_UNIT_BYTES) bytes = LEAST_UNIT_BYTES;
    return bytes > memory / MOST_UNITS ? bytes : memory / MOST_UNITS;
}

/* ---- windows ---- */

int64_t dt_row_stream_window(const dt_sampler *order, const dt_selection *selection, int64_t unit_rows,
                             int64_t position, int64_t *units, int64_t most) {
    dt_sampler_window window = dt_sampler_window_at(order, position);
    int64_t found = 0, last = -1;
    for (int64_t slot = window.first; slot < window.first + window.count; slot++) {
        int64_t first, count;
        dt_sampler_block(order, slot, &first, &count);
        for (int64_t i = first; i < first + count; i++) {
            int64_t unit = dt_selection_row(selection, i) / unit_rows;
            if (unit == last) continue;
            if (found < most) units[found] = unit;
            found++;
            last = unit;
        }
        last = -1;
    }
    return found;
}

/* Units of the block that is in most of them; *all: of all blocks together. */
static int64_t most_units(const dt_sampler *order, const dt_selection *selection, int64_t unit_rows, int64_t *all) {
    int64_t most = 0, in_block = 0, last = -1;
    *all = 0;
    for (int64_t i = 0; i < order->samples; i++) {
        if (i % order->block == 0) in_block = 0, last = -1;
        int64_t unit = dt_selection_row(selection, i) / unit_rows;
        if (unit == last) continue;
        last = unit;
        ++*all;
        if (++in_block > most) most = in_block;
    }
    return most;
}

/* ---- whether it fits ---- */

static const char *why(const dt_array *array, size_t memory, char out[96]) {
    if (array->bytes > memory)
        snprintf(out, 96, "its %.4g MB are more than data.memory has for it", (double)array->bytes / 1e6);
    else
        snprintf(out, 96, "it cannot be mapped where it is");
    return out;
}

static dt_status fail_order(const dt_row_stream *stream, size_t memory) {
    const dt_array *array = stream->array;
    char reason[96];
    return dt_fail(DT_ERR_INPUT,
                   "%s: %s is read in pieces of %lld rows, for %s (%.4g MB); data.shuffle: global would read one for "
                   "every sample; set data.shuffle: block, or give data.memory more",
                   array->files.name[0], array->dataset, (long long)stream->unit_rows, why(array, memory, reason),
                   (double)memory / 1e6);
}

static dt_status fail_window(const dt_row_stream *stream, const dt_sampler *order, size_t memory, int64_t needed) {
    const dt_array *array = stream->array;
    dt_cache_size size = stream->size;
    size.slots = needed;
    return dt_fail(DT_ERR_INPUT,
                   "%s: %s: a window of data.shuffle: block (%lld blocks of %lld samples) takes %.4g MB, in pieces of "
                   "%lld rows, and data.memory has %.4g MB for it; lower data.shuffle_window or data.shuffle_block, or "
                   "give it more",
                   array->files.name[0], array->dataset, (long long)order->window, (long long)order->block,
                   (double)dt_cache_bytes(&size) / 1e6, (long long)stream->unit_rows, (double)memory / 1e6);
}

static void warn_of_waste(const dt_row_stream *stream, const dt_sampler *order, int64_t all) {
    double read = (double)all * (double)stream->unit_rows / (double)order->samples;
    if (read <= WASTEFUL || stream->size.slots >= stream->size.units) return;
    dt_log_warn("%s: %s is stored in chunks of %lld rows, but data.shuffle: block takes blocks of %lld samples: %.1f "
                "rows are read for one that is used; a data.shuffle_block of several times %lld saves that",
                stream->array->files.name[0], stream->array->dataset, (long long)stream->array->block_rows,
                (long long)order->block, read, (long long)stream->unit_rows);
}

/* What goes beside the units, at most. */
static void settle_slots(dt_row_stream *stream, size_t memory) {
    dt_cache_size *size = &stream->size;
    size->slots = 1;
    size_t beside = dt_cache_bytes(size);
    int64_t fit = memory > beside ? (int64_t)((memory - beside) / (size->unit_bytes + 64)) : 0;
    size->slots = fit < size->units ? fit : size->units;
    if (size->slots < 1) size->slots = 1;
}

dt_status dt_row_stream_measure(dt_row_stream *stream, const dt_ranks *ranks, const dt_row_stream_request *request) {
    const dt_array *array = stream->array;
    const dt_sampler *order = request->order;
    dt_cache_size *size = &stream->size;
    bool by_blocks = order && order->block > 0;
    stream->unit_rows = rows_of_unit(array, bytes_of_unit(request->memory), by_blocks ? order->block : 0);
    size->units = (array->rows + stream->unit_rows - 1) / stream->unit_rows;
    size->unit_bytes = (size_t)stream->unit_rows * array->row_bytes;
    int64_t all = 0, in_block = by_blocks ? most_units(order, request->selection, stream->unit_rows, &all) : 0;
    size->plan = by_blocks ? in_block * order->window : 0;
    settle_slots(stream, request->memory);
    if (size->slots >= size->units) return dt_ok();
    if (order && order->shuffle && !by_blocks) return fail_order(stream, request->memory);
    int64_t held = ranks->size + 2, needed = size->plan + held;
    if (by_blocks && size->slots < needed) return fail_window(stream, order, request->memory, needed);
    if (size->slots < held)
        return dt_fail(DT_ERR_INPUT,
                       "%s: %s: data.memory has %.4g MB for it, in pieces of %.4g MB; it needs %lld of them, for every "
                       "rank has one in use",
                       array->files.name[0], array->dataset, (double)request->memory / 1e6,
                       (double)size->unit_bytes / 1e6, (long long)held);
    if (by_blocks && ranks->rank == 0) warn_of_waste(stream, order, all);
    return dt_ok();
}
