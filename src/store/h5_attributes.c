/* Attributes: one number or one text each. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "h5_internal.h"

static hid_t text_type(void) {
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

static dt_status put_attribute(dt_h5 *file, const char *object, const char *name, hid_t type, const void *value) {
    const char *near = object;
    hid_t at = dt_h5_locate(file, &near);
    if (H5Aexists_by_name(at, near, name, H5P_DEFAULT) > 0) H5Adelete_by_name(at, near, name, H5P_DEFAULT);
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate_by_name(at, near, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    herr_t code = attribute >= 0 ? H5Awrite(attribute, type, value) : -1;
    dt_status status = code < 0 ? dt_h5_fail(file, object, "writing an attribute") : dt_ok();
    if (attribute >= 0) H5Aclose(attribute);
    H5Sclose(space);
    return status;
}

dt_status dt_h5_put_text(dt_h5 *file, const char *object, const char *name, const char *text) {
    /* of fixed length: one of variable length would lie in a heap elsewhere in the file */
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

/* Texts of any length: they lie in a heap elsewhere in the file. */
static dt_status put_variable(dt_h5 *file, const char *object, const char *name, hid_t space,
                              const char *const *texts) {
    if (H5Aexists_by_name(file->file, object, name, H5P_DEFAULT) > 0)
        H5Adelete_by_name(file->file, object, name, H5P_DEFAULT);
    hid_t type = text_type();
    hid_t attribute = H5Acreate_by_name(file->file, object, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    herr_t code = attribute >= 0 && texts ? H5Awrite(attribute, type, texts) : attribute >= 0 ? 0 : -1;
    dt_status status = code < 0 ? dt_h5_fail(file, object, "writing an attribute") : dt_ok();
    if (attribute >= 0) H5Aclose(attribute);
    H5Tclose(type);
    H5Sclose(space);
    return status;
}

dt_status dt_h5_put_long_text(dt_h5 *file, const char *object, const char *name, const char *text) {
    return put_variable(file, object, name, H5Screate(H5S_SCALAR), &text);
}

dt_status dt_h5_put_texts(dt_h5 *file, const char *object, const char *name, const char *const *texts, int count) {
    hsize_t size = (hsize_t)count;
    return put_variable(file, object, name, H5Screate_simple(1, &size, NULL), count > 0 ? texts : NULL);
}

static dt_status open_attribute(dt_h5 *file, const char *object, const char *name, hid_t *attribute) {
    const char *near = object;
    hid_t at = dt_h5_locate(file, &near);
    if (H5Aexists_by_name(at, near, name, H5P_DEFAULT) <= 0) {
        H5Eclear2(H5E_DEFAULT);
        return dt_fail(DT_ERR_CORRUPT, "%s: %s has no attribute `%s`", file->path, object, name);
    }
    *attribute = H5Aopen_by_name(at, near, name, H5P_DEFAULT, H5P_DEFAULT);
    return *attribute < 0 ? dt_h5_fail(file, object, "opening an attribute") : dt_ok();
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
        if (code < 0) return dt_h5_fail(file, object, "reading an attribute");
    } else {
        size_t size = H5Tget_size(stored);
        *text = dt_alloc(size + 1, 1);
        if (*text && H5Aread(attribute, stored, *text) < 0) {
            dt_free(*text);
            *text = NULL;
            return dt_h5_fail(file, object, "reading an attribute");
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
        status = dt_h5_fail(file, object, "reading an attribute");
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

bool dt_h5_has_attribute(dt_h5 *file, const char *object, const char *name) {
    bool there = H5Aexists_by_name(file->file, object, name, H5P_DEFAULT) > 0;
    H5Eclear2(H5E_DEFAULT);
    return there;
}
