#include "h5_copy.h"

#include "base/memory.h"
#include "h5_internal.h"

#define MOST_ATTRIBUTE_BYTES ((size_t)16 << 20)

bool dt_h5_has_pointers(hid_t type) {
    return H5Tdetect_class(type, H5T_VLEN) > 0 || H5Tdetect_class(type, H5T_STRING) > 0;
}

void dt_h5_reclaim(hid_t type, hid_t space, void *values) {
    if (dt_h5_has_pointers(type)) H5Dvlen_reclaim(type, space, H5P_DEFAULT, values);
}

static bool copy_values(hid_t from, hid_t to, hid_t type, hid_t space) {
    size_t bytes = 0;
    bool fits = dt_size_mul((size_t)H5Sget_simple_extent_npoints(space), H5Tget_size(type), &bytes);
    if (!fits || bytes > MOST_ATTRIBUTE_BYTES) return false;
    char *values = dt_alloc(bytes + 1, 1);
    bool there = values && H5Aread(from, type, values) >= 0;
    bool done = there && H5Awrite(to, type, values) >= 0;
    if (there) dt_h5_reclaim(type, space, values);
    dt_free(values);
    return done;
}

/* One attribute. References mean nothing in another file, and are left out. */
static herr_t copy_attribute(hid_t object, const char *name, const H5A_info_t *info, void *context) {
    (void)info;
    hid_t target = *(hid_t *)context, from = H5Aopen(object, name, H5P_DEFAULT);
    if (from < 0) return -1;
    hid_t stored = H5Aget_type(from), type = H5Tcopy(stored), space = H5Aget_space(from);
    bool copied = true;
    if (H5Tdetect_class(type, H5T_REFERENCE) <= 0) {
        hid_t to = H5Acreate2(target, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
        copied = to >= 0 && (H5Sget_simple_extent_type(space) == H5S_NULL || copy_values(from, to, type, space));
        if (to >= 0) H5Aclose(to);
    }
    H5Sclose(space);
    H5Tclose(type);
    H5Tclose(stored);
    H5Aclose(from);
    return copied ? 0 : -1;
}

dt_status dt_h5_copy_attributes(const dt_h5 *whole, dt_h5 *part, const char *path) {
    hid_t from = H5Oopen(whole->file, path, H5P_DEFAULT), to = H5Oopen(part->file, path, H5P_DEFAULT);
    hsize_t at = 0;
    bool done = from >= 0 && to >= 0 && H5Aiterate2(from, H5_INDEX_NAME, H5_ITER_INC, &at, copy_attribute, &to) >= 0;
    dt_status status = done ? dt_ok() : dt_h5_fail(part, path, "copying the attributes");
    if (from >= 0) H5Oclose(from);
    if (to >= 0) H5Oclose(to);
    return status;
}

dt_status dt_h5_create_alike(const dt_h5 *whole, dt_h5 *part, const char *path, hid_t id, int64_t rows) {
    hsize_t dims[H5S_MAX_RANK] = {0};
    hid_t stored = H5Dget_type(id), type = H5Tcopy(stored), old = H5Dget_space(id);
    int rank = H5Sget_simple_extent_dims(old, dims, NULL);
    dims[0] = (hsize_t)rows;
    hid_t space = H5Screate_simple(rank, dims, NULL), links = dt_h5_parents_made(),
          list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY);
    hid_t made = H5Dcreate2(part->file, path, type, space, links, list, H5P_DEFAULT);
    dt_status status = made < 0 ? dt_h5_fail(part, path, "creating the dataset") : dt_ok();
    if (made >= 0) H5Dclose(made);
    H5Pclose(list);
    H5Pclose(links);
    H5Sclose(space);
    H5Sclose(old);
    H5Tclose(type);
    H5Tclose(stored);
    return status.code == DT_OK ? dt_h5_copy_attributes(whole, part, path) : status;
}

dt_status dt_h5_copy_dataset(const dt_h5 *whole, dt_h5 *part, const char *path, hid_t id) {
    hid_t list = H5Dget_create_plist(id);
    bool is_virtual = H5Pget_layout(list) == H5D_VIRTUAL;
    H5Pclose(list);
    if (is_virtual)
        return dt_fail(DT_ERR_INPUT, "%s: %s is virtual, its values are elsewhere; make it a plain dataset",
                       whole->path, path);
    hid_t links = dt_h5_parents_made();
    herr_t code = H5Ocopy(whole->file, path, part->file, path, H5P_DEFAULT, links);
    H5Pclose(links);
    return code < 0 ? dt_h5_fail(part, path, "copying") : dt_ok();
}
