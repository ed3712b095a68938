/* The first pass over a table: what kind of values a column has, decided by all of them, and what is refused by the
 * name of its column. A column is numbers or texts; one that has both says which value does not fit, and what would
 * make it fit, for a number read as a text, or a text as a missing number, is an error nobody sees later. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "columns.h"

#define FEW_ROWS 20             /* so many different texts are no sign of anything */
#define LOOKS_LIKE_TEXT 1024    /* of so many on, half of all values, a column is not read to its end */
#define MOST_CATEGORY_BYTES 512 /* of a class's name */

static dt_status fail_value(const dt_csv *csv, const dt_column *column, const char *field, const char *why) {
    return dt_fail(DT_ERR_INPUT, "%s:%lld: column \"%.60s\" is \"%.60s\"%s", dt_csv_path(csv),
                   (long long)dt_csv_line(csv), column->name, field, why);
}

static const char *field_of(const dt_csv *csv, const dt_column *column) {
    return column->field < 0 ? "" : dt_csv_field(csv, (size_t)column->field);
}

dt_status dt_columns_pass_over(const dt_columns *columns, const dt_csv *csv, bool *passed) {
    *passed = false;
    for (size_t i = 0; i < columns->count && columns->targets; i++) {
        const dt_column *column = &columns->all[i];
        const char *field = field_of(csv, column);
        if (column->role != DT_ROLE_TARGET || column->field < 0 || !dt_csv_is_missing(&columns->notation, field))
            continue;
        if (!columns->drop)
            return fail_value(csv, column, field,
                              ", a missing value, and it is the target; --missing-targets drop passes over such rows");
        *passed = true;
    }
    return dt_ok();
}

/* ---- texts ---- */

static dt_status fail_mixed(const dt_csv *csv, const dt_column *column, const char *field) {
    bool number = column->categories;
    if (!number && dt_csv_is_infinite(field))
        return fail_value(csv, column, field,
                          ", which is not finite (--missing takes a list of what stands for nothing)");
    char why[400];
    snprintf(why, sizeof why,
             ", %s, but \"%s\" in %s:%lld; --category takes both as classes, --missing has the texts that stand for a "
             "missing value",
             number ? "a number" : "no number", column->sample, column->sample_path, (long long)column->sample_line);
    return fail_value(csv, column, field, why);
}

static dt_status fail_date(const dt_csv *csv, const dt_column *column, const char *field) {
    return fail_value(
        csv, column, field,
        ", a date or an hour, which is no number to learn from: leave the column out with --drop, or write "
        "what matters of it (the weekday, days since …) as a number");
}

static dt_status fail_texts(const dt_column *column) {
    return dt_fail(DT_ERR_INPUT,
                   "column \"%.60s\" has %d different texts in %lld rows (as \"%s\"): names or free text, which are no "
                   "classes; leave it out with --drop, or have it with --keep",
                   column->name, dt_categories_count(column->categories), (long long)column->texts, column->sample);
}

static bool looks_like_names(const dt_column *column, int32_t from) {
    int32_t count = dt_categories_count(column->categories);
    return !column->kept && !column->category && count > from && 2 * (int64_t)count > column->texts;
}

static dt_status learn_text(dt_column *column, const dt_csv *csv, const char *field) {
    if (!column->category && dt_csv_is_date(field)) return fail_date(csv, column, field);
    if (strlen(field) > MOST_CATEGORY_BYTES)
        return fail_value(csv, column, field,
                          "… of more than 512 bytes; such a text is no class (--drop leaves it out)");
    if (!dt_csv_is_utf8(field))
        return fail_value(csv, column, field,
                          ", which is no UTF-8; convert the file first, as with iconv -f LATIN1 -t UTF-8");
    if (!column->categories) DT_TRY(dt_categories_create(&column->categories));
    DT_TRY(dt_categories_add(column->categories, field));
    column->texts++;
    if (dt_categories_count(column->categories) > DT_MOST_CATEGORIES || looks_like_names(column, LOOKS_LIKE_TEXT))
        return fail_texts(column);
    return dt_ok();
}

/* ---- numbers ---- */

static dt_status learn_number(dt_column *column, const dt_csv *csv, const char *field, double value) {
    if (!isfinite(value)) return fail_value(csv, column, field, ", which is beyond the largest number (1.8e308)");
    if (column->numbers++ == 0) column->least = column->most = value;
    column->least = fmin(column->least, value);
    column->most = fmax(column->most, value);
    column->fractions |= value < floor(value) || value > floor(value);
    if (column->begun) column->jumps |= value < column->last + 1 || value > column->last + 1;
    column->begun = true;
    column->last = value;
    return dt_ok();
}

/* ---- records ---- */

static void keep_sample(dt_column *column, const dt_csv *csv, const char *field) {
    if (column->sample_path) return;
    snprintf(column->sample, sizeof column->sample, "%.40s", field);
    column->sample_path = dt_csv_path(csv);
    column->sample_line = dt_csv_line(csv);
}

/* Against an earlier import. */
static dt_status check_known(const dt_columns *columns, dt_column *column, const dt_csv *csv, const char *field) {
    double value;
    if (!column->categories) {
        if (!dt_csv_number(&columns->notation, field, &value))
            return fail_value(csv, column, field, ", but a column of numbers in the earlier import");
        return learn_number(column, csv, field, value);
    }
    if (dt_categories_find(column->categories, field) >= 0) return dt_ok();
    char why[200];
    snprintf(why, sizeof why, ", which is none of its %d classes in %.120s", dt_categories_count(column->categories),
             columns->known_from);
    return fail_value(csv, column, field, why);
}

static dt_status learn_value(const dt_columns *columns, dt_column *column, const dt_csv *csv) {
    const char *field = field_of(csv, column);
    double value = 0;
    if (dt_csv_is_missing(&columns->notation, field)) {
        column->missing++;
        return dt_ok();
    }
    if (columns->known) return check_known(columns, column, csv, field);
    bool number = !column->category && dt_csv_number(&columns->notation, field, &value);
    if (column->sample_path && number != !column->categories) return fail_mixed(csv, column, field);
    DT_TRY(number ? learn_number(column, csv, field, value) : learn_text(column, csv, field));
    keep_sample(column, csv, field);
    return dt_ok();
}

dt_status dt_columns_learn(dt_columns *columns, const dt_csv *csv) {
    for (size_t i = 0; i < columns->count; i++) {
        dt_column *column = &columns->all[i];
        if (column->role != DT_ROLE_LEFT_OUT && column->field >= 0) DT_TRY(learn_value(columns, column, csv));
    }
    return dt_ok();
}

/* ---- when all is known ---- */

static bool has_name_of_id(const char *name) {
    size_t length = strlen(name);
    static const char *const names[] = {"id", "index", "uuid", "guid", "row", "rownum", NULL};
    for (const char *const *n = names; *n; n++)
        if (strcasecmp(name, *n) == 0) return true;
    return length > 3 && strcasecmp(name + length - 2, "id") == 0 && strchr("_ -.", name[length - 3]);
}

/* A number that only tells rows apart. */
static dt_status check_id(const dt_column *column) {
    if (column->kept || column->role != DT_ROLE_INPUT || column->categories || column->fractions ||
        column->numbers < FEW_ROWS)
        return dt_ok();
    if (!column->jumps)
        return dt_fail(
            DT_ERR_INPUT,
            "column \"%.60s\" counts the rows (%.0f to %.0f): an id, from which nothing holds for other rows; "
            "leave it out with --drop, or have it with --keep",
            column->name, column->least, column->most);
    if (has_name_of_id(column->name) && column->most - column->least + 1 >= (double)column->numbers)
        return dt_fail(
            DT_ERR_INPUT,
            "column \"%.60s\" is an id by its name, and by its values, %.17g to %.17g in %lld rows; leave it "
            "out with --drop, or have it with --keep",
            column->name, column->least, column->most, (long long)column->numbers);
    return dt_ok();
}

static dt_status settle(dt_columns *columns, dt_column *column) {
    if (column->numbers + column->texts == 0)
        return dt_fail(DT_ERR_INPUT, "column \"%.60s\" has no value in any row; leave it out with --drop",
                       column->name);
    DT_TRY(check_id(column));
    if (!column->categories) return dt_ok();
    if (looks_like_names(column, FEW_ROWS)) return fail_texts(column);
    if (column->role == DT_ROLE_TARGET && columns->targets > 1)
        return dt_fail(DT_ERR_INPUT,
                       "column \"%.60s\" has texts (as \"%s\"), but of several targets all must be numbers; choose one "
                       "--target",
                       column->name, column->sample);
    return dt_categories_sort(column->categories);
}

dt_status dt_columns_settle(dt_columns *columns) {
    for (size_t i = 0; i < columns->count && !columns->known; i++)
        if (columns->all[i].role != DT_ROLE_LEFT_OUT) DT_TRY(settle(columns, &columns->all[i]));
    return dt_ok();
}
