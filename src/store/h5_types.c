/* Which of our number formats an HDF5 type is. Besides integers and floats, enumerations (h5py's booleans are one) are
 * read as the integers they are stored as, and bit fields (of PyTables and Julia) as unsigned ones: a label is a label
 * in whatever form its writer keeps it. */
#include "h5_types.h"

hid_t dt_h5_memory_type(dt_dtype dtype) {
    switch (dtype) {
    case DT_U8: return H5T_NATIVE_UINT8;
    case DT_I8: return H5T_NATIVE_INT8;
    case DT_U16: return H5T_NATIVE_UINT16;
    case DT_I16: return H5T_NATIVE_INT16;
    case DT_U32: return H5T_NATIVE_UINT32;
    case DT_I32: return H5T_NATIVE_INT32;
    case DT_U64: return H5T_NATIVE_UINT64;
    case DT_I64: return H5T_NATIVE_INT64;
    case DT_F32: return H5T_NATIVE_FLOAT;
    case DT_F64: return H5T_NATIVE_DOUBLE;
    case DT_DTYPE_COUNT: break;
    }
    return H5I_INVALID_HID;
}

static dt_dtype integer_of(size_t size, bool is_signed) {
    int width = size <= 1 ? 0 : size <= 2 ? 1 : size <= 4 ? 2 : 3;
    return (dt_dtype)(DT_U8 + 2 * width + (is_signed ? 1 : 0));
}

/* The integers of an enumeration. */
static bool enumeration_dtype(hid_t stored, dt_dtype *dtype) {
    hid_t base = H5Tget_super(stored);
    if (base < 0) return false;
    bool found = H5Tget_class(base) == H5T_INTEGER && dt_h5_dtype_of(base, dtype);
    H5Tclose(base);
    return found;
}

/* By the bits of exponent and mantissa: a float of two bytes is one of any kind. */
static bool float_dtype(hid_t stored, dt_dtype *dtype) {
    size_t sign, exponent, exponent_bits, mantissa, mantissa_bits;
    if (H5Tget_fields(stored, &sign, &exponent, &exponent_bits, &mantissa, &mantissa_bits) < 0) return false;
    *dtype = exponent_bits <= 8 && mantissa_bits <= 23 ? DT_F32 : DT_F64;
    return exponent_bits <= 11 && mantissa_bits <= 52;
}

bool dt_h5_dtype_of(hid_t stored, dt_dtype *dtype) {
    size_t size = H5Tget_size(stored);
    H5T_class_t class = H5Tget_class(stored);
    if (class == H5T_ENUM) return enumeration_dtype(stored, dtype);
    if (size > 8 || (class != H5T_FLOAT && class != H5T_INTEGER && class != H5T_BITFIELD)) return false;
    if (class == H5T_FLOAT) return float_dtype(stored, dtype);
    *dtype = integer_of(size, class == H5T_INTEGER && H5Tget_sign(stored) == H5T_SGN_2);
    return true;
}

static hid_t bits_of(dt_dtype dtype) {
    switch (dt_dtype_size(dtype)) {
    case 1: return H5T_NATIVE_B8;
    case 2: return H5T_NATIVE_B16;
    case 4: return H5T_NATIVE_B32;
    default: return H5T_NATIVE_B64;
    }
}

/* HDF5 turns enumerations into integers, but not bit fields. */
hid_t dt_h5_reading_type(hid_t stored, dt_dtype dtype) {
    return H5Tget_class(stored) == H5T_BITFIELD ? bits_of(dtype) : dt_h5_memory_type(dtype);
}

bool dt_h5_is_native(hid_t stored, dt_dtype dtype) {
    if (H5Tget_class(stored) != H5T_ENUM) return H5Tequal(stored, dt_h5_reading_type(stored, dtype)) > 0;
    hid_t base = H5Tget_super(stored);
    bool native = base >= 0 && H5Tequal(base, dt_h5_memory_type(dtype)) > 0;
    if (base >= 0) H5Tclose(base);
    return native;
}

const char *dt_h5_class_name(hid_t stored) {
    switch (H5Tget_class(stored)) {
    case H5T_STRING: return "text";
    case H5T_COMPOUND: return "compound";
    case H5T_ENUM: return "an enumeration of something else than integers";
    case H5T_FLOAT: return "a float wider than 64 bits";
    case H5T_INTEGER: return "an integer wider than 64 bits";
    case H5T_BITFIELD: return "a bit field wider than 64 bits";
    case H5T_ARRAY: return "array";
    case H5T_VLEN: return "variable-length";
    case H5T_OPAQUE: return "opaque bytes";
    default: return "not numeric";
    }
}
