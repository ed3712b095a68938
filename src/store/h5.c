/* HDF5 without hid_t: files, and the tree in them. The library's own error printing is off; a failure carries the file,
 * the object and the deepest message of HDF5's error stack.
 *
 * External links, external storage and virtual datasets of files elsewhere are refused when datasets are described, so
 * a file cannot make us read another (h5_sources.c). */
#include "store/h5.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "h5_internal.h"
#include "h5_sources.h"

#define REASON_BYTES 160

/* The first visited is the innermost; "…, errno = 28, error message = 'No space left on device', …" wins over all. */
static herr_t keep_reason(unsigned depth, const H5E_error2_t *error, void *context) {
    static const char mark[] = "error message = '";
    (void)depth;
    char *reason = context;
    const char *text = error->desc ? error->desc : "", *system = strstr(text, mark);
    if (system)
        snprintf(reason, REASON_BYTES, "%.*s", (int)strcspn(system + sizeof mark - 1, "'"), system + sizeof mark - 1);
    else if (!*reason)
        snprintf(reason, REASON_BYTES, "%.*s", (int)strcspn(text, "\n"), text);
    return 0;
}

dt_status dt_h5_fail(const dt_h5 *file, const char *object, const char *what) {
    char reason[REASON_BYTES] = "";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_reason, reason);
    H5Eclear2(H5E_DEFAULT);
    return dt_fail(DT_ERR_IO, "%s: %s%s%s failed: %s", file->path, object, *object ? ": " : "", what,
                   *reason ? reason : "no reason given");
}

void dt_h5_library(char *out, size_t size) {
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
#ifdef H5_HAVE_PARALLEL
    const char *kind = "parallel";
#else
    const char *kind = "serial";
#endif
    snprintf(out, size, "%u.%u.%u, %s, built with %d.%d.%d", major, minor, release, kind, H5_VERS_MAJOR, H5_VERS_MINOR,
             H5_VERS_RELEASE);
}

/* Once per process: errors stay silent, and file locking, which NFS and Lustre often lack, is off unless the user says
 * otherwise. */
static void prepare(void) {
    setenv("HDF5_USE_FILE_LOCKING", "FALSE", 0);
    setenv("HDF5_PLUGIN_PRELOAD", "::", 0);
    unsetenv("HDF5_VDS_PREFIX"); /* the sources of virtual datasets are beside them */
    H5dont_atexit();             /* its handler crashes on a file whose close failed; we close what we open */
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

static dt_status wrap(dt_h5 **out, hid_t file, const char *path, const char *what) {
    dt_h5 *h = dt_alloc(1, sizeof *h);
    if (!h) {
        if (file >= 0) H5Fclose(file);
        return dt_fail_memory("an HDF5 file", sizeof *h);
    }
    h->file = file;
    h->held = h->access = H5I_INVALID_HID;
    snprintf(h->path, sizeof h->path, "%s", path);
    if (file < 0) {
        dt_status status = dt_h5_fail(h, "", what);
        dt_free(h);
        return status;
    }
    *out = h;
    return dt_ok();
}

/* What the operating system refuses is told apart from what is wrong with the file: HDF5 does not. */
static dt_status check_readable(const char *path) {
    int fd;
    int64_t bytes = 0;
    DT_TRY(dt_file_open(path, &fd, &bytes));
    close(fd);
    if (bytes == 0) return dt_fail(DT_ERR_CORRUPT, "%s: the file is empty", path);
    htri_t ours = H5Fis_hdf5(path);
    H5Eclear2(H5E_DEFAULT);
    if (ours == 0) return dt_fail(DT_ERR_CORRUPT, "%s: not an HDF5 file", path);
    return dt_ok();
}

static void find_directory(dt_h5 *file) {
    if (!realpath(file->path, file->directory)) snprintf(file->directory, sizeof file->directory, "/nowhere");
    char *slash = strrchr(file->directory, '/');
    slash[slash == file->directory] = '\0';
}

/* Read only, and without a lock: a checkpoint never changes, and NFS and Lustre often have none. */
static hid_t open_to_read(const char *path) {
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
#if H5_VERSION_GE(1, 10, 7)
    if (dt_guard_is_within()) H5Pset_file_locking(access, false, true);
#endif
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    return file;
}

static dt_status open_quietly(dt_h5 **out, const char *path) {
    DT_TRY(check_readable(path));
    dt_status status = wrap(out, open_to_read(path), path, "opening");
    if (status.code == DT_ERR_IO) status.code = DT_ERR_CORRUPT;
    if (*out) find_directory(*out);
    return status;
}

/* In a process of somebody else's, HDF5 prints its errors as that one likes as soon as the file is closed. */
dt_status dt_h5_open(dt_h5 **out, const char *path) {
    *out = NULL;
    if (!dt_guard_is_within()) {
        prepare();
        return open_quietly(out, path);
    }
    H5E_auto2_t print;
    void *context;
    H5Eget_auto2(H5E_DEFAULT, &print, &context);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    dt_status status = open_quietly(out, path);
    if (!*out) {
        H5Eset_auto2(H5E_DEFAULT, print, context);
        return status;
    }
    (*out)->lent = true;
    (*out)->print = print;
    (*out)->print_context = context;
    return status;
}

static dt_status create(dt_h5 **out, const char *path, hid_t access) {
    int fd;
    DT_TRY(dt_file_create(path, &fd)); /* HDF5 would follow a link */
    close(fd);
    return wrap(out, H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access), path, "creating");
}

dt_status dt_h5_create(dt_h5 **out, const char *path) {
    *out = NULL;
    prepare();
    return create(out, path, H5P_DEFAULT);
}

dt_status dt_h5_create_aligned(dt_h5 **out, const char *path, size_t large, size_t page) {
    *out = NULL;
    prepare();
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_alignment(access, large, page);
    dt_status status = create(out, path, access);
    H5Pclose(access);
    return status;
}

dt_status dt_h5_append(dt_h5 **out, const char *path) {
    *out = NULL;
    prepare();
    DT_TRY(check_readable(path));
    return wrap(out, H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), path, "opening to write");
}

static void let_go(dt_h5 *file) {
    if (file->held >= 0) H5Dclose(file->held);
    file->held = H5I_INVALID_HID;
}

void dt_h5_take(dt_h5 *file, const char *dataset, hid_t id) {
    let_go(file);
    if (snprintf(file->held_name, sizeof file->held_name, "%s", dataset) < (int)sizeof file->held_name)
        file->held = id;
    else
        H5Dclose(id);
}

hid_t dt_h5_locate(const dt_h5 *file, const char **object) {
    if (file->held < 0 || strcmp(file->held_name, *object) != 0) return file->file;
    *object = ".";
    return file->held;
}

dt_status dt_h5_close(dt_h5 **file) {
    if (!*file) return dt_ok();
    let_go(*file);
    if ((*file)->access >= 0) H5Pclose((*file)->access);
    dt_status status = H5Fclose((*file)->file) < 0 ? dt_h5_fail(*file, "", "closing") : dt_ok();
    if ((*file)->lent) H5Eset_auto2(H5E_DEFAULT, (*file)->print, (*file)->print_context);
    dt_free(*file);
    *file = NULL;
    return status;
}

const char *dt_h5_path(const dt_h5 *file) {
    return file->path;
}

dt_status dt_h5_flush(dt_h5 *file) {
    return H5Fflush(file->file, H5F_SCOPE_GLOBAL) < 0 ? dt_h5_fail(file, "", "flushing") : dt_ok();
}

dt_status dt_fsync_path(const char *path) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return dt_fail(DT_ERR_IO, "%s: %s", path, strerror(errno));
    int code = fsync(file), reason = errno;
    close(file);
    return code == 0 ? dt_ok() : dt_fail(DT_ERR_IO, "%s: fsync failed: %s", path, strerror(reason));
}

hid_t dt_h5_careful(dt_h5 *file) {
    if (file->access < 0) file->access = dt_h5_access(&file->elsewhere, file->directory);
    file->elsewhere = false;
    return file->access;
}

bool dt_h5_has(dt_h5 *file, const char *object) {
    return dt_h5_exists(file->file, object, dt_h5_careful(file));
}

hid_t dt_h5_parents_made(void) {
    hid_t list = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(list, 1);
    return list;
}

dt_status dt_h5_make_group(dt_h5 *file, const char *path) {
    if (dt_h5_has(file, path)) return dt_ok();
    hid_t links = dt_h5_parents_made();
    hid_t group = H5Gcreate2(file->file, path, links, H5P_DEFAULT, H5P_DEFAULT);
    H5Pclose(links);
    if (group < 0) return dt_h5_fail(file, path, "creating the group");
    H5Gclose(group);
    return dt_ok();
}

typedef struct walk {
    dt_h5_visitor call;
    void *context;
} walk;

static herr_t visit_object(hid_t root, const char *name, const H5O_info_t *info, void *context) {
    (void)root;
    walk *v = context;
    if (strcmp(name, ".") == 0 || (info->type != H5O_TYPE_GROUP && info->type != H5O_TYPE_DATASET)) return 0;
    char path[1024];
    snprintf(path, sizeof path, "/%s", name);
    return v->call(v->context, path, info->type == H5O_TYPE_GROUP ? 'g' : 'd') ? 0 : 1;
}

dt_status dt_h5_walk(dt_h5 *file, dt_h5_visitor visit, void *context) {
    walk v = {visit, context};
    return H5Ovisit2(file->file, H5_INDEX_NAME, H5_ITER_INC, visit_object, &v, H5O_INFO_BASIC) < 0
               ? dt_h5_fail(file, "/", "walking the tree")
               : dt_ok();
}

static herr_t visit_attribute(hid_t object, const char *name, const H5A_info_t *info, void *context) {
    (void)object;
    (void)info;
    walk *v = context;
    return v->call(v->context, name, 'a') ? 0 : 1;
}

dt_status dt_h5_walk_attributes(dt_h5 *file, const char *object, dt_h5_visitor visit, void *context) {
    walk v = {visit, context};
    hsize_t index = 0;
    return H5Aiterate_by_name(file->file, object, H5_INDEX_NAME, H5_ITER_INC, &index, visit_attribute, &v,
                              H5P_DEFAULT) < 0
               ? dt_h5_fail(file, object, "listing the attributes")
               : dt_ok();
}
