/* Tables of comma-separated values into a dataset. Files are read twice, record by record: first to learn what the
 * columns have and how many rows there are, then to write them. So memory depends on the columns alone, and nothing is
 * written before all of it is known to be good. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/append.h"
#include "base/log.h"
#include "base/memory.h"
#include "columns.h"
#include "import_internal.h"

#define BLOCK_BYTES ((size_t)4 << 20)

/* ---- options ---- */

typedef struct csv_options {
    char test[DT_TEXT_MAX], target[DT_TEXT_MAX], columns[DT_TEXT_MAX], drop[DT_TEXT_MAX], category[DT_TEXT_MAX],
        keep[DT_TEXT_MAX], missing[DT_TEXT_MAX], delimiter[DT_TEXT_MAX], like[DT_TEXT_MAX];
    int header, decimal, categories, missing_targets;
} csv_options;

enum { HEADER_YES, HEADER_NO };
static const char *const headers[] = {"yes", "no", NULL};
static const char *const decimals[] = {"point", "comma", NULL};
static const char *const categories[] = {"numbers", "one-hot", NULL};
static const char *const missing_targets[] = {"refuse", "drop", NULL};

#define OPTION(name, kind, member, fallback_text)                                                                      \
    .key = (name), .type = DT_FIELD_##kind, .offset = offsetof(csv_options, member), .fallback = (fallback_text)

static const dt_field fields[] = {
    {OPTION("target", TEXT, target, ""),
     .help = "columns to predict, as /train/y: one, or several numbers; others are inputs"},
    {OPTION("test", TEXT, test, ""), .help = "a file of samples for tests, as /test/x and /test/y"},
    {OPTION("columns", TEXT, columns, ""),
     .help = "the inputs, where not all columns are; names or patterns, as 'size,pixel*'"},
    {OPTION("drop", TEXT, drop, ""), .help = "columns that are left out"},
    {OPTION("category", TEXT, category, ""), .help = "columns whose numbers stand for classes"},
    {OPTION("keep", TEXT, keep, ""), .help = "columns that look like ids, and are none"},
    {OPTION("categories", CHOICE, categories, "numbers"), .choices = categories,
     .help =
         "what texts in inputs become: the number of each, in alphabetical order, or an input for each that is 0 or 1"},
    {OPTION("missing", TEXT, missing, "NA,N/A,NaN,nan,NULL,null"),
     .help = "texts that stand for a missing value, beside nothing at all"},
    {OPTION("missing-targets", CHOICE, missing_targets, "refuse"), .choices = missing_targets,
     .help = "what becomes of rows without a target"},
    {OPTION("header", CHOICE, header, "yes"), .choices = headers,
     .help = "whether a file's first line has the columns' names; without they are 1, 2, 3, ..."},
    {OPTION("delimiter", TEXT, delimiter, ","), .help = "what is between fields: one character, or tab"},
    {OPTION("decimal", CHOICE, decimal, "point"), .choices = decimals,
     .help = "what numbers have before their fraction"},
    {OPTION("like", TEXT, like, ""),
     .help = "a file made by import csv: its columns and numbers of classes are taken, and the rows are /test/x"},
    {.key = NULL},
};

/* ---- what is imported ---- */

typedef struct part {
    const char *const *paths;
    int path_count;
    const char *x, *y; /* datasets */
    int64_t rows, passed;
} part;

typedef struct table {
    const dt_import *import;
    const csv_options *options;
    char delimiter;
    const char *test;
    part parts[2];
    int part_count;
    dt_columns columns;
} table;

typedef dt_status (*take_record)(void *context, table *t, part *p, const dt_csv *csv);

/* ---- reading ---- */

/* A first line that is data is lost as a header, and a header is no row. */
static dt_status check_header(const table *t, const dt_csv *csv) {
    double value;
    for (size_t i = 0; i < dt_csv_count(csv) && !dt_import_given(t->import, "header"); i++)
        if (dt_csv_number(&t->columns.notation, dt_csv_field(csv, i), &value))
            return dt_fail(DT_ERR_INPUT,
                           "%s:%lld: \"%.40s\" is a number where the columns' names should be; --header no says that "
                           "there are none, --header yes that this is a name",
                           dt_csv_path(csv), (long long)dt_csv_line(csv), dt_csv_field(csv, i));
    if (dt_csv_count(csv) > 1 || dt_import_given(t->import, "delimiter")) return dt_ok();
    static const char *const others[] = {";", "\t", "|"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strstr(dt_csv_field(csv, 0), others[i]))
            return dt_fail(DT_ERR_INPUT, "%s:%lld: there is one column, \"%.80s\"; is it --delimiter %s?",
                           dt_csv_path(csv), (long long)dt_csv_line(csv), dt_csv_field(csv, 0),
                           others[i][0] == '\t' ? "tab"
                           : i                  ? "'|'"
                                                : "';'");
    return dt_ok();
}

/* The columns of the first file are what all have. */
static dt_status begin_file(table *t, const dt_csv *csv) {
    const csv_options *o = t->options;
    DT_TRY(check_header(t, csv));
    if (t->columns.count == 0) {
        DT_TRY(dt_columns_name(&t->columns, csv));
        DT_TRY(dt_columns_choose(&t->columns, &(dt_columns_wanted){.inputs = o->columns,
                                                                   .targets = o->target,
                                                                   .left_out = o->drop,
                                                                   .category = o->category,
                                                                   .kept = o->keep}));
    }
    return dt_columns_bind(&t->columns, csv);
}

static dt_status read_open(table *t, part *p, dt_csv *csv, take_record take, void *context) {
    bool more, passed;
    DT_TRY(dt_csv_next(csv, &more));
    if (!more) return dt_fail(DT_ERR_INPUT, "%s: the file has no line with anything in it", dt_csv_path(csv));
    DT_TRY(begin_file(t, csv));
    size_t count = dt_csv_count(csv);
    if (t->columns.header) DT_TRY(dt_csv_next(csv, &more));
    while (more) {
        DT_TRY(dt_columns_check_record(&t->columns, csv, count));
        DT_TRY(dt_columns_pass_over(&t->columns, csv, &passed));
        if (!passed) DT_TRY(take(context, t, p, csv));
        p->passed += passed;
        DT_TRY(dt_csv_next(csv, &more));
    }
    return dt_ok();
}

static dt_status read_part(table *t, part *p, take_record take, void *context) {
    p->passed = 0;
    for (int i = 0; i < p->path_count; i++) {
        dt_csv *csv;
        DT_TRY(dt_csv_open(&csv, p->paths[i], t->delimiter));
        dt_status status = read_open(t, p, csv, take, context);
        dt_csv_close(csv);
        DT_TRY(status);
    }
    return dt_ok();
}

static dt_status learn_record(void *context, table *t, part *p, const dt_csv *csv) {
    (void)context;
    p->rows++;
    return dt_columns_learn(&t->columns, csv);
}

static dt_status learn(table *t) {
    for (int i = 0; i < t->part_count; i++) {
        part *p = &t->parts[i];
        DT_TRY(read_part(t, p, learn_record, NULL));
        if (p->rows == 0)
            return dt_fail(DT_ERR_INPUT, "%s: has no row of values%s", p->paths[0],
                           p->passed           ? " with a target"
                           : t->columns.header ? " behind its header"
                                               : "");
    }
    return dt_columns_settle(&t->columns);
}

/* ---- writing ---- */

/* Rows of x or y on their way to the file. */
typedef struct rows {
    dt_role role;
    const char *dataset;
    dt_dtype dtype;
    int64_t width, room, used, written;
    double *row;  /* [width] */
    char *values; /* [room][width] of dtype */
} rows;

typedef struct writer {
    dt_h5 *file;
    rows x, y;
} writer;

static dt_status flush(rows *r, dt_h5 *file) {
    if (r->used > 0) DT_TRY(dt_h5_write_rows(file, r->dataset, r->dtype, r->written, r->used, r->values));
    r->written += r->used;
    r->used = 0;
    return dt_ok();
}

static bool put_value(char *out, dt_dtype dtype, double value) {
    uint8_t u8 = (uint8_t)(value >= 0 && value <= UINT8_MAX ? value : 0);
    uint16_t u16 = (uint16_t)(value >= 0 && value <= UINT16_MAX ? value : 0);
    int32_t i32 = (int32_t)(value >= INT32_MIN && value <= INT32_MAX ? value : 0);
    int64_t i64 = (int64_t)(fabs(value) <= 0x1p53 ? value : 0);
    float f32 = (float)value;
    switch (dtype) {
    case DT_U8: memcpy(out, &u8, sizeof u8); return u8 >= value && u8 <= value;
    case DT_U16: memcpy(out, &u16, sizeof u16); return u16 >= value && u16 <= value;
    case DT_I32: memcpy(out, &i32, sizeof i32); return i32 >= value && i32 <= value;
    case DT_I64: memcpy(out, &i64, sizeof i64); return (double)i64 >= value && (double)i64 <= value;
    case DT_F32: memcpy(out, &f32, sizeof f32); return isfinite(f32) || !isfinite(value);
    default: memcpy(out, &value, sizeof value); return true;
    }
}

static dt_status put_row(rows *r, const table *t, const part *p, const dt_csv *csv, dt_h5 *file) {
    if (r->width == 0) return dt_ok();
    bool fits = r->written + r->used < p->rows;
    DT_TRY(dt_columns_values(&t->columns, csv, r->role, r->row));
    size_t size = dt_dtype_size(r->dtype);
    char *out = r->values + (size_t)(r->used * r->width) * size;
    for (int64_t i = 0; i < r->width && fits; i++, out += size) fits = put_value(out, r->dtype, r->row[i]);
    if (!fits)
        return dt_fail(DT_ERR_IO, "%s:%lld: the file changed while it was read; nothing is written", dt_csv_path(csv),
                       (long long)dt_csv_line(csv));
    return ++r->used == r->room ? flush(r, file) : dt_ok();
}

static dt_status write_record(void *context, table *t, part *p, const dt_csv *csv) {
    writer *w = context;
    DT_TRY(put_row(&w->x, t, p, csv, w->file));
    return put_row(&w->y, t, p, csv, w->file);
}

/* The one target's classes, or NULL. */
static const dt_categories *target_classes(const dt_columns *columns) {
    for (size_t i = 0; i < columns->count; i++)
        if (columns->all[i].role == DT_ROLE_TARGET && columns->all[i].categories) return columns->all[i].categories;
    return NULL;
}

/* Class names are the members of an enumeration, as far as they fit into one; they are in /columns, too. */
static dt_status create_classes(const rows *r, const dt_categories *classes, const dt_shape *shape, dt_h5 *file) {
    int32_t count = dt_categories_count(classes);
    const char **names = dt_alloc((size_t)count + 1, sizeof *names);
    if (!names) return dt_fail_memory("the names of classes", (size_t)count * sizeof *names);
    for (int32_t i = 0; i < count; i++) names[i] = dt_categories_text(classes, i);
    dt_status status = dt_h5_create_classes(file, r->dataset, r->dtype, shape, names, count);
    dt_free(names);
    if (status.code != DT_ERR_INPUT) return status;
    dt_log_warn("%s: %d classes; their names are in /columns alone", r->dataset, count);
    return dt_h5_create_dataset(file, r->dataset, r->dtype, shape, 0);
}

static dt_status create_rows(rows *r, const table *t, const part *p, dt_h5 *file) {
    r->dtype = dt_columns_dtype(&t->columns, r->role);
    r->width = dt_columns_width(&t->columns, r->role);
    bool absent = false; /* a target that an earlier import had */
    for (size_t i = 0; i < t->columns.count; i++)
        absent |= t->columns.all[i].role == r->role && t->columns.all[i].field < 0;
    if (absent) r->width = 0;
    if (r->width == 0) return dt_ok();
    size_t row_bytes = (size_t)r->width * dt_dtype_size(r->dtype);
    r->room = (int64_t)(row_bytes < BLOCK_BYTES ? BLOCK_BYTES / row_bytes : 1);
    r->row = dt_alloc((size_t)r->width, sizeof *r->row);
    r->values = dt_alloc((size_t)r->room, row_bytes);
    if (!r->row || !r->values) return dt_fail_memory("a block of rows", (size_t)r->room * row_bytes);
    dt_shape shape = {r->role == DT_ROLE_INPUT || r->width > 1 ? 2 : 1, {p->rows, r->width}};
    const dt_categories *classes = r->role == DT_ROLE_TARGET ? target_classes(&t->columns) : NULL;
    return classes ? create_classes(r, classes, &shape, file)
                   : dt_h5_create_dataset(file, r->dataset, r->dtype, &shape, 0);
}

static dt_status write_rows(writer *w, table *t, part *p) {
    DT_TRY(create_rows(&w->x, t, p, w->file));
    DT_TRY(create_rows(&w->y, t, p, w->file));
    DT_TRY(read_part(t, p, write_record, w));
    DT_TRY(flush(&w->x, w->file));
    DT_TRY(flush(&w->y, w->file));
    return w->x.written == p->rows
               ? dt_ok()
               : dt_fail(DT_ERR_IO, "%s: the file changed while it was read; nothing is written", p->paths[0]);
}

static dt_status write_part(table *t, part *p, dt_h5 *file) {
    writer w = {
        .file = file, .x = {.role = DT_ROLE_INPUT, .dataset = p->x}, .y = {.role = DT_ROLE_TARGET, .dataset = p->y}};
    dt_status status = write_rows(&w, t, p);
    dt_free(w.x.row);
    dt_free(w.x.values);
    dt_free(w.y.row);
    dt_free(w.y.values);
    return status;
}

static dt_status write_dataset(void *context, dt_h5 *file) {
    table *t = context;
    DT_TRY(dt_import_label(file, t->import));
    for (int i = 0; i < t->part_count; i++) DT_TRY(write_part(t, &t->parts[i], file));
    return dt_columns_write(&t->columns, file);
}

/* ---- telling ---- */

/* What was found, so that one who knows the table sees what was taken for what. */
static void tell(const table *t) {
    int64_t missing = 0, with_classes = 0;
    const dt_column *most = NULL;
    for (size_t i = 0; i < t->columns.count; i++) {
        const dt_column *column = &t->columns.all[i];
        if (column->role == DT_ROLE_LEFT_OUT) continue;
        missing += column->missing;
        with_classes += column->role == DT_ROLE_INPUT && column->categories;
        if (!most || column->missing > most->missing) most = column;
    }
    char line[400] = "";
    const dt_categories *classes = target_classes(&t->columns);
    dt_append(line, sizeof line, "%lld", (long long)t->parts[0].rows);
    if (t->part_count > 1) dt_append(line, sizeof line, " and %lld", (long long)t->parts[1].rows);
    dt_append(line, sizeof line, " rows of %lld inputs", (long long)dt_columns_width(&t->columns, DT_ROLE_INPUT));
    if (with_classes) dt_append(line, sizeof line, " (%lld columns of texts)", (long long)with_classes);
    if (classes)
        dt_append(line, sizeof line, ", one of %d classes", dt_categories_count(classes));
    else if (t->columns.targets > 0)
        dt_append(line, sizeof line, ", %zu numbers to predict", t->columns.targets);
    if (missing)
        dt_append(line, sizeof line, "; %lld missing values, most in \"%.60s\" (data.missing says what training does)",
                  (long long)missing, most->name);
    if (t->parts[0].passed + t->parts[1].passed)
        dt_append(line, sizeof line, "; %lld rows without a target passed over",
                  (long long)(t->parts[0].passed + t->parts[1].passed));
    dt_log_info("%s", line);
}

/* ---- importing ---- */

static dt_status read_delimiter(table *t) {
    const char *given = t->options->delimiter;
    bool tab = strcmp(given, "tab") == 0 || strcmp(given, "\\t") == 0;
    t->delimiter = tab ? '\t' : given[0];
    if (!tab && (strlen(given) != 1 || strchr("\"\r\n", given[0]) || (unsigned char)given[0] >= 0x80))
        return dt_fail(DT_ERR_USAGE, "--delimiter is \"%s\"; it is one character of ASCII, or tab", given);
    if (t->delimiter == t->columns.notation.decimal)
        return dt_fail(DT_ERR_USAGE,
                       "--decimal comma needs another --delimiter than \",\" (files of this kind have ';')");
    return dt_ok();
}

static dt_status check_options(const table *t) {
    static const char *const of_like[] = {"target", "columns", "drop", "category", "keep", "categories", "test"};
    for (size_t i = 0; i < sizeof of_like / sizeof *of_like && *t->options->like; i++)
        if (dt_import_given(t->import, of_like[i]))
            return dt_fail(DT_ERR_USAGE, "--%s does not go with --like, which says it already", of_like[i]);
    return dt_ok();
}

static dt_status import_into(table *t) {
    const dt_import *import = t->import;
    const csv_options *o = t->options;
    DT_TRY(dt_csv_notation_open(&t->columns.notation, o->decimal ? ',' : '.', o->missing));
    DT_TRY(read_delimiter(t));
    DT_TRY(check_options(t));
    DT_TRY(dt_import_check(import));
    t->columns.header = o->header == HEADER_YES;
    t->columns.one_hot = o->categories == 1;
    t->columns.drop = o->missing_targets == 1;
    if (*o->like) DT_TRY(dt_columns_read(&t->columns, o->like));
    DT_TRY(learn(t));
    DT_TRY(dt_import_publish(import->destination, write_dataset, t));
    tell(t);
    return dt_ok();
}

static dt_status import_csv(const dt_import *import, const void *options) {
    const csv_options *o = options;
    bool like = *o->like;
    table t = {.import = import, .options = options, .test = o->test, .part_count = *o->test ? 2 : 1};
    t.parts[0] = (part){.paths = import->sources,
                        .path_count = import->source_count,
                        .x = like ? "/test/x" : "/train/x",
                        .y = like ? "/test/y" : "/train/y"};
    t.parts[1] = (part){.paths = &t.test, .path_count = 1, .x = "/test/x", .y = "/test/y"};
    dt_status status = import_into(&t);
    dt_columns_finish(&t.columns);
    return status;
}

const dt_importer dt_importer_csv = {
    .name = "csv",
    .usage = "TABLE.csv... DEST.h5 [--target NAME] [--test TABLE.csv] [--drop NAMES] [--OPTION VALUE]...",
    .help =
        "Tables of comma-separated values (RFC 4180), one after the other, into /train/x [rows, columns] and "
        "/train/y;\n"
        "of any size. Texts become numbers; of a target that is texts these are the names of its classes. Names of\n"
        "columns and classes are kept as /columns. Missing values are not a number (NaN). Ids and dates are refused "
        "by\n"
        "name. Lines that are empty are passed over.\n"
        "  dtrain import csv measured.csv measured.h5 --target quality --drop 'date,*_id'\n",
    .options = fields,
    .options_size = sizeof(csv_options),
    .run = import_csv,
};
