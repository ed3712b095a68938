/* What datasets are made of that are no plain numbers: strings, and compounds with their fields. Types come from a
 * file, so their depth is bounded. */
#include <stdio.h>

#include "h5_choice.h"
#include "h5_internal.h"
#include "h5_types.h"

#define MOST_DEPTH 8 /* of compounds in compounds */

static dt_h5_form form_of(hid_t type) {
    dt_dtype dtype;
    switch (H5Tget_class(type)) {
    case H5T_STRING: return DT_H5_STRINGS;
    case H5T_COMPOUND: return DT_H5_COMPOUND;
    default: return dt_h5_dtype_of(type, &dtype) ? DT_H5_NUMBERS : DT_H5_OTHER;
    }
}

static const char *format_of(hid_t type) {
    dt_dtype dtype;
    return dt_h5_dtype_of(type, &dtype) ? dt_dtype_name(dtype) : dt_h5_class_name(type);
}

dt_status dt_h5_form_of(dt_h5 *file, const char *dataset, dt_h5_form *form, dt_shape *shape) {
    hid_t id = H5I_INVALID_HID;
    DT_TRY(dt_h5_open_dataset(file, dataset, &id));
    hid_t type = H5Dget_type(id);
    *form = form_of(type);
    H5Tclose(type);
    dt_status status = dt_h5_shape_of(file, dataset, id, shape);
    H5Dclose(id);
    return status;
}

/* Where a walk through a compound is. */
typedef struct walk {
    dt_h5_field show;
    void *context;
} walk;

/* False: the walk is to end. */
static bool show_fields(const walk *w, hid_t type, const char *before, int depth) {
    int count = H5Tget_nmembers(type);
    bool more = true;
    for (unsigned i = 0; (int)i < count && more; i++) {
        char *name = H5Tget_member_name(type, i), whole[DT_H5_NAME_BYTES], inner[DT_H5_NAME_BYTES + 1];
        hid_t member = H5Tget_member_type(type, i);
        bool fits = name && snprintf(whole, sizeof whole, "%s%s", before, name) < (int)sizeof whole;
        if (fits && form_of(member) != DT_H5_COMPOUND) {
            more = w->show(w->context, whole, form_of(member), format_of(member));
        } else if (fits && depth < MOST_DEPTH) {
            snprintf(inner, sizeof inner, "%s.", whole);
            more = show_fields(w, member, inner, depth + 1);
        }
        H5Tclose(member);
        if (name) H5free_memory(name);
    }
    return more;
}

dt_status dt_h5_fields(dt_h5 *file, const char *dataset, dt_h5_field show, void *context) {
    hid_t id = H5I_INVALID_HID;
    DT_TRY(dt_h5_open_dataset(file, dataset, &id));
    hid_t type = H5Dget_type(id);
    if (H5Tget_class(type) == H5T_COMPOUND) show_fields(&(walk){show, context}, type, "", 1);
    H5Tclose(type);
    H5Dclose(id);
    H5Eclear2(H5E_DEFAULT);
    return dt_ok();
}
