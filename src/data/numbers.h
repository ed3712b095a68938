/* The numbers of a file, one by one (values.c). */
#ifndef DTRAIN_DATA_NUMBERS_H
#define DTRAIN_DATA_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "compute/compute.h"
#include "data/array.h"

/* out[i] = x[i*stride] - from_value, for n numbers; exact but for one rounding, also of 64-bit integers. */
void dt_apart(double *out, const void *x, dt_dtype dtype, int64_t n, int64_t stride, double from_value);
/* out[i*stride] = (x[i*stride] - mean)/std, rounded to float32 last of all. */
void dt_standardise(dt_real *out, const void *x, dt_dtype dtype, int64_t n, int64_t stride, double mean, double std);
/* Whether it is an integer of at most 63 bits, whatever its format. */
bool dt_is_integer(const void *values, dt_dtype dtype, int64_t i);
double dt_number_at(const void *values, dt_dtype dtype, int64_t i);
#define DT_NUMBER_TEXT 32
void dt_number_text(char out[DT_NUMBER_TEXT], const void *values, dt_dtype dtype, int64_t i);
/* dt_array_row_fault of `count` numbers; `fills`: NaN is none. */
bool dt_numbers_fault(const void *values, dt_dtype dtype, int64_t count, bool fills, char *out, size_t size);

/* Formats with numbers that float32 cannot hold. */
static inline bool dt_is_wide(dt_dtype dtype) {
    return dtype >= DT_U32 && dtype != DT_F32;
}

/* An integer of any width, or a float that is one; uint64 beyond int64 saturates. */
static inline int64_t dt_integer_at(const void *values, dt_dtype dtype, int64_t i) {
    switch (dtype) {
    case DT_U8: return ((const uint8_t *)values)[i];
    case DT_I8: return ((const int8_t *)values)[i];
    case DT_U16: return ((const uint16_t *)values)[i];
    case DT_I16: return ((const int16_t *)values)[i];
    case DT_U32: return ((const uint32_t *)values)[i];
    case DT_I32: return ((const int32_t *)values)[i];
    case DT_I64: return ((const int64_t *)values)[i];
    case DT_U64: {
        uint64_t value = ((const uint64_t *)values)[i];
        return value < INT64_MAX ? (int64_t)value : INT64_MAX;
    }
    case DT_F32: return (int64_t)((const float *)values)[i];
    case DT_F64: return (int64_t)((const double *)values)[i];
    default: return -1;
    }
}

#endif
