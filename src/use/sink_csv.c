/* Predictions as comma-separated values (RFC 4180, with plain ends of lines): a line a sample, or a position of a text,
 * below a line of names.
 * Numbers have the nine digits that tell every float32 from its neighbours; how long a line is is known when it is
 * written, so ranks tell each other how long theirs are. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "sink.h"

#define MOST_COLUMNS 16384 /* more than spreadsheets take */
#define NUMBER 32          /* bytes that any number fits into, with its comma */

/* Positions of a sample, each of which has a line. */
static int64_t lines_of(const dt_results *results) {
    return results->outputs.positions;
}

/* Numbers of a line. */
static int64_t columns_of(const dt_results *results, const dt_result *result) {
    return result == results->places ? 1 : result->width / lines_of(results);
}

static dt_status check(const dt_results *results) {
    int64_t columns = 2;
    for (int i = 0; i < results->count; i++) {
        const dt_result *result = &results->all[i];
        bool each = result == results->places || lines_of(results) == 1 ||
                    (result->shape.rank > 0 && result->shape.dim[0] == lines_of(results));
        if (!each)
            return dt_fail(DT_ERR_USAGE,
                           "a text has a line for each of its %lld positions, and %s has nothing for each; write .h5 "
                           "or .npy",
                           (long long)lines_of(results), result->name);
        columns += columns_of(results, result);
    }
    if (columns <= MOST_COLUMNS) return dt_ok();
    return dt_fail(DT_ERR_USAGE, "a line for each %s would have %lld columns; write .h5 or .npy%s",
                   lines_of(results) > 1 ? "position" : "sample", (long long)columns,
                   results->outputs.classes > 0 && !results->top ? ", or the most likely classes alone: --top 5" : "");
}

/* ---- text that grows ---- */

static dt_status reserve(dt_sink *sink, size_t more) {
    if (sink->text_room - sink->text_bytes >= more) return dt_ok();
    size_t room = 2 * (sink->text_bytes + more);
    char *text = dt_alloc(room, 1);
    if (!text) return dt_fail_memory("lines of text", room);
    if (sink->text) memcpy(text, sink->text, sink->text_bytes);
    dt_free(sink->text);
    sink->text = text;
    sink->text_room = room;
    return dt_ok();
}

static void put(dt_sink *sink, const char *bytes, size_t count) {
    memcpy(sink->text + sink->text_bytes, bytes, count);
    sink->text_bytes += count;
}

/* A field in quotes, where it needs them. */
static dt_status put_field(dt_sink *sink, const char *text) {
    DT_TRY(reserve(sink, 2 * strlen(text) + 3));
    bool quoted = strpbrk(text, ",\"\r\n") != NULL;
    if (quoted) put(sink, "\"", 1);
    for (const char *c = text; *c; c++) {
        if (*c == '"') put(sink, "\"", 1);
        put(sink, c, 1);
    }
    if (quoted) put(sink, "\"", 1);
    return dt_ok();
}

/* ---- lines ---- */

/* "sample,output_0,output_1,class" */
static dt_status put_names(dt_sink *sink) {
    const dt_results *results = sink->results;
    bool of_text = lines_of(results) > 1;
    DT_TRY(put_field(sink, "sample"));
    DT_TRY(reserve(sink, NUMBER));
    if (of_text) put(sink, ",position", strlen(",position"));
    for (int i = 0; i < results->count; i++) {
        const dt_result *result = &results->all[i];
        for (int64_t j = 0; j < columns_of(results, result); j++) {
            char name[128];
            if (result->shape.rank == of_text || result == results->places)
                snprintf(name, sizeof name, ",%s", result->name);
            else
                snprintf(name, sizeof name, ",%s_%lld", result->name, (long long)j);
            DT_TRY(reserve(sink, strlen(name)));
            put(sink, name, strlen(name));
        }
    }
    put(sink, "\n", 1);
    return dt_ok();
}

static dt_status lay_out(dt_sink *sink) {
    const char *path = sink->files[0].publication.temporary;
    sink->text_bytes = 0;
    DT_TRY(put_names(sink));
    int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, sink->text, sink->text_bytes) == (ssize_t)sink->text_bytes;
    int reason = errno;
    if (fd >= 0) close(fd);
    if (!written) return dt_fail(DT_ERR_IO, "%s: cannot be written: %s", path, strerror(reason));
    sink->begin[0] = (int64_t)sink->text_bytes;
    return dt_ok();
}

/* The number of class among those the model knows. */
static int64_t class_at(const dt_sink *sink, int64_t label) {
    const dt_classes *known = sink->results->known;
    for (int64_t c = 0; known && c < known->count; c++)
        if (known->values[c] == label) return c;
    return label;
}

static void put_whole(dt_sink *sink, int64_t whole) {
    char number[NUMBER];
    put(sink, number, (size_t)snprintf(number, sizeof number, ",%lld", (long long)whole));
}

static dt_status put_number(dt_sink *sink, const dt_result *result, int64_t at) {
    char number[NUMBER];
    int64_t whole = result->dtype == DT_I64 ? ((const int64_t *)result->block)[at] : 0;
    put(sink, ",", 1);
    bool of_class = result == sink->results->classes || result == sink->results->top;
    if (of_class && sink->names) {
        const char *name = dt_sink_class_name(sink, class_at(sink, whole));
        if (*name) return put_field(sink, name);
    }
    int length = result->dtype == DT_I64
                     ? snprintf(number, sizeof number, "%lld", (long long)whole)
                     : snprintf(number, sizeof number, "%.9g", (double)((const float *)result->block)[at]);
    put(sink, number, (size_t)length);
    return dt_ok();
}

/* Position t of sample i of those at hand, behind its number. */
static dt_status put_results(dt_sink *sink, int64_t i, int64_t t) {
    const dt_results *results = sink->results;
    for (int k = 0; k < results->count; k++) {
        const dt_result *result = &results->all[k];
        int64_t columns = columns_of(results, result);
        for (int64_t j = 0; j < columns; j++) {
            DT_TRY(reserve(sink, 2 * NUMBER));
            if (result == results->places)
                put_whole(sink, ((const int64_t *)result->block)[i] + t);
            else
                DT_TRY(put_number(sink, result, i * result->width + t * columns + j));
        }
    }
    DT_TRY(reserve(sink, 1));
    put(sink, "\n", 1);
    return dt_ok();
}

static dt_status format(dt_sink *sink, int64_t first, int64_t rows) {
    int64_t lines = lines_of(sink->results);
    for (int64_t line = 0; line < rows * lines; line++) {
        char number[NUMBER];
        int length = snprintf(number, sizeof number, "%lld", (long long)(first + line / lines));
        DT_TRY(reserve(sink, 2 * NUMBER));
        put(sink, number, (size_t)length);
        if (lines > 1) put_whole(sink, line % lines);
        DT_TRY(put_results(sink, line / lines, line % lines));
    }
    return dt_ok();
}

const dt_sink_kind dt_sink_csv = {
    .name = "csv", .suffix = ".csv", .check = check, .lay_out = lay_out, .format = format};
