/* Putting in order what was read of a dataset: its dimensions, the columns and fields that are wanted, and one number
 * format for all. Numbers are moved a few rows at a time, for where rows are along the last dimension of a file,
 * neighbours there are of different rows. */
#include <string.h>

#include "base/memory.h"
#include "h5_view.h"

#define ROWS_AT_ONCE 16

/* A number of the innermost dimension. */
typedef struct number {
    int64_t at; /* bytes, from where its place begins */
    dt_dtype dtype;
} number;

typedef struct gathering {
    const dt_h5_view *view;
    number *inner; /* [inner_count]: columns, and the numbers of each */
    int64_t inner_count;
    int64_t step[DT_MAX_RANK]; /* bytes from one to the next, by dimension of the rows */
} gathering;

static double as_real(const char *from, dt_dtype dtype) {
    union {
        uint8_t u8;
        int8_t i8;
        uint16_t u16;
        int16_t i16;
        uint32_t u32;
        int32_t i32;
        uint64_t u64;
        int64_t i64;
        float f32;
        double f64;
    } value;
    memcpy(&value, from, dt_dtype_size(dtype));
    switch (dtype) {
    case DT_U8: return value.u8;
    case DT_I8: return value.i8;
    case DT_U16: return value.u16;
    case DT_I16: return value.i16;
    case DT_U32: return value.u32;
    case DT_I32: return value.i32;
    case DT_U64: return (double)value.u64;
    case DT_I64: return (double)value.i64;
    case DT_F32: return value.f32;
    case DT_F64: return value.f64;
    case DT_DTYPE_COUNT: break;
    }
    return 0;
}

/* To another format: of integers to a wider one, so what is converted has 32 bits at most, and a double holds it. */
static void convert(char *to, dt_dtype to_type, const char *from, dt_dtype from_type) {
    double value = as_real(from, from_type);
    float single = (float)value;
    int64_t whole = to_type < DT_F32 ? (int64_t)value : 0; /* little endian: its first bytes are the narrower ones */
    const void *bytes = to_type == DT_F64 ? (const void *)&value : to_type == DT_F32 ? (const void *)&single : &whole;
    memcpy(to, bytes, dt_dtype_size(to_type));
}

void dt_h5_convert(char *to, dt_dtype to_type, const char *from, dt_dtype from_type, int64_t count) {
    size_t to_size = dt_dtype_size(to_type), from_size = dt_dtype_size(from_type);
    if (to_type == from_type)
        memcpy(to, from, (size_t)count * to_size);
    else
        for (int64_t i = 0; i < count; i++, to += to_size, from += from_size) convert(to, to_type, from, from_type);
}

static void unpack(char *to, const dt_h5_view *v, const char *from, dt_dtype from_type) {
    double value = dt_h5_unpacked(&v->packing, as_real(from, from_type));
    convert(to, v->dtype, (const char *)&value, DT_F64);
}

/* One number of `rows` rows. */
static void move_numbers(char *to, size_t to_step, const char *from, int64_t step, int64_t rows, size_t size) {
    switch (size) {
    case 1:
        for (int64_t r = 0; r < rows; r++) to[(size_t)r * to_step] = from[r * step];
        break;
    case 2:
        for (int64_t r = 0; r < rows; r++) memcpy(to + (size_t)r * to_step, from + r * step, 2);
        break;
    case 4:
        for (int64_t r = 0; r < rows; r++) memcpy(to + (size_t)r * to_step, from + r * step, 4);
        break;
    default:
        for (int64_t r = 0; r < rows; r++) memcpy(to + (size_t)r * to_step, from + r * step, 8);
    }
}

/* The numbers at one place of all but the innermost dimension, of `rows` rows. */
static void move_place(const gathering *g, char *to, size_t row_bytes, const char *from, int64_t rows) {
    const dt_h5_view *v = g->view;
    size_t size = dt_dtype_size(v->dtype);
    for (int64_t i = 0; i < g->inner_count; i++, to += size) {
        const number *n = &g->inner[i];
        if (v->packing.is_packed)
            for (int64_t r = 0; r < rows; r++)
                unpack(to + (size_t)r * row_bytes, v, from + n->at + r * g->step[0], n->dtype);
        else if (n->dtype == v->dtype)
            move_numbers(to, row_bytes, from + n->at, g->step[0], rows, size);
        else
            for (int64_t r = 0; r < rows; r++)
                convert(to + (size_t)r * row_bytes, v->dtype, from + n->at + r * g->step[0], n->dtype);
    }
}

/* All places of `rows` rows. */
static void move_rows(const gathering *g, char *to, size_t row_bytes, const char *from, int64_t rows) {
    const dt_h5_view *v = g->view;
    size_t place_bytes = (size_t)g->inner_count * dt_dtype_size(v->dtype);
    int64_t index[DT_MAX_RANK] = {0}, at = 0;
    int last = v->rank - 2; /* the innermost is in g->inner */
    for (;;) {
        move_place(g, to, row_bytes, from + at, rows);
        to += place_bytes;
        int d = last;
        for (; d >= 1; d--) {
            at += g->step[d];
            if (++index[d] < (int64_t)v->dims[v->from[d]]) break;
            at -= index[d] * g->step[d];
            index[d] = 0;
        }
        if (d < 1) return;
    }
}

/* The innermost dimension: columns, and in each the numbers of an element. */
static bool list_inner(gathering *g) {
    const dt_h5_view *v = g->view;
    int64_t columns = v->column_count, leaves = v->element.count;
    g->inner_count = columns * leaves;
    g->inner = dt_alloc((size_t)g->inner_count, sizeof *g->inner);
    if (!g->inner) return false;
    int64_t step = v->rank > 1 ? g->step[v->rank - 1] : 0;
    for (int64_t c = 0; c < columns; c++)
        for (int64_t i = 0; i < leaves; i++) {
            const dt_h5_leaf *leaf = &v->element.leaves[i];
            g->inner[c * leaves + i] =
                (number){(v->columns ? v->columns[c] : c) * step + (int64_t)leaf->offset, leaf->dtype};
        }
    return true;
}

dt_status dt_h5_gather(const dt_h5_view *v, const char *read, const hsize_t *block, int64_t count, char *out) {
    gathering g = {.view = v};
    int64_t step[H5S_MAX_RANK], bytes = (int64_t)v->element.bytes;
    for (int i = v->rank - 1; i >= 0; i--) {
        step[i] = bytes;
        bytes *= (int64_t)block[i];
    }
    for (int i = 0; i < v->rank; i++) g.step[i] = step[v->from[i]];
    if (!list_inner(&g)) return dt_fail_memory("rows of a dataset", (size_t)g.inner_count * sizeof *g.inner);
    size_t row_bytes = dt_dtype_size(v->dtype);
    for (int i = 1; i < v->shape.rank; i++) row_bytes *= (size_t)v->shape.dim[i];
    for (int64_t first = 0; first < count; first += ROWS_AT_ONCE) {
        int64_t rows = count - first < ROWS_AT_ONCE ? count - first : ROWS_AT_ONCE;
        move_rows(&g, out + (size_t)first * row_bytes, row_bytes, read + first * g.step[0], rows);
    }
    dt_free(g.inner);
    return dt_ok();
}
