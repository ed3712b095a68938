/* The labels of a data set as they are in its file: which values there are, how often, and where first. Most label sets
 * are small numbers from 0 on; those are counted by all ranks, each its part. Any other, with values below 0 or far
 * apart, is counted whole by every rank, through a hash table, so nothing has to be merged; it ends at DT_MOST_CLASSES
 * different values, for that many are no classes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alive.h"
#include "base/append.h"
#include "base/escape.h"
#include "base/memory.h"
#include "data/sampler.h"
#include "labels.h"

#define LOOKED_AT 4096                      /* rows, between signs of life */
#define SLOTS ((size_t)4 * DT_MOST_CLASSES) /* of the hash table; a power of two */

struct dt_labels {
    int64_t least, most;
    int64_t count; /* of different values; DT_MOST_CLASSES + 1 when there are more */
    dt_label *all; /* [count], ascending; NULL when there are more */
    char text[256];
};

void dt_labels_destroy(dt_labels *labels) {
    if (!labels) return;
    dt_free(labels->all);
    dt_free(labels);
}

int64_t dt_labels_count(const dt_labels *labels) {
    return labels->count;
}

const dt_label *dt_labels_at(const dt_labels *labels, int64_t i) {
    return labels->all && i < labels->count ? &labels->all[i] : NULL;
}

void dt_labels_name(dt_labels *labels, int64_t i, int64_t class) {
    labels->all[i].class = class;
}

int64_t dt_labels_class(const dt_labels *labels, int64_t value) {
    int64_t low = 0, high = labels->count - 1;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (labels->all[middle].value < value)
            low = middle + 1;
        else
            high = middle;
    }
    return labels->all[low].class;
}

bool dt_labels_within(const dt_labels *labels, int64_t classes) {
    return labels->least >= 0 && labels->most < classes;
}

/* ---- counting ---- */

/* Collective. The smallest and the largest of all ranks' labels. */
static dt_status find_range(dt_labels *labels, const dt_ranks *ranks, const dt_targets *targets) {
    int64_t first, count, ends[2] = {INT64_MAX, INT64_MAX}; /* the smallest, and the smallest of ~label */
    dt_shard_range(targets->selection.count, ranks->size, ranks->rank, &first, &count);
    for (int64_t i = first; i < first + count; i++) {
        if (i % LOOKED_AT == 0) dt_alive();
        int64_t label = dt_targets_label(targets, dt_selection_row(&targets->selection, i));
        if (label < ends[0]) ends[0] = label;
        if (~label < ends[1]) ends[1] = ~label;
    }
    DT_TRY(dt_ranks_least(ranks, ends, 2));
    labels->least = ends[0];
    labels->most = ~ends[1];
    return dt_ok();
}

/* Collective. Of labels from 0 on: counts[size] and the first row of each, rows[size], all ranks' together. */
static dt_status count_small(const dt_ranks *ranks, const dt_targets *targets, int64_t size, int64_t *counts,
                             int64_t *rows) {
    int64_t first, count;
    const dt_selection *selection = &targets->selection;
    dt_shard_range(selection->count, ranks->size, ranks->rank, &first, &count);
    for (int64_t i = 0; i < size; i++) rows[i] = INT64_MAX;
    for (int64_t i = first; i < first + count; i++) {
        if (i % LOOKED_AT == 0) dt_alive();
        int64_t row = dt_selection_row(selection, i), label = dt_targets_label(targets, row);
        if (counts[label]++ == 0) rows[label] = row;
    }
    DT_TRY(dt_ranks_sum(ranks, counts, (size_t)size));
    return dt_ranks_least(ranks, rows, (size_t)size);
}

/* Collective. */
static dt_status collect_small(dt_labels *labels, const dt_ranks *ranks, const dt_targets *targets) {
    int64_t size = labels->most + 1;
    int64_t *counts = dt_alloc((size_t)size, sizeof *counts);
    int64_t *rows = dt_alloc((size_t)size, sizeof *rows);
    labels->all = dt_alloc((size_t)size, sizeof *labels->all);
    bool there = counts && rows && labels->all;
    dt_status status = dt_ranks_agree(ranks, there ? dt_ok() : dt_fail_memory("the labels", (size_t)size * 32));
    if (status.code == DT_OK && there) status = count_small(ranks, targets, size, counts, rows);
    for (int64_t i = 0; there && i < size && status.code == DT_OK; i++)
        if (counts[i] > 0) labels->all[labels->count++] = (dt_label){.value = i, .count = counts[i], .row = rows[i]};
    dt_free(counts);
    dt_free(rows);
    return status;
}

/* The place of a value in a table that has room. */
static size_t slot_of(const dt_label *table, int64_t value) {
    size_t at = (size_t)((uint64_t)value * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (SLOTS - 1);
    while (table[at].count > 0 && table[at].value != value) at = (at + 1) & (SLOTS - 1);
    return at;
}

static int by_value(const void *left, const void *right) {
    const dt_label *a = left, *b = right;
    return a->value < b->value ? -1 : a->value > b->value;
}

/* Every rank by itself. */
static dt_status collect_any(dt_labels *labels, const dt_targets *targets) {
    dt_label *table = dt_alloc(SLOTS, sizeof *table);
    if (!table) return dt_fail_memory("the labels", SLOTS * sizeof *table);
    for (int64_t i = 0; i < targets->selection.count && labels->count <= DT_MOST_CLASSES; i++) {
        if (i % LOOKED_AT == 0) dt_alive();
        int64_t row = dt_selection_row(&targets->selection, i), value = dt_targets_label(targets, row);
        dt_label *label = &table[slot_of(table, value)];
        if (label->count++ > 0) continue;
        label->value = value;
        label->row = row;
        labels->count++;
    }
    dt_status status = dt_ok();
    if (labels->count <= DT_MOST_CLASSES) {
        labels->all = dt_alloc((size_t)labels->count, sizeof *labels->all);
        if (!labels->all) status = dt_fail_memory("the labels", (size_t)labels->count * sizeof *labels->all);
        int64_t kept = 0;
        for (size_t at = 0; at < SLOTS && labels->all; at++)
            if (table[at].count > 0) labels->all[kept++] = table[at];
        if (labels->all) qsort(labels->all, (size_t)kept, sizeof *labels->all, by_value);
    }
    dt_free(table);
    return status;
}

/* ---- telling ---- */

const char *dt_label_name(const dt_targets *targets, int64_t label) {
    const char *name = targets->hot > 0 ? dt_array_column(targets->y, label) : dt_array_member(targets->y, label);
    return name && *name ? name : NULL;
}

void dt_label_text(const dt_targets *targets, int64_t label, char out[DT_LABEL_TEXT]) {
    const char *name = dt_label_name(targets, label);
    char shown[DT_LABEL_TEXT - 32];
    if (name) dt_escape_name(shown, sizeof shown, name);
    if (name && (targets->hot > 0 || dt_array_of_texts(targets->y)))
        snprintf(out, DT_LABEL_TEXT, "\"%s\"", shown);
    else if (name)
        snprintf(out, DT_LABEL_TEXT, "%" PRId64 " (%s)", label, shown);
    else
        snprintf(out, DT_LABEL_TEXT, "%" PRId64, label);
}

void dt_targets_label_text(const dt_targets *targets, int64_t row, char out[DT_LABEL_TEXT]) {
    dt_label_text(targets, dt_targets_label(targets, row), out);
}

/* One that is so much rarer than the others that it may be an error, or NULL. */
static const dt_label *stray(const dt_labels *labels) {
    const dt_label *rarest = NULL;
    int64_t samples = 0;
    for (int64_t i = 0; labels->all && i < labels->count; i++) {
        samples += labels->all[i].count;
        if (!rarest || labels->all[i].count < rarest->count) rarest = &labels->all[i];
    }
    return rarest && labels->count > 1 && rarest->count * labels->count * 20 < samples ? rarest : NULL;
}

/* "labels of /y: 12 texts, \"bird\", \"cat\", \"dog\", …" */
static void describe_texts(const dt_labels *labels, const dt_targets *targets, char *out, size_t size) {
    char text[DT_LABEL_TEXT];
    dt_append(out, size, "labels of %s: %" PRId64 " texts", targets->name, labels->count);
    for (int64_t i = 0; i < labels->count && strlen(out) < size / 3; i++) {
        dt_label_text(targets, labels->all[i].value, text);
        dt_append(out, size, ", %s", text);
    }
    const dt_label *odd = stray(labels);
    if (!odd) return;
    dt_label_text(targets, odd->value, text);
    dt_append(out, size, "; %s is in %" PRId64 " row%s alone, row %" PRId64, text, odd->count,
              odd->count > 1 ? "s" : "", odd->row);
}

static void describe(const dt_labels *labels, const dt_targets *targets, char *out, size_t size) {
    const char *dataset = targets->name;
    if (labels->all && dt_array_of_texts(targets->y)) {
        describe_texts(labels, targets, out, size);
        return;
    }
    if (!labels->all) {
        dt_append(out, size, "labels of %s: more than %d different ones, from %" PRId64 " to %" PRId64, dataset,
                  DT_MOST_CLASSES, labels->least, labels->most);
        return;
    }
    dt_append(out, size, "labels of %s: ", dataset);
    int64_t ranges = 0;
    for (int64_t i = 0, end; i < labels->count; i = end, ranges++) {
        for (end = i + 1; end < labels->count && labels->all[end].value == labels->all[end - 1].value + 1; end++)
            continue;
        if (ranges == 4 && end < labels->count) { /* more than one range is left */
            dt_append(out, size, ", … %" PRId64, labels->most);
            break;
        }
        dt_append(out, size, "%s%" PRId64, ranges ? ", " : "", labels->all[i].value);
        if (end > i + 1) dt_append(out, size, "%s%" PRId64, end > i + 2 ? ".." : ", ", labels->all[end - 1].value);
    }
    const dt_label *odd = stray(labels);
    if (odd && odd->count == 1) dt_append(out, size, "; %" PRId64 " is in row %" PRId64 " alone", odd->value, odd->row);
    if (odd && odd->count > 1)
        dt_append(out, size, "; %" PRId64 " is in %" PRId64 " rows alone, row %" PRId64 " the first", odd->value,
                  odd->count, odd->row);
}

const char *dt_labels_text(const dt_labels *labels) {
    return labels->text;
}

/* ---- */

dt_status dt_labels_collect(dt_labels **out, const dt_ranks *ranks, const dt_targets *targets) {
    dt_labels *labels = *out = dt_alloc(1, sizeof *labels);
    DT_TRY(dt_ranks_agree(ranks, labels ? dt_ok() : dt_fail_memory("the labels", sizeof *labels)));
    DT_TRY(find_range(labels, ranks, targets));
    if (labels->least >= 0 && labels->most < DT_MOST_CLASSES)
        DT_TRY(collect_small(labels, ranks, targets));
    else
        DT_TRY(dt_ranks_agree(ranks, collect_any(labels, targets)));
    describe(labels, targets, labels->text, sizeof labels->text);
    return dt_ok();
}
