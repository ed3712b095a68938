/* HDF5 without hid_t. The library's own error printing is off; a failure carries the file, the object and the deepest
 * message of HDF5's error stack. Transfers are independent and in pieces below 1 GiB: collective ones through OMPIO
 * report success on a full disk (measured), and single writes above 2 GiB come back short.
 *
 * External links, external storage and virtual datasets of files elsewhere are refused when datasets are described, so
 * a file cannot make us read another (h5_storage.c).
 */
#include "store/h5.h"

#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alive.h"
#include "base/file.h"
#include "base/memory.h"
#include "h5_storage.h"
#include "h5_types.h"

#define PIECE_BYTES ((int64_t)1 << 29)

struct dt_h5 {
    hid_t file;
    char path[PATH_MAX],
        directory[PATH_MAX]; /* the directory: of the file itself, whatever links lead to it; "" unless it is read */
};

/* ---- errors --------------------------------------------------------------------------------------------------------
 */

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

/* The innermost reason HDF5 gives, or the system's where it has one. */
static dt_status fail_h5(const dt_h5 *file, const char *object, const char *what) {
    char reason[REASON_BYTES] = "";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_reason, reason);
    H5Eclear2(H5E_DEFAULT);
    return dt_fail(DT_ERR_IO, "%s: %s%s%s failed: %s", file->path, object, *object ? ": " : "", what,
                   *reason ? reason : "no reason given");
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

/* ---- files ---------------------------------------------------------------------------------------------------------
 */

static dt_status wrap(dt_h5 **out, hid_t file, const char *path, const char *what) {
    dt_h5 *h = dt_alloc(1, sizeof *h);
    if (!h) {
        if (file >= 0) H5Fclose(file);
        return dt_fail_memory("an HDF5 file", sizeof *h);
    }
    h->file = file;
    snprintf(h->path, sizeof h->path, "%s", path);
    if (file < 0) {
        dt_status status = fail_h5(h, "", what);
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

dt_status dt_h5_open(dt_h5 **out, const char *path) {
    *out = NULL;
    prepare();
    DT_TRY(check_readable(path));
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    dt_status status = wrap(out, file, path, "opening");
    if (status.code == DT_ERR_IO) status.code = DT_ERR_CORRUPT;
    if (status.code == DT_OK) find_directory(*out);
    return status;
}

dt_status dt_h5_create(dt_h5 **out, const char *path) {
    *out = NULL;
    prepare();
    int fd;
    DT_TRY(dt_file_create(path, &fd)); /* HDF5 would follow a link */
    close(fd);
    return wrap(out, H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), path, "creating");
}

dt_status dt_h5_append(dt_h5 **out, const char *path) {
    *out = NULL;
    prepare();
    DT_TRY(check_readable(path));
    return wrap(out, H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), path, "opening to write");
}

dt_status dt_h5_close(dt_h5 **file) {
    if (!*file) return dt_ok();
    dt_status status = H5Fclose((*file)->file) < 0 ? fail_h5(*file, "", "closing") : dt_ok();
    dt_free(*file);
    *file = NULL;
    return status;
}

void dt_h5_abandon(dt_h5 **file) {
    dt_free(*file);
    *file = NULL;
}

const char *dt_h5_path(const dt_h5 *file) {
    return file->path;
}

dt_status dt_h5_flush(dt_h5 *file) {
    return H5Fflush(file->file, H5F_SCOPE_GLOBAL) < 0 ? fail_h5(file, "", "flushing") : dt_ok();
}

dt_status dt_fsync_path(const char *path) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return dt_fail(DT_ERR_IO, "%s: %s", path, strerror(errno));
    int code = fsync(file), reason = errno;
    close(file);
    return code == 0 ? dt_ok() : dt_fail(DT_ERR_IO, "%s: fsync failed: %s", path, strerror(reason));
}

/* ---- attributes ----------------------------------------------------------------------------------------------------
 */

static hid_t text_type(void) {
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

static dt_status put_attribute(dt_h5 *file, const char *object, const char *name, hid_t type, const void *value) {
    if (H5Aexists_by_name(file->file, object, name, H5P_DEFAULT) > 0)
        H5Adelete_by_name(file->file, object, name, H5P_DEFAULT);
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate_by_name(file->file, object, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    herr_t code = attribute >= 0 ? H5Awrite(attribute, type, value) : -1;
    dt_status status = code < 0 ? fail_h5(file, object, "writing an attribute") : dt_ok();
    if (attribute >= 0) H5Aclose(attribute);
    H5Sclose(space);
    return status;
}

dt_status dt_h5_put_text(dt_h5 *file, const char *object, const char *name, const char *text) {
    /* fixed length: a variable-length text would live in a heap that parallel HDF5 writes less robustly */
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, strlen(text) + 1);
    H5Tset_cset(type, H5T_CSET_UTF8);
    dt_status status = put_attribute(file, object, name, type, text);
    H5Tclose(type);
    return status;
}

dt_status dt_h5_put_int(dt_h5 *file, const char *object, const char *name, int64_t value) {
    return put_attribute(file, object, name, H5T_NATIVE_INT64, &value);
}

dt_status dt_h5_put_real(dt_h5 *file, const char *object, const char *name, double value) {
    return put_attribute(file, object, name, H5T_NATIVE_DOUBLE, &value);
}

static dt_status open_attribute(dt_h5 *file, const char *object, const char *name, hid_t *attribute) {
    if (H5Aexists_by_name(file->file, object, name, H5P_DEFAULT) <= 0) {
        H5Eclear2(H5E_DEFAULT);
        return dt_fail(DT_ERR_CORRUPT, "%s: %s has no attribute `%s`", file->path, object, name);
    }
    *attribute = H5Aopen_by_name(file->file, object, name, H5P_DEFAULT, H5P_DEFAULT);
    return *attribute < 0 ? fail_h5(file, object, "opening an attribute") : dt_ok();
}

/* A scalar text attribute of either kind; *text is to dt_free. */
static dt_status read_text(dt_h5 *file, const char *object, hid_t attribute, hid_t stored, char **text) {
    if (H5Aget_storage_size(attribute) > ((hsize_t)64 << 20))
        return dt_fail(DT_ERR_CORRUPT, "%s: %s: an attribute is too large", file->path, object);
    *text = NULL;
    if (H5Tis_variable_str(stored) > 0) {
        hid_t type = text_type();
        H5Tset_cset(type, H5Tget_cset(stored));
        char *found = NULL;
        herr_t code = H5Aread(attribute, type, &found);
        if (code >= 0) *text = dt_strdup(found ? found : "");
        if (found) H5free_memory(found);
        H5Tclose(type);
        if (code < 0) return fail_h5(file, object, "reading an attribute");
    } else {
        size_t size = H5Tget_size(stored);
        *text = dt_alloc(size + 1, 1);
        if (*text && H5Aread(attribute, stored, *text) < 0) {
            dt_free(*text);
            *text = NULL;
            return fail_h5(file, object, "reading an attribute");
        }
    }
    return *text ? dt_ok() : dt_fail_memory("an attribute", 0);
}

static bool is_scalar(hid_t attribute) {
    hid_t space = H5Aget_space(attribute);
    hssize_t count = H5Sget_simple_extent_npoints(space);
    H5Sclose(space);
    return count == 1;
}

dt_status dt_h5_get_text(dt_h5 *file, const char *object, const char *name, char **text) {
    hid_t attribute = H5I_INVALID_HID;
    *text = NULL;
    DT_TRY(open_attribute(file, object, name, &attribute));
    hid_t stored = H5Aget_type(attribute);
    dt_status status = H5Tget_class(stored) == H5T_STRING && is_scalar(attribute)
                           ? read_text(file, object, attribute, stored, text)
                           : dt_fail(DT_ERR_CORRUPT, "%s: %s: attribute `%s` is not a text", file->path, object, name);
    H5Tclose(stored);
    H5Aclose(attribute);
    return status;
}

static dt_status get_number(dt_h5 *file, const char *object, const char *name, hid_t type, void *value) {
    hid_t attribute = H5I_INVALID_HID;
    DT_TRY(open_attribute(file, object, name, &attribute));
    hid_t stored = H5Aget_type(attribute);
    H5T_class_t class = H5Tget_class(stored);
    dt_status status = dt_ok();
    if ((class != H5T_INTEGER && class != H5T_FLOAT) || !is_scalar(attribute))
        status = dt_fail(DT_ERR_CORRUPT, "%s: %s: attribute `%s` is not a number", file->path, object, name);
    else if (H5Aread(attribute, type, value) < 0)
        status = fail_h5(file, object, "reading an attribute");
    H5Tclose(stored);
    H5Aclose(attribute);
    return status;
}

dt_status dt_h5_get_int(dt_h5 *file, const char *object, const char *name, int64_t *value) {
    return get_number(file, object, name, H5T_NATIVE_INT64, value);
}

dt_status dt_h5_get_real(dt_h5 *file, const char *object, const char *name, double *value) {
    return get_number(file, object, name, H5T_NATIVE_DOUBLE, value);
}

dt_status dt_h5_attribute_text(dt_h5 *file, const char *object, const char *name, char **text) {
    hid_t attribute = H5I_INVALID_HID;
    *text = NULL;
    DT_TRY(open_attribute(file, object, name, &attribute));
    hid_t stored = H5Aget_type(attribute);
    H5T_class_t class = H5Tget_class(stored);
    dt_status status = dt_ok();
    char line[64] = "(not shown)";
    bool scalar = is_scalar(attribute);
    if (class == H5T_STRING && scalar) {
        status = read_text(file, object, attribute, stored, text);
    } else if (class == H5T_INTEGER && scalar) {
        int64_t value = 0;
        H5Aread(attribute, H5T_NATIVE_INT64, &value);
        snprintf(line, sizeof line, "%lld", (long long)value);
    } else if (class == H5T_FLOAT && scalar) {
        double value = 0;
        H5Aread(attribute, H5T_NATIVE_DOUBLE, &value);
        snprintf(line, sizeof line, "%.9g", value);
    }
    H5Tclose(stored);
    H5Aclose(attribute);
    if (status.code == DT_OK && !*text) *text = dt_strdup(line);
    return status.code != DT_OK || *text ? status : dt_fail_memory("an attribute", sizeof line);
}

bool dt_h5_has(dt_h5 *file, const char *object) {
    bool elsewhere = false;
    hid_t access = dt_h5_access(&elsewhere, file->directory);
    bool there = dt_h5_exists(file->file, object, access);
    H5Pclose(access);
    return there;
}

bool dt_h5_has_attribute(dt_h5 *file, const char *object, const char *name) {
    bool there = H5Aexists_by_name(file->file, object, name, H5P_DEFAULT) > 0;
    H5Eclear2(H5E_DEFAULT);
    return there;
}

/* ---- datasets ------------------------------------------------------------------------------------------------------
 */

static hid_t parents_made(void) {
    hid_t list = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(list, 1);
    return list;
}

dt_status dt_h5_make_group(dt_h5 *file, const char *path) {
    if (dt_h5_has(file, path)) return dt_ok();
    hid_t links = parents_made();
    hid_t group = H5Gcreate2(file->file, path, links, H5P_DEFAULT, H5P_DEFAULT);
    H5Pclose(links);
    if (group < 0) return fail_h5(file, path, "creating the group");
    H5Gclose(group);
    return dt_ok();
}

static dt_status open_dataset(dt_h5 *file, const char *dataset, hid_t *out) {
    bool elsewhere = false;
    hid_t access = dt_h5_access(&elsewhere, file->directory);
    bool there = dt_h5_exists(file->file, dataset, access);
    *out = there ? H5Dopen2(file->file, dataset, access) : H5I_INVALID_HID;
    dt_status status = dt_ok();
    if (elsewhere)
        status = dt_fail(DT_ERR_INPUT, "%s: %s is a link to another file; name that file instead", file->path, dataset);
    else if (!there)
        status = dt_fail(DT_ERR_INPUT, "%s: there is no %s", file->path, dataset);
    else if (*out < 0)
        status = fail_h5(file, dataset, "opening the dataset");
    H5Pclose(access);
    return status;
}

static dt_status describe_type(dt_h5 *file, const char *dataset, hid_t id, dt_h5_info *info) {
    hid_t type = H5Dget_type(id);
    dt_status status = dt_ok();
    if (dt_h5_dtype_of(type, &info->dtype))
        info->native = dt_h5_is_native(type, info->dtype);
    else
        status = dt_fail(DT_ERR_INPUT, "%s: %s is %s; it must be integers or floats of at most 64 bits", file->path,
                         dataset, dt_h5_class_name(type));
    H5Tclose(type);
    return status;
}

static dt_status describe_shape(dt_h5 *file, const char *dataset, hid_t id, dt_h5_info *info) {
    hid_t space = H5Dget_space(id);
    hsize_t dims[H5S_MAX_RANK] = {0};
    int rank = H5Sget_simple_extent_ndims(space);
    bool none = H5Sget_simple_extent_type(space) == H5S_NULL;
    bool simple = H5Sis_simple(space) > 0 && !none;
    if (rank > 0) H5Sget_simple_extent_dims(space, dims, NULL);
    H5Sclose(space);
    if (none) return dt_fail(DT_ERR_INPUT, "%s: %s is empty: it has no values and no shape", file->path, dataset);
    if (!simple || rank < 0 || rank > DT_MAX_RANK)
        return dt_fail(DT_ERR_INPUT, "%s: %s has %d dimensions; at most %d are supported", file->path, dataset, rank,
                       DT_MAX_RANK);
    info->shape.rank = rank;
    size_t total = 1;
    for (int i = 0; i < rank; i++) {
        info->shape.dim[i] = (int64_t)dims[i];
        if (dims[i] > INT64_MAX || !dt_size_mul(total, dims[i] ? (size_t)dims[i] : 1, &total) || total > SIZE_MAX / 16)
            return dt_fail(DT_ERR_CORRUPT, "%s: %s has an impossible shape", file->path, dataset);
    }
    return dt_ok();
}

static void describe_storage(hid_t id, dt_h5_info *info) {
    hid_t list = H5Dget_create_plist(id);
    H5D_layout_t layout = H5Pget_layout(list);
    info->contiguous = layout == H5D_CONTIGUOUS && H5Pget_nfilters(list) == 0 && H5Pget_external_count(list) == 0;
    if (layout == H5D_CHUNKED) {
        hsize_t chunk[H5S_MAX_RANK] = {0};
        H5Pget_chunk(list, H5S_MAX_RANK, chunk);
        info->chunk_rows = (int64_t)chunk[0];
        info->chunk_bytes = dt_h5_chunk_bytes(id);
    }
    haddr_t offset = info->contiguous ? H5Dget_offset(id) : HADDR_UNDEF;
    info->allocated = info->contiguous ? offset != HADDR_UNDEF : H5Dget_storage_size(id) > 0;
    info->offset = offset != HADDR_UNDEF ? (uint64_t)offset : 0;
    H5Pclose(list);
    H5Eclear2(H5E_DEFAULT);
}

dt_status dt_h5_describe(dt_h5 *file, const char *dataset, dt_h5_info *info) {
    memset(info, 0, sizeof *info);
    hid_t id = H5I_INVALID_HID;
    DT_TRY(open_dataset(file, dataset, &id));
    dt_status status = dt_h5_check_sources(file->path, file->directory, file->file, dataset, id);
    if (status.code == DT_OK) status = describe_type(file, dataset, id, info);
    if (status.code == DT_OK) status = describe_shape(file, dataset, id, info);
    if (status.code == DT_OK) describe_storage(id, info);
    H5Dclose(id);
    return status;
}

dt_status dt_h5_check_values(dt_h5 *file, const char *dataset) {
    hid_t id = H5I_INVALID_HID;
    DT_TRY(open_dataset(file, dataset, &id));
    dt_status status = dt_h5_check_stored(file->path, file->directory, file->file, dataset, id);
    H5Dclose(id);
    return status;
}

/* Shows one member of an enumeration of `dtype`. */
static bool show_member(hid_t type, hid_t base, unsigned index, dt_h5_member show, void *context) {
    char *name = H5Tget_member_name(type, index);
    int64_t value[1] = {0}; /* as wide as any, for the conversion is in place */
    bool known = name && H5Tget_member_value(type, index, value) >= 0 &&
                 H5Tconvert(base, H5T_NATIVE_INT64, 1, value, NULL, H5P_DEFAULT) >= 0;
    bool more = known && show(context, name, value[0]);
    if (name) H5free_memory(name);
    return more;
}

dt_status dt_h5_members(dt_h5 *file, const char *dataset, dt_h5_member show, void *context) {
    hid_t id = H5I_INVALID_HID;
    DT_TRY(open_dataset(file, dataset, &id));
    hid_t type = H5Dget_type(id), base = H5Tget_class(type) == H5T_ENUM ? H5Tget_super(type) : H5I_INVALID_HID;
    int count = base >= 0 ? H5Tget_nmembers(type) : 0;
    for (int i = 0; i < count && show_member(type, base, (unsigned)i, show, context); i++) continue;
    if (base >= 0) H5Tclose(base);
    H5Tclose(type);
    H5Dclose(id);
    H5Eclear2(H5E_DEFAULT);
    return dt_ok();
}

dt_status dt_h5_create_dataset(dt_h5 *file, const char *dataset, dt_dtype dtype, const dt_shape *shape,
                               int64_t chunk_rows) {
    hsize_t dims[DT_MAX_RANK], most[DT_MAX_RANK], chunk[DT_MAX_RANK];
    for (int i = 0; i < shape->rank; i++) dims[i] = most[i] = chunk[i] = (hsize_t)shape->dim[i];
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    if (chunk_rows > 0) {
        most[0] = H5S_UNLIMITED;
        chunk[0] = (hsize_t)chunk_rows;
        H5Pset_chunk(list, shape->rank, chunk);
    } else {
        H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY);
        H5Pset_fill_time(list, H5D_FILL_TIME_NEVER);
    }
    hid_t space = shape->rank ? H5Screate_simple(shape->rank, dims, most) : H5Screate(H5S_SCALAR);
    hid_t links = parents_made();
    hid_t id = H5Dcreate2(file->file, dataset, dt_h5_memory_type(dtype), space, links, list, H5P_DEFAULT);
    dt_status status = id < 0 ? fail_h5(file, dataset, "creating the dataset") : dt_ok();
    if (id >= 0) H5Dclose(id);
    H5Pclose(links);
    H5Sclose(space);
    H5Pclose(list);
    return status;
}

dt_status dt_h5_extend(dt_h5 *file, const char *dataset, int64_t rows) {
    hid_t id = H5I_INVALID_HID;
    DT_TRY(open_dataset(file, dataset, &id));
    hid_t space = H5Dget_space(id);
    hsize_t dims[H5S_MAX_RANK] = {0};
    H5Sget_simple_extent_dims(space, dims, NULL);
    H5Sclose(space);
    dims[0] = (hsize_t)rows;
    dt_status status = H5Dset_extent(id, dims) < 0 ? fail_h5(file, dataset, "extending the dataset") : dt_ok();
    H5Dclose(id);
    return status;
}

/* Where a transfer reads from or writes to. */
typedef struct buffer {
    const char *from; /* NULL: reading */
    char *to;
} buffer;

/* Reads or writes rows, in pieces. */
static dt_status transfer(dt_h5 *file, const char *dataset, dt_dtype dtype, int64_t first, int64_t count,
                          buffer memory_at) {
    hid_t id = H5I_INVALID_HID;
    DT_TRY(open_dataset(file, dataset, &id));
    hid_t space = H5Dget_space(id), stored = H5Dget_type(id), type = dt_h5_reading_type(stored, dtype);
    hsize_t dims[H5S_MAX_RANK] = {1}, start[H5S_MAX_RANK] = {0};
    int rank = H5Sget_simple_extent_ndims(space);
    if (rank > 0) H5Sget_simple_extent_dims(space, dims, NULL);
    int64_t row_bytes = (int64_t)dt_dtype_size(dtype);
    for (int i = 1; i < rank; i++) row_bytes *= (int64_t)dims[i];
    dt_status status = dt_ok();
    if (first < 0 || count < 0 || count > (int64_t)dims[0] - first)
        status = dt_fail(DT_ERR_INPUT, "%s: %s has %lld rows; %lld from row %lld on were asked for", file->path,
                         dataset, (long long)dims[0], (long long)count, (long long)first);
    if (row_bytes == 0) count = 0; /* rows of nothing: any number may be claimed */
    int64_t at_once = row_bytes > 0 && PIECE_BYTES / row_bytes > 0 ? PIECE_BYTES / row_bytes : 1;
    for (int64_t done = 0; done < count && status.code == DT_OK; done += at_once) {
        hsize_t block[H5S_MAX_RANK];
        memcpy(block, dims, sizeof block);
        start[0] = (hsize_t)(first + done);
        block[0] = (hsize_t)(count - done < at_once ? count - done : at_once);
        if (rank > 0) H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, block, NULL);
        hid_t memory = rank > 0 ? H5Screate_simple(rank, block, NULL) : H5Scopy(space);
        herr_t code = memory_at.from ? H5Dwrite(id, type, memory, space, H5P_DEFAULT, memory_at.from + done * row_bytes)
                                     : H5Dread(id, type, memory, space, H5P_DEFAULT, memory_at.to + done * row_bytes);
        if (code < 0) status = fail_h5(file, dataset, memory_at.from ? "writing" : "reading");
        H5Sclose(memory);
        dt_alive();
    }
    H5Tclose(stored);
    H5Sclose(space);
    H5Dclose(id);
    return status;
}

dt_status dt_h5_write_rows(dt_h5 *file, const char *dataset, dt_dtype dtype, int64_t first, int64_t count,
                           const void *data) {
    return transfer(file, dataset, dtype, first, count, (buffer){.from = data});
}

dt_status dt_h5_read_rows(dt_h5 *file, const char *dataset, dt_dtype dtype, int64_t first, int64_t count, void *data) {
    return transfer(file, dataset, dtype, first, count, (buffer){.to = data});
}

dt_status dt_h5_read_text(dt_h5 *file, const char *dataset, size_t most, char **text) {
    dt_h5_info info;
    *text = NULL;
    DT_TRY(dt_h5_describe(file, dataset, &info));
    size_t bytes = (size_t)dt_shape_count(&info.shape);
    if (info.dtype != DT_U8 || info.shape.rank != 1 || bytes > most)
        return dt_fail(DT_ERR_CORRUPT, "%s: %s is not a text of at most %zu bytes", file->path, dataset, most);
    char *read = dt_alloc(bytes + 1, 1);
    if (!read) return dt_fail_memory("a text", bytes);
    dt_status status = bytes > 0 ? dt_h5_read_rows(file, dataset, DT_U8, 0, (int64_t)bytes, read) : dt_ok();
    if (status.code == DT_OK)
        *text = read;
    else
        dt_free(read);
    return status;
}

/* ---- walks ---------------------------------------------------------------------------------------------------------
 */

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
               ? fail_h5(file, "/", "walking the tree")
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
               ? fail_h5(file, object, "listing the attributes")
               : dt_ok();
}
