/* A look at the values of one dataset, read as training reads them: numbers, strings, a field, chosen columns. Whole
 * numbers, strings and one-hot rows are counted by class. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/append.h"
#include "base/memory.h"
#include "numbers.h"
#include "store/h5_rows.h"
#include "survey_internal.h"

#define AT_ONCE ((int64_t)1 << 17)   /* values */
#define MOST_SEEN ((int64_t)1 << 27) /* of a dataset */
#define SLOTS ((size_t)4 * DT_SURVEY_DISTINCT)

/* Different values and how often each is there; a slot with the count 0 is free. */
typedef struct tally {
    int64_t *values, *counts; /* [SLOTS]; NULL: nothing is counted */
    int64_t distinct;
} tally;

static void count_value(tally *t, int64_t value) {
    size_t at = (uint64_t)value * UINT64_C(0x9E3779B97F4A7C15) >> 46;
    while (t->counts[at] && t->values[at] != value) at = (at + 1) % SLOTS;
    if (t->counts[at] == 0 && t->distinct++ >= DT_SURVEY_DISTINCT) return;
    t->values[at] = value;
    t->counts[at]++;
}

typedef struct look {
    dt_survey_set *set;
    const dt_h5_rows_info *info;
    int64_t width; /* values of a row */
    tally tally;
    int64_t blank; /* the number of the empty string; -1: there is none */
    double sum;
    int64_t finite;
} look;

/* ---- values ---- */

static void take_values(look *l, const double *values, int64_t count) {
    dt_survey_set *s = l->set;
    for (int64_t i = 0; i < count; i++) {
        double v = values[i];
        if (s->sample_count < DT_SURVEY_SAMPLE) s->sample[s->sample_count++] = v;
        s->missing += isnan(v) != 0;
        s->infinite += isinf(v) != 0;
        if (!isfinite(v)) continue;
        if (l->finite++ == 0) s->least = s->most = v;
        s->least = fmin(s->least, v);
        s->most = fmax(s->most, v);
        l->sum += v;
        s->whole = s->whole && v >= floor(v) && v <= floor(v) && fabs(v) < 0x1p53;
        bool counted = l->width == 1 && l->tally.values && s->whole && l->tally.distinct <= DT_SURVEY_DISTINCT;
        if (counted && !s->strings) count_value(&l->tally, (int64_t)v);
    }
}

/* The numbers of strings. */
static void take_strings(look *l, const double *numbers, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        int64_t number = (int64_t)numbers[i];
        if (number == l->blank)
            l->set->missing++;
        else if (l->tally.distinct <= DT_SURVEY_DISTINCT)
            count_value(&l->tally, number);
    }
}

/* Counts the columns of the 1s, until a row is not one-hot. */
static void take_hot(look *l, const double *values, int64_t rows) {
    for (int64_t r = 0; r < rows && l->set->hot; r++) {
        const double *row = values + r * l->width;
        int64_t one = -1, ones = 0;
        bool other = false;
        for (int64_t c = 0; c < l->width && !other; c++) {
            bool set = row[c] >= 1 && row[c] <= 1;
            other = !set && !(row[c] >= 0 && row[c] <= 0);
            if (set) one = c;
            ones += set;
        }
        l->set->hot = !other && ones == 1;
        if (l->set->hot) count_value(&l->tally, one);
    }
}

static dt_status read_block(look *l, dt_h5_rows *rows, int64_t count, void *raw, double *values) {
    dt_survey_set *s = l->set;
    DT_TRY(dt_h5_rows_read(rows, s->rows, count, raw));
    dt_apart(values, raw, s->dtype, count * l->width, 1, 0);
    if (s->strings) {
        take_strings(l, values, count);
    } else {
        take_values(l, values, count * l->width);
        if (s->hot) take_hot(l, values, count);
    }
    return dt_ok();
}

static dt_status read_blocks(look *l, dt_h5_rows *rows) {
    dt_survey_set *s = l->set;
    int64_t at_once = l->width < AT_ONCE ? AT_ONCE / l->width : 1, all = s->shape.dim[0];
    size_t numbers = (size_t)at_once * (size_t)l->width, bytes = numbers * (sizeof(double) + dt_dtype_size(s->dtype));
    dt_guard_allow(bytes + dt_h5_rows_memory(rows, at_once));
    double *values = dt_alloc(numbers, sizeof *values);
    void *raw = dt_alloc(numbers, dt_dtype_size(s->dtype));
    bool there = values && raw;
    dt_status status = there ? dt_ok() : dt_fail_memory("a block of values", bytes);
    while (there && status.code == DT_OK && s->rows < all && s->rows * l->width < MOST_SEEN) {
        int64_t count = all - s->rows < at_once ? all - s->rows : at_once;
        status = read_block(l, rows, count, raw, values);
        s->rows += count;
    }
    dt_free(values);
    dt_free(raw);
    return status;
}

/* ---- classes ---- */

static int by_value(const void *a, const void *b) {
    int64_t one = ((const dt_survey_class *)a)->value, two = ((const dt_survey_class *)b)->value;
    return (one > two) - (one < two);
}

static int by_count(const void *a, const void *b) {
    int64_t one = ((const dt_survey_class *)a)->count, two = ((const dt_survey_class *)b)->count;
    return one == two ? by_value(a, b) : (one < two) - (one > two);
}

static void keep(dt_survey_set *s, dt_survey_class *all, size_t count) {
    qsort(all, count, sizeof *all, count <= DT_SURVEY_CLASSES ? by_value : by_count);
    s->distinct = (int32_t)count;
    s->class_count = count < DT_SURVEY_CLASSES ? (int32_t)count : DT_SURVEY_CLASSES;
    memcpy(s->classes, all, (size_t)s->class_count * sizeof *all);
}

/* Of one-hot rows each column is a class, whether or not a row has it. */
static dt_status keep_classes(look *l) {
    dt_survey_set *s = l->set;
    const tally *t = &l->tally;
    int64_t count = s->hot ? l->width : t->distinct;
    if (!(s->whole || s->strings) || t->distinct > DT_SURVEY_DISTINCT || t->distinct == 0 || (l->width > 1 && !s->hot))
        return dt_ok();
    dt_survey_class *all = dt_alloc((size_t)count, sizeof *all);
    if (!all) return dt_fail_memory("the classes", (size_t)count * sizeof *all);
    size_t kept = 0;
    for (int64_t c = 0; s->hot && c < count; c++) all[c].value = c;
    for (size_t at = 0; at < SLOTS; at++)
        if (t->counts[at] && s->hot)
            all[t->values[at]].count = t->counts[at];
        else if (t->counts[at])
            all[kept++] = (dt_survey_class){t->values[at], t->counts[at], ""};
    keep(s, all, (size_t)count);
    dt_free(all);
    return dt_ok();
}

static bool name_class(void *context, const char *name, int64_t value) {
    dt_survey_set *s = context;
    for (int32_t i = 0; i < s->class_count; i++)
        if (s->classes[i].value == value) dt_append(s->classes[i].name, sizeof s->classes[i].name, "%s", name);
    return true;
}

/* The empty string is the first. */
static bool find_blank(void *context, const char *name, int64_t value) {
    look *l = context;
    if (!*name) l->blank = value;
    return false;
}

/* ---- */

static dt_status look_at_values(look *l, dt_h5_rows *rows) {
    dt_survey_set *s = l->set;
    s->whole = !s->strings;
    s->hot = !s->strings && l->width > 1 && l->width <= DT_SURVEY_DISTINCT && s->shape.rank == 2;
    if (s->strings) DT_TRY(dt_h5_rows_members(rows, find_blank, l));
    DT_TRY(read_blocks(l, rows));
    if (l->finite > 0) s->mean = l->sum / (double)l->finite;
    s->whole = s->whole && l->finite > 0;
    DT_TRY(keep_classes(l));
    bool named = l->width == 1 || (s->hot && l->info->columns); /* an enumeration names 0 and 1, and no column */
    return named ? dt_h5_rows_members(rows, name_class, s) : dt_ok();
}

dt_status dt_survey_look(dt_survey_set *s, const char *file) {
    const dt_h5_files files = {&file, 1};
    dt_h5_rows *rows;
    DT_TRY(dt_h5_rows_open(&rows, &files, s->path, &(dt_h5_order){.texts = true}));
    look l = {.set = s, .info = dt_h5_rows_info_of(rows), .blank = -1};
    s->dtype = l.info->dtype;
    s->shape = l.info->shape;
    s->strings = l.info->texts != 0;
    int64_t count = dt_shape_count(&s->shape);
    if (count > 0) l.width = count / s->shape.dim[0];
    l.tally = (tally){.values = dt_alloc(SLOTS, sizeof(int64_t)), .counts = dt_alloc(SLOTS, sizeof(int64_t))};
    dt_status status =
        l.tally.values && l.tally.counts ? dt_ok() : dt_fail_memory("counting values", SLOTS * sizeof *l.tally.values);
    if (status.code == DT_OK && count > 0) status = look_at_values(&l, rows);
    dt_free(l.tally.values);
    dt_free(l.tally.counts);
    dt_h5_rows_close(rows);
    return status;
}
