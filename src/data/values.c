/* The numbers of a file one by one, whatever their format: as double, for what float32 would lose, and as text, for
 * messages. What the training step reads by the million goes through the kernels instead. */
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "numbers.h"

#define HALF 0x1p32 /* where 64-bit integers are cut in two, each of which a double holds */
#define AT_ONCE 256
#define MOST_WHOLE 0x1p53 /* beyond it a double does not tell neighbouring integers apart */

#define APART(type)                                                                                                    \
    do {                                                                                                               \
        const type *from = x;                                                                                          \
        for (int64_t i = 0; i < n; i++) out[i] = (double)from[i * stride] - from_value;                                \
    } while (0)

/* Times in nanoseconds are above 2^53: their halves are taken apart one by one, and both differences are exact. */
#define APART_64(type)                                                                                                 \
    do {                                                                                                               \
        const type *from = x;                                                                                          \
        const double high = floor(from_value / HALF), low = from_value - high * HALF;                                  \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            type v = from[i * stride];                                                                                 \
            out[i] = ((double)(v >> 32) - high) * HALF + ((double)(uint32_t)v - low);                                  \
        }                                                                                                              \
    } while (0)

void dt_apart(double *out, const void *x, dt_dtype dtype, int64_t n, int64_t stride, double from_value) {
    switch (dtype) {
    case DT_U8: APART(uint8_t); break;
    case DT_I8: APART(int8_t); break;
    case DT_U16: APART(uint16_t); break;
    case DT_I16: APART(int16_t); break;
    case DT_U32: APART(uint32_t); break;
    case DT_I32: APART(int32_t); break;
    case DT_U64: APART_64(uint64_t); break;
    case DT_I64: APART_64(int64_t); break;
    case DT_F32: APART(float); break;
    case DT_F64: APART(double); break;
    case DT_DTYPE_COUNT:
        for (int64_t i = 0; i < n; i++) out[i] = 0;
        break;
    }
}

void dt_standardise(dt_real *out, const void *x, dt_dtype dtype, int64_t n, int64_t stride, double mean, double std) {
    double apart[AT_ONCE];
    const double factor = 1 / std;
    const size_t step = (size_t)stride * dt_dtype_size(dtype);
    for (int64_t at = 0; at < n; at += AT_ONCE) {
        int64_t count = n - at < AT_ONCE ? n - at : AT_ONCE;
        dt_apart(apart, (const char *)x + (size_t)at * step, dtype, count, stride, mean);
        for (int64_t i = 0; i < count; i++) out[(at + i) * stride] = (dt_real)(apart[i] * factor);
    }
}

double dt_number_at(const void *values, dt_dtype dtype, int64_t i) {
    double number = 0;
    dt_apart(&number, (const char *)values + (size_t)i * dt_dtype_size(dtype), dtype, 1, 1, 0);
    return number;
}

bool dt_is_integer(const void *values, dt_dtype dtype, int64_t i) {
    if (dtype == DT_U64) return ((const uint64_t *)values)[i] < INT64_MAX;
    if (dtype != DT_F32 && dtype != DT_F64) return true;
    double value = dt_number_at(values, dtype, i);
    return fabs(value) <= MOST_WHOLE && value >= floor(value) && value <= floor(value);
}

void dt_number_text(char out[DT_NUMBER_TEXT], const void *values, dt_dtype dtype, int64_t i) {
    if (dtype == DT_U64)
        snprintf(out, DT_NUMBER_TEXT, "%llu", (unsigned long long)((const uint64_t *)values)[i]);
    else if (dtype == DT_F32 || dtype == DT_F64)
        snprintf(out, DT_NUMBER_TEXT, "%.9g", dt_number_at(values, dtype, i));
    else
        snprintf(out, DT_NUMBER_TEXT, "%lld", (long long)dt_integer_at(values, dtype, i));
}

/* The first of n numbers that float32 has none for, or n. */
static int64_t first_fault(const void *values, dt_dtype dtype, int64_t n, bool fills) {
    double numbers[AT_ONCE];
    for (int64_t at = 0; at < n; at += AT_ONCE) {
        int64_t count = n - at < AT_ONCE ? n - at : AT_ONCE, usable = 0;
        dt_apart(numbers, (const char *)values + (size_t)at * dt_dtype_size(dtype), dtype, count, 1, 0);
        for (int64_t i = 0; i < count; i++) usable += fabs(numbers[i]) <= (double)FLT_MAX;
        for (int64_t i = 0; usable < count && i < count; i++)
            if (!(fabs(numbers[i]) <= (double)FLT_MAX) && !(fills && isnan(numbers[i]))) return at + i;
    }
    return n;
}

bool dt_numbers_fault(const void *values, dt_dtype dtype, int64_t count, bool fills, char *out, size_t size) {
    if (dtype != DT_F32 && dtype != DT_F64) return false; /* integers are far below the limit */
    int64_t at = first_fault(values, dtype, count, fills);
    if (at == count) return false;
    double value = dt_number_at(values, dtype, at);
    if (isfinite(value))
        snprintf(out, size, "has %.6g, which is finite in the file but beyond float32 (3.4e38)", value);
    else if (count == 1)
        snprintf(out, size, "is not finite");
    else
        snprintf(out, size, "is not finite (%s in its place %lld)", isnan(value) ? "nan" : "infinity", (long long)at);
    return true;
}

bool dt_array_row_fault(const dt_array *array, int64_t row, char *out, size_t size) {
    dt_shape shape = dt_array_row_shape(array);
    return dt_numbers_fault(dt_array_row(array, row), dt_array_dtype(array), dt_shape_count(&shape), false, out, size);
}
