/* Types of elements. HDF5 converts every number to the nearest of our formats; where fields of a compound have several,
 * what it gives is brought to one format afterwards (h5_gather.c), since it turns no bit field, as PyTables writes
 * booleans, into anything else. Types come from a file: their depth and the numbers in them are bounded before anything
 * follows from them. */
#include "h5_element.h"

#include <stdio.h>
#include <string.h>

#include "base/append.h"
#include "base/escape.h"
#include "base/memory.h"
#include "h5_internal.h"
#include "h5_types.h"

#define MOST_DEPTH 8                   /* of compounds in compounds */
#define MOST_LEAVES ((int64_t)1 << 22) /* numbers of an element */

/* The way to a field: the number of the member at each depth. */
typedef struct field_path {
    int depth;
    unsigned member[MOST_DEPTH];
} field_path;

/* For messages. */
typedef struct about {
    const dt_h5 *file;
    const dt_h5_choices *choices;
} about;

/* ---- finding fields ---- */

/* A member called so, or one of a member's: "p.x". */
static bool find_field(hid_t type, const char *name, field_path *path) {
    if (H5Tget_class(type) != H5T_COMPOUND || path->depth == MOST_DEPTH) return false;
    int index = H5Tget_member_index(type, name);
    path->member[path->depth] = (unsigned)index;
    if (index >= 0) return ++path->depth > 0;
    char first[DT_H5_NAME_BYTES];
    for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
        snprintf(first, sizeof first, "%.*s", (int)(dot - name), name);
        index = H5Tget_member_index(type, first);
        if (index < 0) continue;
        hid_t member = H5Tget_member_type(type, (unsigned)index);
        path->member[path->depth++] = (unsigned)index;
        bool found = find_field(member, dot + 1, path);
        H5Tclose(member);
        if (found) return true;
        path->depth--;
    }
    return false;
}

/* "T, p, position.x", as far as it fits. */
static void list_fields(hid_t type, const char *before, int depth, char *out, size_t size) {
    int count = H5Tget_nmembers(type);
    for (unsigned i = 0; (int)i < count && depth < MOST_DEPTH; i++) {
        char *name = H5Tget_member_name(type, i), shown[64], whole[160];
        hid_t member = H5Tget_member_type(type, i);
        snprintf(whole, sizeof whole, "%s%s", before, dt_escape_name(shown, sizeof shown, name ? name : ""));
        size_t used = strlen(out);
        if (H5Tget_class(member) == H5T_COMPOUND) {
            dt_append(whole, sizeof whole, ".");
            list_fields(member, whole, depth + 1, out, size);
        } else if (!dt_append(out, size, "%s%s", used ? ", " : "", whole)) {
            out[used] = '\0';
        }
        H5Tclose(member);
        H5free_memory(name);
    }
}

/* That a compound, a field of which is called `before` and ends with a dot, or "", is no number. */
static dt_status fail_compound(const about *a, hid_t type, const char *before) {
    char fields[200] = "", path[80];
    list_fields(type, before, 0, fields, sizeof fields);
    dt_escape_name(path, sizeof path, a->choices->text);
    return dt_fail(DT_ERR_INPUT, "%s: %s%s%.*s%s is compound, of the fields %s: say which, as in %s[%.*s]",
                   a->file->path, path, *before ? "[" : "", (int)strcspn(before, "."), before, *before ? "]" : "",
                   fields, path, (int)strcspn(fields, ","), fields);
}

static dt_status fail_field(const about *a, hid_t stored, const char *field) {
    char fields[200] = "", name[80], path[80];
    dt_escape_name(path, sizeof path, a->choices->text);
    dt_escape_name(name, sizeof name, field);
    if (H5Tget_class(stored) != H5T_COMPOUND)
        return dt_fail(DT_ERR_INPUT, "%s: %s is not compound, and has no field `%s`", a->file->path, path, name);
    list_fields(stored, "", 0, fields, sizeof fields);
    return dt_fail(DT_ERR_INPUT, "%s: %s has no field `%s`; it has %s", a->file->path, path, name, fields);
}

static dt_status fail_type(const about *a, const char *field, hid_t type) {
    char name[80], path[80];
    dt_escape_name(path, sizeof path, a->choices->text);
    if (!field)
        return dt_fail(DT_ERR_INPUT, "%s: %s is %s; it must be integers or floats of at most 64 bits", a->file->path,
                       path, dt_h5_class_name(type));
    return dt_fail(DT_ERR_INPUT, "%s: the field `%s` of %s is %s; it must be integers or floats of at most 64 bits",
                   a->file->path, dt_escape_name(name, sizeof name, field), path, dt_h5_class_name(type));
}

/* The stored type at the end of a path. To be closed. */
static hid_t type_at(hid_t stored, const field_path *path) {
    hid_t type = H5Tcopy(stored);
    for (int i = 0; i < path->depth; i++) {
        hid_t member = H5Tget_member_type(type, path->member[i]);
        H5Tclose(type);
        type = member;
    }
    return type;
}

/* ---- what HDF5 is asked for ---- */

/* Of a string: as it is stored, but of one of variable length as it is in memory. */
static hid_t reading_string(hid_t stored) {
    if (H5Tis_variable_str(stored) <= 0) return H5Tcopy(stored);
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5Tget_cset(stored));
    return type;
}

/* Of a number, an array of numbers, or a string; invalid where it is none of them. */
static hid_t reading_type(hid_t stored) {
    dt_dtype dtype;
    if (H5Tget_class(stored) == H5T_STRING) return reading_string(stored);
    if (H5Tget_class(stored) != H5T_ARRAY)
        return dt_h5_dtype_of(stored, &dtype) ? H5Tcopy(dt_h5_reading_type(stored, dtype)) : H5I_INVALID_HID;
    hsize_t dims[H5S_MAX_RANK];
    int rank = H5Tget_array_dims2(stored, dims);
    hid_t base = H5Tget_super(stored), array = H5I_INVALID_HID;
    if (rank > 0 && dt_h5_dtype_of(base, &dtype))
        array = H5Tarray_create2(dt_h5_reading_type(base, dtype), (unsigned)rank, dims);
    H5Tclose(base);
    return array;
}

/* The compound that has the fields of `paths` alone, where `stored` has them. The paths agree up to `depth`. */
static hid_t reading_compound(hid_t stored, const field_path *paths, int count, int depth) {
    hid_t made = H5Tcreate(H5T_COMPOUND, 1);
    int members = H5Tget_nmembers(stored);
    for (unsigned m = 0; (int)m < members && made >= 0; m++) {
        field_path inner[DT_H5_MOST_CHOICES];
        int within = 0;
        for (int i = 0; i < count; i++)
            if (paths[i].member[depth] == m) inner[within++] = paths[i];
        if (within == 0) continue;
        hid_t member = H5Tget_member_type(stored, m);
        hid_t type =
            inner[0].depth == depth + 1 ? reading_type(member) : reading_compound(member, inner, within, depth + 1);
        char *name = H5Tget_member_name(stored, m);
        size_t at = H5Tget_nmembers(made) == 0 ? 0 : H5Tget_size(made);
        bool good = type >= 0 && H5Tset_size(made, at + H5Tget_size(type)) >= 0 && H5Tinsert(made, name, at, type) >= 0;
        if (type >= 0) H5Tclose(type);
        H5Tclose(member);
        H5free_memory(name);
        if (!good) {
            H5Tclose(made);
            made = H5I_INVALID_HID;
        }
    }
    return made;
}

/* Where a field begins in what HDF5 is asked for. */
static size_t offset_of(hid_t memory, hid_t stored, const field_path *path) {
    hid_t in = H5Tcopy(memory), from = H5Tcopy(stored);
    size_t offset = 0;
    for (int i = 0; i < path->depth; i++) {
        char *name = H5Tget_member_name(from, path->member[i]);
        unsigned index = (unsigned)H5Tget_member_index(in, name);
        H5free_memory(name);
        offset += H5Tget_member_offset(in, index);
        hid_t next_in = H5Tget_member_type(in, index), next_from = H5Tget_member_type(from, path->member[i]);
        H5Tclose(in);
        H5Tclose(from);
        in = next_in;
        from = next_from;
    }
    H5Tclose(in);
    H5Tclose(from);
    return offset;
}

/* ---- numbers ---- */

static bool is_wide(dt_dtype dtype) {
    return dtype >= DT_U32 && dtype != DT_F32;
}

/* NumPy's promotion: the format that holds both; float64 where none of the integers does. */
dt_dtype dt_h5_promoted(dt_dtype a, dt_dtype b) {
    if (a == b) return a;
    if (a >= DT_F32 || b >= DT_F32) return is_wide(a) || is_wide(b) ? DT_F64 : DT_F32;
    bool a_signed = a % 2 != 0, b_signed = b % 2 != 0;
    if (a_signed == b_signed) return a > b ? a : b;
    dt_dtype plain = a_signed ? b : a, with_sign = a_signed ? a : b;
    if (with_sign > plain + 1) return with_sign;
    return plain == DT_U64 ? DT_F64 : (dt_dtype)(plain + 3); /* the signed one of the next width */
}

/* The numbers of a field, and its dimensions. */
static bool count_numbers(hid_t stored, dt_shape *shape, int64_t *count, dt_dtype *dtype) {
    *shape = (dt_shape){0, {0}};
    *count = 1;
    if (H5Tget_class(stored) != H5T_ARRAY) return dt_h5_dtype_of(stored, dtype);
    hsize_t dims[H5S_MAX_RANK];
    int rank = H5Tget_array_dims2(stored, dims);
    hid_t base = H5Tget_super(stored);
    bool good = rank > 0 && rank < DT_MAX_RANK && dt_h5_dtype_of(base, dtype);
    H5Tclose(base);
    for (int i = 0; good && i < rank; i++) {
        shape->dim[shape->rank++] = (int64_t)dims[i];
        good = dims[i] > 0 && dims[i] <= (hsize_t)(MOST_LEAVES / *count);
        if (good) *count *= (int64_t)dims[i];
    }
    return good;
}

static bool add_numbers(dt_h5_element *e, size_t offset, int64_t count, dt_dtype dtype) {
    if (count > MOST_LEAVES - e->count) return false;
    dt_h5_leaf *grown = dt_alloc((size_t)(e->count + count), sizeof *grown);
    if (!grown) return false;
    if (e->count > 0) memcpy(grown, e->leaves, (size_t)e->count * sizeof *grown);
    for (int64_t i = 0; i < count; i++)
        grown[e->count + i] = (dt_h5_leaf){offset + (size_t)i * dt_dtype_size(dtype), dtype};
    e->dtype = e->count > 0 ? dt_h5_promoted(e->dtype, dtype) : dtype;
    dt_free(e->leaves);
    e->leaves = grown;
    e->count += count;
    return true;
}

static dt_status fail_size(const about *a) {
    char path[80];
    return dt_fail(DT_ERR_CORRUPT, "%s: an element of %s has more than %lld numbers, or %d dimensions", a->file->path,
                   dt_escape_name(path, sizeof path, a->choices->text), (long long)MOST_LEAVES, DT_MAX_RANK - 1);
}

static bool is_text(hid_t stored) {
    return H5Tget_class(stored) == H5T_STRING;
}

static bool is_numeric(hid_t stored) {
    hid_t type = is_text(stored) ? H5I_INVALID_HID : reading_type(stored);
    if (type >= 0) H5Tclose(type);
    return type >= 0;
}

/* One field, or the element that has none. */
static dt_status add_field(dt_h5_element *e, const about *a, const char *field, hid_t stored, size_t offset) {
    dt_shape shape;
    int64_t count;
    dt_dtype dtype;
    if (!is_numeric(stored)) return fail_type(a, field, stored);
    if (!count_numbers(stored, &shape, &count, &dtype) || !add_numbers(e, offset, count, dtype)) return fail_size(a);
    e->shape = shape;
    if (e->only < 0) e->only = H5Tget_class(stored) == H5T_ARRAY ? H5Tget_super(stored) : H5Tcopy(stored);
    return dt_ok();
}

/* The one string of an element; its number will be an int32. */
static dt_status add_text(dt_h5_element *e, hid_t stored, size_t offset) {
    static const dt_h5_text kinds[] = {
        [H5T_STR_NULLTERM] = DT_H5_ENDED, [H5T_STR_NULLPAD] = DT_H5_ZEROS, [H5T_STR_SPACEPAD] = DT_H5_SPACES};
    H5T_str_t padding = H5Tget_strpad(stored);
    bool known = padding == H5T_STR_NULLTERM || padding == H5T_STR_NULLPAD || padding == H5T_STR_SPACEPAD;
    e->text = H5Tis_variable_str(stored) > 0 ? DT_H5_VARIABLE : known ? kinds[padding] : DT_H5_ZEROS;
    e->text_bytes = e->text == DT_H5_VARIABLE ? 0 : H5Tget_size(stored);
    return add_numbers(e, offset, 1, DT_I32) ? dt_ok() : dt_fail_memory("a type", sizeof *e->leaves);
}

/* ---- elements ---- */

static dt_status open_compound(dt_h5_element *e, const about *a, hid_t stored, bool texts) {
    int count = a->choices->count;
    field_path paths[DT_H5_MOST_CHOICES];
    for (int i = 0; i < count; i++) {
        const char *field = a->choices->choice[i].field;
        paths[i].depth = 0;
        if (!find_field(stored, field, &paths[i])) return fail_field(a, stored, field);
        hid_t type = type_at(stored, &paths[i]);
        dt_status status = dt_ok();
        char before[DT_H5_NAME_BYTES + 1];
        snprintf(before, sizeof before, "%s.", field);
        if (H5Tget_class(type) == H5T_COMPOUND)
            status = fail_compound(a, type, before);
        else if (!is_numeric(type) && !(is_text(type) && texts && count == 1))
            status = fail_type(a, field, type);
        H5Tclose(type);
        DT_TRY(status);
    }
    e->memory = reading_compound(stored, paths, count, 0);
    if (e->memory < 0) return dt_h5_fail(a->file, a->choices->text, "making a type for the fields");
    for (int i = 0; i < count; i++) {
        hid_t type = type_at(stored, &paths[i]);
        size_t offset = offset_of(e->memory, stored, &paths[i]);
        dt_status status =
            is_text(type) ? add_text(e, type, offset) : add_field(e, a, a->choices->choice[i].field, type, offset);
        H5Tclose(type);
        DT_TRY(status);
    }
    if (count > 1) e->shape = (dt_shape){1, {e->count}};
    return dt_ok();
}

dt_status dt_h5_element_open(dt_h5_element *out, const dt_h5 *file, hid_t stored, const dt_h5_choices *choices,
                             bool texts) {
    *out = (dt_h5_element){.memory = H5I_INVALID_HID, .only = H5I_INVALID_HID};
    about a = {file, choices};
    bool compound = H5Tget_class(stored) == H5T_COMPOUND, fields = choices->count > 0 && choices->choice[0].field;
    if (fields && !compound) return fail_field(&a, stored, choices->choice[0].field);
    if (compound && !fields) return fail_compound(&a, stored, "");
    if (compound) {
        DT_TRY(open_compound(out, &a, stored, texts));
    } else if (is_text(stored)) {
        if (!texts) return fail_type(&a, NULL, stored);
        out->memory = reading_type(stored);
        DT_TRY(add_text(out, stored, 0));
    } else {
        out->memory = reading_type(stored);
        if (out->memory < 0) return fail_type(&a, NULL, stored);
        DT_TRY(add_field(out, &a, NULL, stored, 0));
        out->native = out->shape.rank == 0 && dt_h5_is_native(stored, out->dtype);
    }
    if (choices->count > 1 && compound) {
        H5Tclose(out->only);
        out->only = H5I_INVALID_HID;
    }
    out->bytes = H5Tget_size(out->memory);
    return dt_ok();
}

void dt_h5_element_close(dt_h5_element *element) {
    if (element->memory >= 0) H5Tclose(element->memory);
    if (element->only >= 0) H5Tclose(element->only);
    dt_free(element->leaves);
    *element = (dt_h5_element){.memory = H5I_INVALID_HID, .only = H5I_INVALID_HID};
}
