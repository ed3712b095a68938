/* Files of predictions. The first rank lays them out beside their destination; then every rank writes the rows it
 * computed to where they belong, with plain pwrite, so that no result crosses between ranks and none waits in memory.
 * They take their destinations' places when everything is on the disk: of several files the first, by whose name the
 * user called, comes last, and an older one of that name goes first, so that what is there belongs together. */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alive.h"
#include "base/file.h"
#include "base/memory.h"
#include "store/h5.h"

static const dt_sink_kind *const kinds[] = {&dt_sink_h5, &dt_sink_npy, &dt_sink_csv};
enum { KINDS = 3 };

dt_status dt_sink_choose(const dt_sink_kind **out, const char *name, const char *path) {
    size_t length = strlen(path);
    for (int i = 0; i < KINDS; i++) {
        size_t suffix = strlen(kinds[i]->suffix);
        bool ends = length > suffix && strcmp(path + length - suffix, kinds[i]->suffix) == 0;
        if (name ? strcmp(kinds[i]->name, name) != 0 : !ends) continue;
        *out = kinds[i];
        return dt_ok();
    }
    if (name) return dt_fail(DT_ERR_USAGE, "--format is \"%.40s\"; it must be h5, npy or csv", name);
    return dt_fail(DT_ERR_USAGE, "-o %.200s ends in none of .h5, .npy and .csv; say the format with --format", path);
}

const char *dt_sink_class_name(const dt_sink *sink, int64_t class) {
    const char *name = sink->names, *end = sink->names ? sink->names + sink->names_bytes : NULL;
    while (name<end &&class --> 0) name += strlen(name) + 1;
    return name && name < end ? name : "";
}

/* ---- opening ---- */

/* out.npy, and out.NAME.npy for the others; slashes in names become points. */
static dt_status name_file(char out[4000], const char *path, const char *suffix, const char *array, bool first) {
    size_t length = strlen(path), end = strlen(suffix);
    bool ends = length > end && strcmp(path + length - end, suffix) == 0;
    int stem = (int)(ends ? length - end : length);
    char name[64];
    snprintf(name, sizeof name, "%s", array);
    for (char *slash = name; (slash = strchr(slash, '/')) != NULL;) *slash = '.';
    int used = first ? snprintf(out, 4000, "%s", path)
                     : snprintf(out, 4000, "%.*s.%s%s", stem, path, name, ends ? suffix : "");
    return used < 4000 ? dt_ok() : dt_fail(DT_ERR_USAGE, "%.60s…: the path is too long", path);
}

/* What the rows come to, where they have a place. */
static dt_status check_room(const dt_sink *sink) {
    struct statvfs disk;
    double bytes = 0, room;
    if (sink->kind->format || fstatvfs(sink->files[0].fd, &disk) != 0) return dt_ok();
    for (int i = 0; i < sink->results->count; i++)
        bytes += (double)dt_result_bytes(&sink->results->all[i]) * (double)sink->samples;
    room = (double)disk.f_bavail * (double)disk.f_frsize;
    if (bytes <= room) return dt_ok();
    return dt_fail(DT_ERR_IO, "%s: needs %.1f GB, and its disk has %.1f GB left",
                   sink->files[0].publication.destination, bytes / 1e9, room / 1e9);
}

static dt_status open_file(dt_sink_file *file) {
    const char *path = file->publication.temporary;
    file->fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    return file->fd >= 0 ? dt_ok() : dt_fail(DT_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
}

/* On the first rank. */
static dt_status make_files(dt_sink *sink, const char *path) {
    const dt_results *results = sink->results;
    for (int i = 0; i < (sink->kind->several ? results->count : 1); i++) {
        char name[4000];
        DT_TRY(name_file(name, path, sink->kind->suffix, results->all[i].name, i == 0));
        DT_TRY(dt_file_check_target(name));
        DT_TRY(dt_publish_begin(&sink->files[i].publication, name));
        sink->file_count = i + 1;
    }
    DT_TRY(sink->kind->lay_out(sink));
    for (int i = 0; i < sink->file_count; i++) DT_TRY(open_file(&sink->files[i]));
    return check_room(sink);
}

/* On the others. */
static dt_status open_files(dt_sink *sink) {
    for (int i = 0; i < sink->file_count; i++) DT_TRY(open_file(&sink->files[i]));
    return dt_ok();
}

dt_status dt_sink_open(dt_sink *sink, const dt_sink_kind *kind, const dt_ranks *ranks, const char *path,
                       const dt_results *results, int64_t samples) {
    *sink = (dt_sink){.kind = kind,
                      .ranks = ranks,
                      .results = results,
                      .samples = samples,
                      .names = sink->names,
                      .names_bytes = sink->names_bytes};
    for (int i = 0; i < DT_RESULTS_MOST; i++) sink->files[i].fd = -1;
    DT_TRY(kind->check(results));
    bool first = ranks->rank == 0;
    DT_TRY(dt_ranks_agree(ranks, first ? make_files(sink, path) : dt_ok()));
    DT_TRY(dt_ranks_broadcast(ranks, sink->begin, sizeof sink->begin, 0));
    int count = sink->file_count;
    DT_TRY(dt_ranks_broadcast(ranks, &count, sizeof count, 0));
    for (int i = 0; i < count; i++) {
        dt_publication *publication = &sink->files[i].publication;
        DT_TRY(dt_ranks_broadcast(ranks, publication->temporary, sizeof publication->temporary, 0));
    }
    sink->file_count = count;
    return dt_ranks_agree(ranks, first ? dt_ok() : open_files(sink));
}

/* ---- writing ---- */

#define PIECE_BYTES ((size_t)1 << 26) /* Linux moves less than 2 GiB at once; and signs of life are due */

static dt_status write_bytes(const dt_sink_file *file, const char *bytes, size_t count, int64_t at) {
    while (count > 0) {
        ssize_t written = pwrite(file->fd, bytes, count < PIECE_BYTES ? count : PIECE_BYTES, (off_t)at);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0)
            return dt_fail(DT_ERR_IO, "%s: writing failed: %s", file->publication.temporary,
                           written < 0 ? strerror(errno) : "no space");
        bytes += written;
        count -= (size_t)written;
        at += written;
        dt_alive();
    }
    return dt_ok();
}

dt_status dt_sink_prepare(dt_sink *sink, int64_t first, int64_t rows, int64_t *length) {
    *length = 0;
    if (!sink->kind->format) return dt_ok();
    sink->text_bytes = 0;
    if (rows > 0) DT_TRY(sink->kind->format(sink, first, rows));
    *length = (int64_t)sink->text_bytes;
    return dt_ok();
}

dt_status dt_sink_put(dt_sink *sink, int64_t first, int64_t rows, const int64_t *lengths) {
    if (sink->kind->format) {
        int64_t at = sink->begin[0];
        for (int i = 0; i < sink->ranks->size; i++) sink->begin[0] += lengths[i];
        for (int i = 0; i < sink->ranks->rank; i++) at += lengths[i];
        return write_bytes(&sink->files[0], sink->text, sink->text_bytes, at);
    }
    for (int i = 0; i < sink->results->count; i++) {
        const dt_result *result = &sink->results->all[i];
        int64_t bytes = (int64_t)dt_result_bytes(result);
        const dt_sink_file *file = &sink->files[sink->kind->several ? i : 0];
        DT_TRY(write_bytes(file, result->block, (size_t)(rows * bytes), sink->begin[i] + first * bytes));
    }
    return dt_ok();
}

/* ---- closing ---- */

static dt_status finish_files(dt_sink *sink, dt_status status) {
    for (int i = 0; i < sink->file_count; i++) {
        dt_sink_file *file = &sink->files[i];
        if (file->fd < 0) continue;
        if (status.code == DT_OK && fsync(file->fd) != 0)
            status = dt_fail(DT_ERR_IO, "%s: fsync failed: %s", file->publication.temporary, strerror(errno));
        if (close(file->fd) != 0 && status.code == DT_OK)
            status = dt_fail(DT_ERR_IO, "%s: closing failed: %s", file->publication.temporary, strerror(errno));
        file->fd = -1;
    }
    return status;
}

/* On the first rank. */
static dt_status publish(dt_sink *sink, dt_status status, const dt_sink_note *notes, int count) {
    if (status.code == DT_OK && sink->kind->annotate) status = sink->kind->annotate(sink, notes, count);
    for (int i = 0; i < sink->file_count && status.code == DT_OK; i++)
        status = dt_fsync_path(sink->files[i].publication.temporary);
    const char *whole = sink->files[0].publication.destination;
    if (status.code == DT_OK && sink->file_count > 1 && unlink(whole) != 0 && errno != ENOENT)
        status = dt_fail(DT_ERR_IO, "%s: cannot be replaced: %s", whole, strerror(errno));
    for (int i = sink->file_count - 1; i >= 0; i--) status = dt_publish_end(&sink->files[i].publication, status);
    return status;
}

dt_status dt_sink_close(dt_sink *sink, dt_status status, const dt_sink_note *notes, int count) {
    dt_status finished = dt_ranks_agree(sink->ranks, finish_files(sink, status));
    if (sink->ranks->rank == 0) finished = publish(sink, finished, notes, count);
    dt_free(sink->text);
    sink->text = NULL;
    return dt_ranks_agree(sink->ranks, finished);
}
