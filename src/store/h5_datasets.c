/* Datasets: what they are, making them, and their values. Transfers are in pieces, for single ones above 2 GiB come
 * back short, and signs of life are due. */
#include <string.h>

#include "base/alive.h"
#include "base/memory.h"
#include "h5_internal.h"
#include "h5_sources.h"
#include "h5_types.h"

#define PIECE_BYTES ((int64_t)1 << 29)
#define MOST_TYPE_BYTES 60000 /* what describes a type has to fit into 64 KiB */

dt_status dt_h5_open_dataset(dt_h5 *file, const char *dataset, hid_t *out) {
    const char *name = dataset;
    *out = dt_h5_locate(file, &name);
    if (*out != file->file) return H5Iinc_ref(*out) < 0 ? dt_h5_fail(file, dataset, "opening the dataset") : dt_ok();
    hid_t access = dt_h5_careful(file);
    bool there = dt_h5_exists(file->file, dataset, access);
    *out = there ? H5Dopen2(file->file, dataset, access) : H5I_INVALID_HID;
    dt_status status = dt_ok();
    if (file->elsewhere)
        status = dt_fail(DT_ERR_INPUT, "%s: %s is a link to another file; name that file instead", file->path, dataset);
    else if (!there)
        status = dt_fail(DT_ERR_INPUT, "%s: there is no %s", file->path, dataset);
    else if (*out < 0)
        status = dt_h5_fail(file, dataset, "opening the dataset");
    return status;
}

dt_status dt_h5_hold(dt_h5 *file, const char *dataset) {
    hid_t id = H5I_INVALID_HID;
    DT_TRY(dt_h5_open_dataset(file, dataset, &id));
    dt_h5_take(file, dataset, id);
    return dt_ok();
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

dt_status dt_h5_shape_of(const dt_h5 *file, const char *dataset, hid_t id, dt_shape *out) {
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
    out->rank = rank;
    size_t total = 1;
    for (int i = 0; i < rank; i++) {
        out->dim[i] = (int64_t)dims[i];
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
    DT_TRY(dt_h5_open_dataset(file, dataset, &id));
    dt_status status = dt_h5_check_sources(file->path, file->directory, file->file, dataset, id);
    if (status.code == DT_OK) status = describe_type(file, dataset, id, info);
    if (status.code == DT_OK) status = dt_h5_shape_of(file, dataset, id, &info->shape);
    if (status.code == DT_OK) describe_storage(id, info);
    H5Dclose(id);
    return status;
}

dt_status dt_h5_offset(dt_h5 *file, const char *dataset, uint64_t *offset) {
    hid_t id = H5I_INVALID_HID;
    DT_TRY(dt_h5_open_dataset(file, dataset, &id));
    haddr_t at = H5Dget_offset(id);
    H5Dclose(id);
    H5Eclear2(H5E_DEFAULT);
    *offset = at != HADDR_UNDEF ? (uint64_t)at : 0;
    return dt_ok();
}

dt_status dt_h5_check_values(dt_h5 *file, const char *dataset) {
    hid_t id = H5I_INVALID_HID;
    DT_TRY(dt_h5_open_dataset(file, dataset, &id));
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

void dt_h5_show_members(hid_t type, dt_h5_member show, void *context) {
    hid_t base = H5Tget_class(type) == H5T_ENUM ? H5Tget_super(type) : H5I_INVALID_HID;
    int count = base >= 0 ? H5Tget_nmembers(type) : 0;
    for (int i = 0; i < count && show_member(type, base, (unsigned)i, show, context); i++) continue;
    if (base >= 0) H5Tclose(base);
    H5Eclear2(H5E_DEFAULT);
}

dt_status dt_h5_members(dt_h5 *file, const char *dataset, dt_h5_member show, void *context) {
    hid_t id = H5I_INVALID_HID;
    DT_TRY(dt_h5_open_dataset(file, dataset, &id));
    hid_t type = H5Dget_type(id);
    dt_h5_show_members(type, show, context);
    H5Tclose(type);
    H5Dclose(id);
    return dt_ok();
}

static dt_status create(dt_h5 *file, const char *dataset, hid_t type, const dt_shape *shape, int64_t chunk_rows) {
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
    hid_t links = dt_h5_parents_made();
    hid_t id = H5Dcreate2(file->file, dataset, type, space, links, list, H5P_DEFAULT);
    dt_status status = id < 0 ? dt_h5_fail(file, dataset, "creating the dataset") : dt_ok();
    if (id >= 0) dt_h5_take(file, dataset, id);
    H5Pclose(links);
    H5Sclose(space);
    H5Pclose(list);
    return status;
}

dt_status dt_h5_create_dataset(dt_h5 *file, const char *dataset, dt_dtype dtype, const dt_shape *shape,
                               int64_t chunk_rows) {
    return create(file, dataset, dt_h5_memory_type(dtype), shape, chunk_rows);
}

/* One member of an enumeration of integers as wide as `dtype`. */
static bool add_member(hid_t type, dt_dtype dtype, const char *name, int32_t value) {
    int64_t as[1] = {value}; /* as wide as any, for the conversion is in place */
    return H5Tconvert(H5T_NATIVE_INT64, dt_h5_memory_type(dtype), 1, as, NULL, H5P_DEFAULT) >= 0 &&
           H5Tenum_insert(type, name, as) >= 0;
}

dt_status dt_h5_create_classes(dt_h5 *file, const char *dataset, dt_dtype dtype, const dt_shape *shape,
                               const char *const *names, int32_t count) {
    size_t bytes = 0;
    for (int32_t i = 0; i < count; i++) bytes += strlen(names[i]) + 16 + dt_dtype_size(dtype);
    if (bytes > MOST_TYPE_BYTES)
        return dt_fail(DT_ERR_INPUT, "%s: the names of the %d classes of %s are too long for an enumeration",
                       file->path, count, dataset);
    hid_t type = H5Tenum_create(dt_h5_memory_type(dtype));
    bool named = type >= 0;
    for (int32_t i = 0; i < count && named; i++) named = add_member(type, dtype, names[i], i);
    dt_status status = named ? create(file, dataset, type, shape, 0) : dt_h5_fail(file, dataset, "naming the classes");
    if (type >= 0) H5Tclose(type);
    return status;
}

dt_status dt_h5_put_names(dt_h5 *file, const char *dataset, const char *names, size_t bytes) {
    size_t longest = 1, count = 0;
    for (size_t at = 0; at < bytes; at += strlen(names + at) + 1, count++)
        if (strlen(names + at) > longest) longest = strlen(names + at);
    char *rows = dt_alloc(count, longest);
    if (!rows) return dt_fail_memory("names", count * longest);
    for (size_t at = 0, i = 0; at < bytes; at += strlen(names + at) + 1, i++)
        memcpy(rows + i * longest, names + at, strlen(names + at));
    hsize_t dims[] = {count};
    hid_t space = H5Screate_simple(1, dims, NULL), links = dt_h5_parents_made(), type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, longest);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    H5Tset_cset(type, H5T_CSET_UTF8);
    hid_t id = H5Dcreate2(file->file, dataset, type, space, links, H5P_DEFAULT, H5P_DEFAULT);
    dt_status status = id < 0 ? dt_h5_fail(file, dataset, "creating the dataset") : dt_ok();
    if (id >= 0 && H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows) < 0)
        status = dt_h5_fail(file, dataset, "writing");
    if (id >= 0) H5Dclose(id);
    H5Tclose(type);
    H5Pclose(links);
    H5Sclose(space);
    dt_free(rows);
    return status;
}

dt_status dt_h5_extend(dt_h5 *file, const char *dataset, int64_t rows) {
    hid_t id = H5I_INVALID_HID;
    DT_TRY(dt_h5_open_dataset(file, dataset, &id));
    hid_t space = H5Dget_space(id);
    hsize_t dims[H5S_MAX_RANK] = {0};
    H5Sget_simple_extent_dims(space, dims, NULL);
    H5Sclose(space);
    dims[0] = (hsize_t)rows;
    dt_status status = H5Dset_extent(id, dims) < 0 ? dt_h5_fail(file, dataset, "extending the dataset") : dt_ok();
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
    DT_TRY(dt_h5_open_dataset(file, dataset, &id));
    hid_t space = H5Dget_space(id), stored = H5Dget_type(id), type = dt_h5_reading_type(stored, dtype);
    if (memory_at.from && H5Tget_class(stored) == H5T_ENUM) type = stored; /* HDF5 makes no enumerations of integers */
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
        if (code < 0) status = dt_h5_fail(file, dataset, memory_at.from ? "writing" : "reading");
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
