/* Predictions as NumPy's arrays, a file each: a header of text, then the numbers in C order (numpy.lib.format, version
 * 1.0). They say nothing of themselves. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/append.h"
#include "base/file.h"
#include "sink.h"

#define HEADER 256 /* bytes: a multiple of 64, as numbers should begin at, with room for any shape */

static dt_status check(const dt_results *results) {
    (void)results;
    return dt_ok();
}

static void write_header(char header[HEADER], const dt_result *result, int64_t samples) {
    char text[HEADER - 10];
    snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (%lld,",
             result->dtype == DT_F32 ? "<f4" : "<i8", (long long)samples);
    for (int i = 0; i < result->shape.rank; i++)
        dt_append(text, sizeof text, "%s%lld", i ? ", " : " ", (long long)result->shape.dim[i]);
    dt_append(text, sizeof text, "), }");
    memset(header, ' ', HEADER);
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = (char)(HEADER - 10);
    header[9] = 0;
    memcpy(header + 10, text, strlen(text));
    header[HEADER - 1] = '\n';
}

static dt_status lay_out(dt_sink *sink) {
    for (int i = 0; i < sink->results->count; i++) {
        const char *path = sink->files[i].publication.temporary;
        const dt_result *result = &sink->results->all[i];
        char header[HEADER];
        write_header(header, result, sink->samples);
        int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
        off_t bytes = HEADER + (off_t)(sink->samples * (int64_t)dt_result_bytes(result));
        bool written = fd >= 0 && write(fd, header, HEADER) == HEADER && ftruncate(fd, bytes) == 0;
        int reason = errno;
        if (fd >= 0) close(fd);
        if (!written) return dt_fail(DT_ERR_IO, "%s: cannot be written: %s", path, strerror(reason));
        sink->begin[i] = HEADER;
    }
    return dt_ok();
}

const dt_sink_kind dt_sink_npy = {.name = "npy", .suffix = ".npy", .several = true, .check = check, .lay_out = lay_out};
