/* Attributes that say what the numbers of a dataset mean. They are applied here or refused, and never passed over: a
 * network would train on the packed numbers without a word. */
#include "h5_packing.h"

#include <math.h>
#include <string.h>

#include "h5_internal.h"

/* Numbers of an attribute: as many as there are, at most `most`; below 0: it is no list of so few numbers. `single`
 * tells whether it is float32. */
static int read_numbers(hid_t id, const char *name, double *out, int most, bool *single) {
    if (H5Aexists(id, name) <= 0) return 0;
    hid_t attribute = H5Aopen(id, name, H5P_DEFAULT), type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    H5T_class_t class = H5Tget_class(type);
    hssize_t count = H5Sget_simple_extent_npoints(space);
    int found = -1;
    if ((class == H5T_INTEGER || class == H5T_FLOAT) && count >= 1 && count <= most &&
        H5Aread(attribute, H5T_NATIVE_DOUBLE, out) >= 0)
        found = (int)count;
    *single = class == H5T_FLOAT && H5Tget_size(type) <= sizeof(float);
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return found;
}

static dt_status fail_attribute(const dt_h5 *file, const char *dataset, const char *name, const char *what) {
    return dt_fail(DT_ERR_INPUT, "%s: %s has the attribute %s, which says what its numbers mean, but %s", file->path,
                   dataset, name, what);
}

static dt_status read_factor(const dt_h5 *file, const char *dataset, hid_t id, const char *name, double *out,
                             bool *there, bool *single) {
    bool own_single = true;
    int count = read_numbers(id, name, out, 1, &own_single);
    if (count < 0 || (count > 0 && !isfinite(*out)))
        return fail_attribute(file, dataset, name, "it is not one finite number");
    *there = *there || count > 0;
    *single = *single && own_single;
    return dt_ok();
}

static dt_status read_fills(dt_h5_packing *out, const dt_h5 *file, const char *dataset, hid_t id) {
    static const char *const names[] = {"_FillValue", "missing_value"};
    for (int i = 0; i < 2; i++) {
        bool single;
        int count = read_numbers(id, names[i], out->fill + out->fills, DT_H5_MOST_FILLS / 2, &single);
        if (count < 0) return fail_attribute(file, dataset, names[i], "it is not 1 to 4 numbers");
        out->fills += count;
    }
    int kept = 0; /* NaN already is no number */
    for (int i = 0; i < out->fills; i++)
        if (!isnan(out->fill[i])) out->fill[kept++] = out->fill[i];
    out->fills = kept;
    return dt_ok();
}

dt_status dt_h5_packing_read(dt_h5_packing *out, const dt_h5 *file, const char *dataset, hid_t id,
                             const dt_h5_element *element) {
    *out = (dt_h5_packing){.scale = 1};
    bool there = false, single = true;
    if (H5Aexists(id, "_Unsigned") > 0)
        return fail_attribute(file, dataset, "_Unsigned",
                              "signed integers that are to be read as unsigned ones are not supported");
    DT_TRY(read_factor(file, dataset, id, "scale_factor", &out->scale, &there, &single));
    DT_TRY(read_factor(file, dataset, id, "add_offset", &out->offset, &there, &single));
    there = there && (out->scale != 1 || out->offset != 0);
    hid_t type = H5Dget_type(id);
    bool compound = H5Tget_class(type) == H5T_COMPOUND;
    H5Tclose(type);
    if (compound && there) return fail_attribute(file, dataset, "scale_factor or add_offset", "it is compound");
    if (compound) return dt_ok();
    DT_TRY(read_fills(out, file, dataset, id));
    out->is_packed = there || out->fills > 0;
    bool narrow = element->dtype < DT_U32 || element->dtype == DT_F32;
    out->dtype = single && narrow ? DT_F32 : DT_F64;
    return dt_ok();
}

double dt_h5_unpacked(const dt_h5_packing *packing, double number) {
    for (int i = 0; i < packing->fills; i++)
        if (number == packing->fill[i]) return NAN;
    return number * packing->scale + packing->offset;
}
