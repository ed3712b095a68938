/* Who gets what is decided here, from the labels; the rows themselves are dealt by a child, which reads the file. */
#include "site/split.h"

#include <stdio.h>
#include <string.h>

#include "base/headway.h"
#include "base/memory.h"
#include "base/ranks.h"
#include "data/array.h"
#include "data/numbers.h"
#include "data/publish.h"

#define LOOKED_AT 4096 /* rows, between signs of life */

/* Everything while it is made. */
typedef struct splitting {
    const dt_site_split *split;
    dt_partition partition;
    dt_array *y;
    int64_t *labels;    /* [samples]; NULL: not asked for */
    int32_t *numbers;   /* [samples] of strings; NULL: they are none */
    const char **names; /* of strings; [name_count] */
    int32_t name_count;
    char **paths; /* [sites] */
    dt_site_split_done *done;
} splitting;

/* ---- labels ---- */

/* The place of the only 1 among zeros; -1: it is no such row. */
static int64_t hot_place(const dt_array *y, int64_t row, int64_t columns) {
    int64_t place = -1;
    for (int64_t c = 0; c < columns; c++) {
        double value = dt_number_at(dt_array_row(y, row), dt_array_dtype(y), c);
        if (value == 0) continue;
        if (value != 1 || place >= 0) return -1;
        place = c;
    }
    return place;
}

static dt_status read_label(const splitting *s, int64_t row, int64_t columns) {
    const void *values = dt_array_row(s->y, row);
    if (columns == 1 && dt_is_integer(values, dt_array_dtype(s->y), 0)) {
        s->labels[row] = dt_integer_at(values, dt_array_dtype(s->y), 0);
        return dt_ok();
    }
    s->labels[row] = columns > 1 ? hot_place(s->y, row, columns) : -1;
    if (s->labels[row] >= 0) return dt_ok();
    char text[DT_NUMBER_TEXT];
    dt_number_text(text, values, dt_array_dtype(s->y), 0);
    return dt_fail(DT_ERR_INPUT,
                   "%s: %s row %lld %s %s: no class; %s deals by classes, which are integers, strings or "
                   "one-hot rows",
                   s->split->data, s->split->by, (long long)row, columns > 1 ? "begins with" : "is", text,
                   s->split->partition);
}

static dt_status read_labels(splitting *s) {
    dt_shape shape = dt_array_row_shape(s->y);
    const int64_t rows = dt_array_rows(s->y), columns = dt_shape_count(&shape);
    s->labels = dt_alloc((size_t)rows, sizeof *s->labels);
    if (!s->labels) return dt_fail_memory("the labels", (size_t)rows * sizeof *s->labels);
    for (int64_t row = 0; row < rows; row++) {
        if (row % LOOKED_AT == 0) dt_alive();
        DT_TRY(read_label(s, row, columns));
    }
    return dt_ok();
}

/* Strings as numbers, and their names. */
static dt_status read_names(splitting *s) {
    const int64_t rows = dt_array_rows(s->y);
    while (dt_array_member(s->y, s->name_count)) s->name_count++;
    s->names = dt_alloc((size_t)s->name_count + 1, sizeof *s->names);
    s->numbers = dt_alloc((size_t)rows, sizeof *s->numbers);
    if (!s->names || !s->numbers) return dt_fail_memory("the labels", (size_t)rows * sizeof *s->numbers);
    for (int32_t i = 0; i < s->name_count; i++) s->names[i] = dt_array_member(s->y, i);
    for (int64_t row = 0; row < rows; row++)
        s->numbers[row] = (int32_t)dt_integer_at(dt_array_row(s->y, row), dt_array_dtype(s->y), 0);
    return dt_ok();
}

static dt_status read_by(splitting *s) {
    dt_ranks alone = dt_ranks_alone();
    dt_h5_order order = {.texts = true};
    DT_TRY(dt_array_describe(&s->y, &alone, s->split->data, s->split->by, &order));
    s->done->samples = dt_array_rows(s->y);
    const bool by_class = dt_partition_by_class(&s->partition), texts = dt_array_of_texts(s->y);
    if (!by_class && !texts) return dt_ok();
    DT_TRY(dt_array_fetch(s->y, &alone, NULL, true));
    if (by_class) DT_TRY(read_labels(s));
    return texts ? read_names(s) : dt_ok();
}

/* ---- files ---- */

static dt_h5_deal deal_of(const splitting *s) {
    const dt_site_parts *parts = &s->done->parts;
    return (dt_h5_deal){.by = s->split->by,
                        .rows = s->done->samples,
                        .parts = parts->sites,
                        .first = parts->first,
                        .row = parts->rows,
                        .paths = (const char *const *)s->paths,
                        .numbers = s->numbers,
                        .names = s->names,
                        .name_count = s->name_count,
                        .partition = s->split->partition,
                        .seed = s->split->seed};
}

typedef struct batch {
    const dt_h5_deal *deal;
    int64_t begin, count;
} batch;

static dt_status deal_batch(void *context, dt_h5 *file, dt_guard *to) {
    const batch *b = context;
    (void)to;
    return dt_h5_deal_parts(b->deal, file, b->begin, b->count);
}

static dt_status name_parts(splitting *s, const char *directory) {
    s->paths = dt_alloc((size_t)s->split->sites, sizeof *s->paths);
    if (!s->paths) return dt_fail_memory("names of files", (size_t)s->split->sites * sizeof *s->paths);
    for (int64_t i = 0; i < s->split->sites; i++) {
        char path[4200];
        snprintf(path, sizeof path, "%s/site-%lld.h5", directory, (long long)i);
        s->paths[i] = dt_strdup(path);
        if (!s->paths[i]) return dt_fail_memory("names of files", sizeof path);
    }
    return dt_ok();
}

/* In the directory that is to be published. */
static dt_status write_parts(void *context, const char *directory) {
    splitting *s = context;
    DT_TRY(name_parts(s, directory));
    dt_h5_deal deal = deal_of(s);
    dt_headway headway;
    dt_headway_begin(&headway, "files", deal.parts, "splitting %s", s->split->data);
    dt_status status = dt_ok();
    for (int64_t begin = 0; begin < deal.parts && status.code == DT_OK; begin += DT_H5_DEAL_PARTS) {
        int64_t left = deal.parts - begin;
        batch b = {&deal, begin, left < DT_H5_DEAL_PARTS ? left : DT_H5_DEAL_PARTS};
        status = dt_h5_run(&(dt_h5_job){.path = s->split->data,
                                        .stoppable = true,
                                        .file_bytes = dt_h5_deal_most_bytes(&s->done->dealt, s->split->data),
                                        .work = deal_batch,
                                        .context = &b});
        dt_headway_at(&headway, begin + b.count);
    }
    dt_headway_end(&headway);
    return status;
}

static dt_status run(splitting *s) {
    const dt_site_split *split = s->split;
    DT_TRY(dt_status_within(dt_partition_read(&s->partition, split->partition), "--partition"));
    DT_TRY(read_by(s));
    DT_TRY(dt_status_within(
        dt_parts_deal(&s->done->parts, &s->partition, split->sites, s->done->samples, s->labels, split->seed), "%s",
        split->data));
    dt_h5_deal deal = deal_of(s);
    DT_TRY(dt_h5_deal_look(&s->done->dealt, &deal, split->data));
    return dt_publish_directory(split->destination, write_parts, s);
}

dt_status dt_site_split_run(const dt_site_split *split, dt_site_split_done *done) {
    memset(done, 0, sizeof *done);
    splitting s = {.split = split, .done = done};
    dt_status status = run(&s);
    for (int64_t i = 0; i < split->sites && s.paths; i++) dt_free(s.paths[i]);
    dt_free(s.paths);
    dt_free(s.labels);
    dt_free(s.numbers);
    dt_free(s.names);
    dt_array_close(s.y);
    return status;
}
