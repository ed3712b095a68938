#include "data/archive.h"

#include <zip.h>

#define FIXED_DATE                                                                                                     \
    (1 << 5 | 1) /* the first of January 1980, where the dates of ZIP begin: no bytes depend on the time */

static dt_status add(zip_t *archive, const char *path, const dt_archive_member *m) {
    zip_source_t *source =
        m->path ? zip_source_file(archive, m->path, 0, -1) : zip_source_buffer(archive, m->bytes, m->size, 0);
    zip_int64_t at = source ? zip_file_add(archive, m->name, source, ZIP_FL_ENC_UTF_8) : -1;
    if (source && at < 0) zip_source_free(source);
    if (at >= 0 && zip_set_file_compression(archive, (zip_uint64_t)at, ZIP_CM_STORE, 0) == 0 &&
        zip_file_set_dostime(archive, (zip_uint64_t)at, 0, FIXED_DATE, 0) == 0)
        return dt_ok();
    return dt_fail(DT_ERR_IO, "%s: %s cannot be put into it: %s", path, m->name, zip_strerror(archive));
}

dt_status dt_archive_write(const char *path, const dt_archive_member *members, int count) {
    int error = 0;
    zip_t *archive = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &error);
    if (!archive) return dt_fail(DT_ERR_IO, "%s: cannot be made (libzip's error %d)", path, error);
    dt_status status = dt_ok();
    for (int i = 0; i < count && status.code == DT_OK; i++) status = add(archive, path, &members[i]);
    if (status.code == DT_OK && zip_close(archive) == 0) return status;
    if (status.code == DT_OK) status = dt_fail(DT_ERR_IO, "%s: cannot be written: %s", path, zip_strerror(archive));
    zip_discard(archive);
    return status;
}
