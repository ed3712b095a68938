/* In the place of archive.c, npz.c and npz_read.c where there is no libzip: archives are refused. */
#include "base/absent.h"
#include "data/archive.h"
#include "data/npz.h"
#include "npz_read.h"

static dt_status fail_absent(const char *path) {
    return dt_fail(DT_ERR_INPUT, "%s: this dtrain was built without %s, which archives need", path, DT_LACKS_ZIP);
}

dt_status dt_npz_open(dt_npz **out, const char *path) {
    *out = NULL;
    return fail_absent(path);
}

void dt_npz_close(dt_npz *npz) {
    (void)npz; /* NULL */
}

int64_t dt_npz_count(const dt_npz *npz) {
    (void)npz;
    return 0;
}

const char *dt_npz_name(const dt_npz *npz, int64_t i) {
    (void)npz, (void)i;
    return "";
}

dt_status dt_npz_member(dt_npz *npz, int64_t i, dt_npy_source *out) {
    (void)npz, (void)out;
    return fail_absent(dt_npz_name(npz, i));
}

dt_status dt_npz_check_end(dt_npz *npz) {
    return fail_absent(dt_npz_name(npz, 0));
}

dt_status dt_npz_write(const char *path, const dt_named_array *arrays, int64_t count, const dt_named_text *texts,
                       int64_t text_count) {
    (void)arrays, (void)count, (void)texts, (void)text_count;
    return fail_absent(path);
}

dt_status dt_archive_write(const char *path, const dt_archive_member *members, int count) {
    (void)members, (void)count;
    return fail_absent(path);
}
