/* The second pass: rows of a table as numbers, in the order of the columns. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "columns.h"

#define MOST_WHOLE_F32 0x1p24 /* whole numbers up to here are float32's, too */

static int64_t numbers_of(const dt_columns *columns, const dt_column *column) {
    bool spread = columns->one_hot && column->role == DT_ROLE_INPUT && column->categories;
    return spread ? dt_categories_count(column->categories) : 1;
}

int64_t dt_columns_width(const dt_columns *columns, dt_role role) {
    int64_t width = 0;
    for (size_t i = 0; i < columns->count; i++)
        if (columns->all[i].role == role) width += numbers_of(columns, &columns->all[i]);
    return width;
}

/* ---- formats ---- */

/* Whether float32 keeps what tells a column's values apart: their steps there are small against their range. */
static bool fits_f32(const dt_column *column) {
    double largest = fmax(fabs(column->least), fabs(column->most));
    if (!column->fractions && largest <= MOST_WHOLE_F32) return true;
    bool constant = column->most <= column->least;
    return largest <= FLT_MAX && (constant || largest * FLT_EPSILON <= 1e-5 * (column->most - column->least));
}

static dt_dtype integers_for(double least, double most) {
    if (least >= 0 && most <= UINT8_MAX) return DT_U8;
    if (least >= 0 && most <= UINT16_MAX) return DT_U16;
    return least >= INT32_MIN && most <= INT32_MAX ? DT_I32 : DT_I64;
}

dt_dtype dt_columns_dtype(const dt_columns *columns, dt_role role) {
    double least = 0, most = 0;
    bool whole = true, single = true;
    for (size_t i = 0; i < columns->count; i++) {
        const dt_column *column = &columns->all[i];
        if (column->role != role) continue;
        if (column->categories) {
            most = fmax(most, dt_categories_count(column->categories) - 1);
            whole = whole && (column->missing == 0 || numbers_of(columns, column) > 1);
            continue;
        }
        whole = whole && !column->fractions && column->missing == 0;
        single = single && fits_f32(column);
        least = fmin(least, column->least);
        most = fmax(most, column->most);
    }
    /* pictures as rows of bytes, and classes; other inputs are floats, for another file of the same may have them */
    bool bytes = least >= 0 && most <= UINT8_MAX;
    if (whole && (role == DT_ROLE_INPUT ? bytes : most <= 0x1p53 && least >= -0x1p53)) return integers_for(least, most);
    return single ? DT_F32 : DT_F64;
}

/* ---- rows ---- */

static dt_status fail_changed(const dt_csv *csv) {
    return dt_fail(DT_ERR_IO, "%s:%lld: the file changed while it was read; nothing is written", dt_csv_path(csv),
                   (long long)dt_csv_line(csv));
}

static dt_status put_category(const dt_columns *columns, const dt_column *column, const dt_csv *csv, const char *field,
                              double *out) {
    bool missing = dt_csv_is_missing(&columns->notation, field);
    int32_t number = missing ? -1 : dt_categories_find(column->categories, field);
    if (number < 0 && !missing) return fail_changed(csv);
    if (!columns->one_hot || column->role == DT_ROLE_TARGET) {
        *out = missing ? NAN : (double)number;
        return dt_ok();
    }
    int64_t width = numbers_of(columns, column);
    for (int64_t i = 0; i < width; i++) out[i] = i == number ? 1 : 0;
    return dt_ok();
}

static dt_status put_number(const dt_columns *columns, const dt_csv *csv, const char *field, double *out) {
    *out = NAN;
    if (dt_csv_is_missing(&columns->notation, field) || dt_csv_number(&columns->notation, field, out)) return dt_ok();
    return fail_changed(csv);
}

dt_status dt_columns_values(const dt_columns *columns, const dt_csv *csv, dt_role role, double *out) {
    for (size_t i = 0; i < columns->count; i++) {
        const dt_column *column = &columns->all[i];
        if (column->role != role) continue;
        if (column->field < 0) return fail_changed(csv);
        const char *field = dt_csv_field(csv, (size_t)column->field);
        DT_TRY(column->categories ? put_category(columns, column, csv, field, out)
                                  : put_number(columns, csv, field, out));
        out += numbers_of(columns, column);
    }
    return dt_ok();
}
