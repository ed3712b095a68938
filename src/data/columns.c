/* Columns by name: which there are, which are wanted for what, and where they are in a file. Files of one import need
 * not have their columns in one order. */
#include "columns.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/append.h"
#include "base/escape.h"
#include "base/memory.h"

void dt_columns_finish(dt_columns *columns) {
    for (size_t i = 0; i < columns->count && columns->all; i++) {
        dt_free(columns->all[i].name);
        dt_categories_destroy(columns->all[i].categories);
    }
    dt_free(columns->all);
    dt_csv_notation_finish(&columns->notation);
    *columns = (dt_columns){0};
}

/* ---- names ---- */

static dt_status check_names(const dt_columns *columns, const dt_csv *csv) {
    dt_categories *seen;
    dt_status status = dt_categories_create(&seen);
    for (size_t i = 0; i < columns->count && status.code == DT_OK; i++) {
        const char *name = columns->all[i].name;
        int32_t before = dt_categories_count(seen);
        if (!dt_csv_is_utf8(name))
            status = dt_fail(DT_ERR_INPUT,
                             "%s:%lld: the name of column %zu is no UTF-8; convert the file first, as with iconv -f "
                             "LATIN1 -t UTF-8",
                             dt_csv_path(csv), (long long)dt_csv_line(csv), i + 1);
        else
            status = dt_categories_add(seen, name);
        if (status.code == DT_OK && dt_categories_count(seen) == before)
            status = dt_fail(DT_ERR_INPUT, "%s:%lld: two columns are called \"%.80s\", the second is number %zu",
                             dt_csv_path(csv), (long long)dt_csv_line(csv), name, i + 1);
    }
    dt_categories_destroy(seen);
    return status;
}

dt_status dt_columns_name(dt_columns *columns, const dt_csv *csv) {
    columns->count = dt_csv_count(csv);
    columns->all = dt_alloc(columns->count, sizeof *columns->all);
    if (!columns->all) return dt_fail_memory("the columns of a table", columns->count * sizeof *columns->all);
    for (size_t i = 0; i < columns->count; i++) {
        char number[24];
        snprintf(number, sizeof number, "%zu", i + 1);
        const char *given = columns->header ? dt_csv_field(csv, i) : "";
        columns->all[i].name = dt_strdup(*given ? given : number);
        if (!columns->all[i].name) return dt_fail_memory("the names of columns", strlen(given));
    }
    return check_names(columns, csv);
}

static void list_names(const dt_columns *columns, char *out, size_t size) {
    for (size_t i = 0; i < columns->count; i++) {
        char name[40];
        if (strlen(out) + 60 > size) {
            dt_append(out, size, ", … (%zu in all)", columns->count);
            return;
        }
        dt_append(out, size, "%s%s", i ? ", " : "", dt_escape_name(name, sizeof name, columns->all[i].name));
    }
}

/* ---- what is wanted ---- */

static void give(dt_column *column, const char *option) {
    if (strcmp(option, "target") == 0) column->role = DT_ROLE_TARGET;
    if (strcmp(option, "drop") == 0) column->role = DT_ROLE_LEFT_OUT;
    if (strcmp(option, "category") == 0) column->category = true;
    if (strcmp(option, "keep") == 0) column->kept = true;
    if (strcmp(option, "columns") == 0 && column->role != DT_ROLE_TARGET) column->role = DT_ROLE_INPUT;
}

static dt_status apply_one(dt_columns *columns, const char *name, const char *option) {
    size_t found = 0;
    for (int pattern = 0; pattern < 2 && found == 0; pattern++)
        for (size_t i = 0; i < columns->count; i++) {
            dt_column *column = &columns->all[i];
            if (pattern ? fnmatch(name, column->name, 0) != 0 : strcmp(name, column->name) != 0) continue;
            give(column, option);
            found++;
        }
    if (found > 0) return dt_ok();
    char names[240] = "";
    list_names(columns, names, sizeof names);
    return dt_fail(DT_ERR_INPUT, "--%s: there is no column \"%.60s\"; there are %s", option, name, names);
}

static dt_status apply(dt_columns *columns, const char *list, const char *option) {
    if (!*list) return dt_ok();
    dt_csv *csv;
    bool more = false;
    char name[32];
    snprintf(name, sizeof name, "--%s", option);
    DT_TRY(dt_csv_open_text(&csv, name, list, strlen(list), ','));
    dt_status status = dt_csv_next(csv, &more);
    for (size_t i = 0; status.code == DT_OK && more && i < dt_csv_count(csv); i++)
        status = apply_one(columns, dt_csv_field(csv, i), option);
    dt_csv_close(csv);
    return status;
}

dt_status dt_columns_choose(dt_columns *columns, const dt_columns_wanted *wanted) {
    for (size_t i = 0; i < columns->count; i++)
        columns->all[i].role = *wanted->inputs ? DT_ROLE_LEFT_OUT : DT_ROLE_INPUT;
    DT_TRY(apply(columns, wanted->targets, "target"));
    DT_TRY(apply(columns, wanted->inputs, "columns"));
    DT_TRY(apply(columns, wanted->left_out, "drop"));
    DT_TRY(apply(columns, wanted->category, "category"));
    DT_TRY(apply(columns, wanted->kept, "keep"));
    size_t inputs = 0;
    for (size_t i = 0; i < columns->count; i++) {
        inputs += columns->all[i].role == DT_ROLE_INPUT;
        columns->targets += columns->all[i].role == DT_ROLE_TARGET;
    }
    if (inputs == 0) return dt_fail(DT_ERR_INPUT, "of %zu columns none is left as an input", columns->count);
    if (*wanted->targets && columns->targets == 0)
        return dt_fail(DT_ERR_INPUT, "--target %.60s: the same columns are left out by --drop", wanted->targets);
    return dt_ok();
}

/* ---- in a file ---- */

static bool is_named(const dt_csv *csv, size_t at, const char *name) {
    const char *field = dt_csv_field(csv, at);
    char number[24];
    if (*field) return strcmp(field, name) == 0;
    snprintf(number, sizeof number, "%zu", at + 1);
    return strcmp(number, name) == 0;
}

/* The field of a name, and how many have it, of which `most` are looked for. */
static int64_t find_field(const dt_csv *csv, const char *name, size_t guess, int most, int *found) {
    int64_t first = -1;
    size_t count = dt_csv_count(csv);
    *found = 0;
    for (size_t i = 0; i < count && *found < most; i++) {
        size_t at = (guess + i) % count; /* most files have one order */
        if (!is_named(csv, at, name)) continue;
        if ((*found)++ == 0) first = (int64_t)at;
    }
    return first;
}

static int64_t numbered_field(const dt_csv *csv, const char *name) {
    char *end;
    long long number = strtoll(name, &end, 10);
    return !*end && number >= 1 && (size_t)number <= dt_csv_count(csv) ? number - 1 : -1;
}

static dt_status fail_absent(const dt_columns *columns, const dt_csv *csv, const dt_column *column) {
    return dt_fail(DT_ERR_INPUT, "%s:%lld: there is no column \"%.80s\" here, which %s has", dt_csv_path(csv),
                   (long long)dt_csv_line(csv), column->name,
                   columns->known_from ? columns->known_from : "the first file");
}

dt_status dt_columns_bind(dt_columns *columns, const dt_csv *csv) {
    size_t there = 0;
    for (size_t i = 0; i < columns->count; i++) {
        dt_column *column = &columns->all[i];
        column->begun = false;
        int found = 0;
        column->field = columns->header ? find_field(csv, column->name, i, columns->known ? 2 : 1, &found)
                                        : numbered_field(csv, column->name);
        if (found > 1)
            return dt_fail(DT_ERR_INPUT, "%s:%lld: two columns are called \"%.80s\"", dt_csv_path(csv),
                           (long long)dt_csv_line(csv), column->name);
        there += column->field >= 0;
        if (column->field < 0 && !(columns->known && column->role == DT_ROLE_TARGET))
            return fail_absent(columns, csv, column);
    }
    if (!columns->known && there != dt_csv_count(csv))
        return dt_fail(DT_ERR_INPUT, "%s:%lld: %zu columns, but the first file has %zu", dt_csv_path(csv),
                       (long long)dt_csv_line(csv), dt_csv_count(csv), columns->count);
    return dt_ok();
}

dt_status dt_columns_check_record(const dt_columns *columns, const dt_csv *csv, size_t expected) {
    size_t count = dt_csv_count(csv);
    if (count == expected) return dt_ok();
    const char *first = "";
    for (size_t i = 0; i < columns->count && count < expected; i++)
        if (columns->all[i].field == (int64_t)count) first = columns->all[i].name;
    if (count > expected)
        return dt_fail(DT_ERR_INPUT, "%s:%lld: %zu fields, but the file has %zu columns", dt_csv_path(csv),
                       (long long)dt_csv_line(csv), count, expected);
    return dt_fail(DT_ERR_INPUT, "%s:%lld: %zu field%s, but the file has %zu columns; none for \"%.80s\"",
                   dt_csv_path(csv), (long long)dt_csv_line(csv), count, count == 1 ? "" : "s", expected, first);
}
