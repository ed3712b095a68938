/* Archives of arrays, read with libzip: it knows large archives and checks sums, and is as well kept as zlib. What an
 * archive says of sizes is not believed: nothing packs better than deflate can. */
#include "npz_read.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <zip.h>

#include "base/alive.h"
#include "base/escape.h"
#include "base/file.h"
#include "base/memory.h"

#define MOST_MEMBERS 65536
#define MOST_INFLATION 1032 /* deflate cannot do better: 258 bytes from 2 bits */
#define HEAD 1024           /* bytes of a packed member that are no data */

struct dt_npz {
    const char *path;
    zip_t *archive;
    zip_file_t *member; /* the one that is read */
    char **names;       /* [count] */
    int64_t count;
    char shown[200]; /* the member's, for messages */
};

static dt_status fail_zip(const dt_npz *npz, const char *name, zip_error_t *error) {
    return dt_fail(DT_ERR_CORRUPT, "%s: the archive is damaged: %s", name,
                   error ? zip_error_strerror(error) : zip_strerror(npz->archive));
}

static dt_status take_names(dt_npz *npz) {
    zip_int64_t count = zip_get_num_entries(npz->archive, 0);
    if (count < 1 || count > MOST_MEMBERS)
        return dt_fail(DT_ERR_INPUT, "%s: the archive has %lld members; 1 to %d can be read", npz->path,
                       (long long)count, MOST_MEMBERS);
    npz->names = dt_alloc((size_t)count, sizeof *npz->names);
    if (!npz->names) return dt_fail_memory("the names of arrays", (size_t)count * sizeof *npz->names);
    for (npz->count = 0; npz->count < count; npz->count++) {
        const char *name = zip_get_name(npz->archive, (zip_uint64_t)npz->count, ZIP_FL_ENC_GUESS);
        char *copy = npz->names[npz->count] = dt_strdup(name ? name : "");
        if (!copy) return dt_fail_memory("the names of arrays", name ? strlen(name) : 0);
        size_t length = strlen(copy);
        if (length > 4 && strcmp(copy + length - 4, ".npy") == 0) copy[length - 4] = '\0';
    }
    return dt_ok();
}

/* libzip owns the file from here on. */
static dt_status open_archive(dt_npz *npz) {
    int fd, code = 0;
    int64_t bytes;
    DT_TRY(dt_file_open(npz->path, &fd, &bytes));
    npz->archive = zip_fdopen(fd, ZIP_CHECKCONS, &code);
    if (npz->archive) return take_names(npz);
    close(fd);
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    dt_status status =
        dt_fail(code == ZIP_ER_MEMORY ? DT_ERR_MEMORY : DT_ERR_CORRUPT,
                "%s: is no archive of arrays, or a damaged one: %s", npz->path, zip_error_strerror(&error));
    zip_error_fini(&error);
    return status;
}

dt_status dt_npz_open(dt_npz **out, const char *path) {
    dt_npz *npz = *out = dt_alloc(1, sizeof *npz);
    if (!npz) return dt_fail_memory("an archive", sizeof *npz);
    npz->path = path;
    dt_status status = open_archive(npz);
    if (status.code == DT_OK) return status;
    dt_npz_close(npz);
    *out = NULL;
    return status;
}

void dt_npz_close(dt_npz *npz) {
    if (!npz) return;
    if (npz->member) zip_fclose(npz->member);
    if (npz->archive) zip_discard(npz->archive);
    for (int64_t i = 0; i < npz->count; i++) dt_free(npz->names[i]);
    dt_free(npz->names);
    dt_free(npz);
}

int64_t dt_npz_count(const dt_npz *npz) {
    return npz->count;
}

const char *dt_npz_name(const dt_npz *npz, int64_t i) {
    return npz->names[i];
}

static dt_status read_member(void *context, void *out, size_t want, size_t *got) {
    dt_npz *npz = context;
    for (*got = 0; *got < want;) {
        zip_int64_t count = zip_fread(npz->member, (char *)out + *got, want - *got);
        if (count < 0) return fail_zip(npz, npz->shown, zip_file_get_error(npz->member));
        if (count == 0) break;
        *got += (size_t)count;
        dt_alive();
    }
    return dt_ok();
}

static dt_status check_member(const dt_npz *npz, const zip_stat_t *about) {
    const zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if ((about->valid & needed) != needed)
        return dt_fail(DT_ERR_CORRUPT, "%s: the archive does not say how long it is", npz->shown);
    if (about->encryption_method != ZIP_EM_NONE) return dt_fail(DT_ERR_INPUT, "%s: is encrypted", npz->shown);
    if (about->comp_method != ZIP_CM_STORE && about->comp_method != ZIP_CM_DEFLATE)
        return dt_fail(DT_ERR_INPUT, "%s: is packed by method %d; NumPy's own are 0 (stored) and 8 (deflated)",
                       npz->shown, about->comp_method);
    if (about->size > INT64_MAX || about->size / MOST_INFLATION > about->comp_size + HEAD)
        return dt_fail(DT_ERR_CORRUPT, "%s: claims %llu bytes, more than %llu bytes of an archive can hold", npz->shown,
                       (unsigned long long)about->size, (unsigned long long)about->comp_size);
    return dt_ok();
}

dt_status dt_npz_member(dt_npz *npz, int64_t i, dt_npy_source *out) {
    zip_stat_t about;
    char name[80];
    snprintf(npz->shown, sizeof npz->shown, "%.100s: %s", npz->path, dt_escape_name(name, sizeof name, npz->names[i]));
    if (npz->member) zip_fclose(npz->member);
    npz->member = NULL;
    if (zip_stat_index(npz->archive, (zip_uint64_t)i, 0, &about) != 0) return fail_zip(npz, npz->shown, NULL);
    DT_TRY(check_member(npz, &about));
    npz->member = zip_fopen_index(npz->archive, (zip_uint64_t)i, 0);
    if (!npz->member) return fail_zip(npz, npz->shown, NULL);
    *out = (dt_npy_source){.name = npz->shown, .read = read_member, .context = npz, .bytes = (int64_t)about.size};
    return dt_ok();
}

dt_status dt_npz_check_end(dt_npz *npz) {
    char more;
    size_t got;
    DT_TRY(read_member(npz, &more, 1, &got));
    return got == 0 ? dt_ok() : dt_fail(DT_ERR_CORRUPT, "%s: is longer than the archive says", npz->shown);
}
