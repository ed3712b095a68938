#include "table_look.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "csv_values.h"

#define FIRST_RECORDS 200 /* by which the notation is guessed */

static const dt_csv_notation with_point = {.decimal = '.'}, with_comma = {.decimal = ','};

/* ---- how it is written ---- */

/* Fields of the first record where the second has as many; 0 where not. */
static size_t fields_by(const char *path, char delimiter) {
    dt_csv *csv = NULL;
    bool more = false, second = false;
    size_t count = 0;
    if (dt_csv_open(&csv, path, delimiter).code == DT_OK && dt_csv_next(csv, &more).code == DT_OK && more) {
        count = dt_csv_count(csv);
        if (dt_csv_next(csv, &second).code != DT_OK || !second || dt_csv_count(csv) != count) count = 0;
    }
    dt_csv_close(csv);
    return count;
}

static char guess_delimiter(const char *path) {
    static const char delimiters[] = {',', ';', '\t', '|'};
    char best = ',';
    size_t most = 1;
    for (size_t i = 0; i < sizeof delimiters; i++) {
        size_t count = fields_by(path, delimiters[i]);
        if (count > most) most = count, best = delimiters[i];
    }
    return best;
}

static bool is_number(const char *field) {
    double value;
    return dt_csv_number(&with_point, field, &value) || dt_csv_number(&with_comma, field, &value);
}

/* What is written with a comma that no decimal point could be meant by, against what is with a point. */
static void guess_notation(dt_table_look *look, dt_csv *csv) {
    int64_t commas = 0, points = 0;
    bool more = false;
    double value;
    look->header = false;
    for (int record = 0; record < FIRST_RECORDS && dt_csv_next(csv, &more).code == DT_OK && more; record++)
        for (size_t i = 0; i < dt_csv_count(csv); i++) {
            const char *field = dt_csv_field(csv, i);
            bool point = dt_csv_number(&with_point, field, &value), comma = dt_csv_number(&with_comma, field, &value);
            look->header |= record == 0 && *field && !is_number(field);
            commas += comma && !point;
            points += point && strchr(field, '.') != NULL;
        }
    look->decimal = commas > points && look->delimiter != ',' ? ',' : '.';
}

/* ---- columns ---- */

static dt_status name_columns(dt_table_look *look, const dt_csv *csv) {
    look->count = dt_csv_count(csv);
    look->columns = dt_alloc(look->count + 1, sizeof *look->columns);
    if (!look->columns) return dt_fail_memory("the columns of a table", look->count * sizeof *look->columns);
    for (size_t i = 0; i < look->count; i++) {
        char number[24];
        snprintf(number, sizeof number, "%zu", i + 1);
        const char *given = look->header ? dt_csv_field(csv, i) : "";
        look->columns[i].name = dt_strdup(*given ? given : number);
        if (!look->columns[i].name) return dt_fail_memory("the names of columns", strlen(given));
    }
    return dt_ok();
}

static dt_status take_text(dt_table_column *column, const char *field) {
    column->others++;
    if (!column->texts) DT_TRY(dt_categories_create(&column->texts));
    return dt_categories_count(column->texts) <= DT_TABLE_TEXTS ? dt_categories_add(column->texts, field) : dt_ok();
}

static dt_status take_value(const dt_csv_notation *notation, dt_table_column *column, const char *field) {
    double value;
    if (dt_csv_is_missing(notation, field)) {
        column->missing++;
    } else if (dt_csv_number(notation, field, &value) && isfinite(value)) {
        if (column->numbers++ == 0) column->least = column->most = value;
        column->least = fmin(column->least, value);
        column->most = fmax(column->most, value);
        column->sum += value;
    } else if (dt_csv_is_date(field)) {
        column->dates++;
    } else {
        return take_text(column, field);
    }
    return dt_ok();
}

static dt_status take_records(dt_table_look *look, dt_csv *csv, const dt_csv_notation *notation) {
    bool more;
    DT_TRY(dt_csv_next(csv, &more));
    if (!more) return dt_fail(DT_ERR_INPUT, "%s: the file has no line with anything in it", dt_csv_path(csv));
    DT_TRY(name_columns(look, csv));
    if (look->header) DT_TRY(dt_csv_next(csv, &more));
    for (; more; look->rows++) {
        if (dt_csv_count(csv) != look->count)
            return dt_fail(DT_ERR_INPUT, "%s:%lld: %zu fields, but the first line has %zu", dt_csv_path(csv),
                           (long long)dt_csv_line(csv), dt_csv_count(csv), look->count);
        for (size_t i = 0; i < look->count; i++) DT_TRY(take_value(notation, &look->columns[i], dt_csv_field(csv, i)));
        DT_TRY(dt_csv_next(csv, &more));
    }
    for (size_t i = 0; i < look->count; i++)
        if (look->columns[i].texts) DT_TRY(dt_categories_sort(look->columns[i].texts));
    return dt_ok();
}

dt_status dt_table_look_open(dt_table_look *out, const char *path) {
    dt_csv *csv;
    dt_csv_notation notation;
    *out = (dt_table_look){.delimiter = guess_delimiter(path)};
    DT_TRY(dt_csv_open(&csv, path, out->delimiter));
    guess_notation(out, csv);
    dt_csv_close(csv);
    DT_TRY(dt_csv_open(&csv, path, out->delimiter));
    dt_status status = dt_csv_notation_open(&notation, out->decimal, "NA,N/A,NaN,nan,NULL,null");
    if (status.code == DT_OK) status = take_records(out, csv, &notation);
    dt_csv_notation_finish(&notation);
    dt_csv_close(csv);
    return status;
}

void dt_table_look_finish(dt_table_look *look) {
    for (size_t i = 0; i < look->count && look->columns; i++) {
        dt_free(look->columns[i].name);
        dt_categories_destroy(look->columns[i].texts);
    }
    dt_free(look->columns);
    *look = (dt_table_look){0};
}

size_t dt_table_look_target(const dt_table_look *look) {
    static const char *const names[] = {"target", "label", "class", "y"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
        for (size_t i = 0; i < look->count; i++)
            if (strcasecmp(look->columns[i].name, names[n]) == 0) return i;
    return look->count - 1;
}
