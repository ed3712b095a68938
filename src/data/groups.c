/* Groups of rows by a value. A hash table that grows finds the different values in one pass; in ascending order they
 * are numbered, so a group's number depends on the values there are, and not on where their rows lie. Every rank looks
 * at all rows: it is one number a row, and nothing has to be merged. */
#include "groups.h"

#include <stdlib.h>
#include <string.h>

#include "base/alive.h"
#include "base/memory.h"
#include "labels.h"

#define LOOKED_AT 4096 /* rows, between signs of life */
#define FIRST_SLOTS 1024

typedef struct slot {
    int64_t value, rows; /* rows 0: free */
} slot;

typedef struct slot_table {
    slot *slots;
    size_t size; /* a power of two */
    int64_t used;
} slot_table;

static slot *slot_of(const slot_table *table, int64_t value) {
    size_t at = (size_t)((uint64_t)value * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (table->size - 1);
    while (table->slots[at].rows > 0 && table->slots[at].value != value) at = (at + 1) & (table->size - 1);
    return &table->slots[at];
}

/* Room for one more value. */
static dt_status grow(slot_table *table) {
    if (2 * (size_t)(table->used + 1) <= table->size) return dt_ok();
    slot_table larger = {.size = table->size ? 2 * table->size : FIRST_SLOTS, .used = table->used};
    larger.slots = dt_alloc(larger.size, sizeof *larger.slots);
    if (!larger.slots) return dt_fail_memory("the groups of rows", larger.size * sizeof *larger.slots);
    for (size_t i = 0; i < table->size; i++)
        if (table->slots[i].rows > 0) *slot_of(&larger, table->slots[i].value) = table->slots[i];
    dt_free(table->slots);
    *table = larger;
    return dt_ok();
}

static int64_t columns_of(const dt_array *array) {
    dt_shape shape = dt_array_row_shape(array);
    return dt_shape_count(&shape);
}

/* The value of a row: its integer, or the place of its 1. */
static int64_t value_of(const dt_array *array, int64_t columns, int64_t row) {
    return columns > 1 ? dt_one_hot_at(array, row, columns)
                       : dt_integer_at(dt_array_row(array, 0), dt_array_dtype(array), row);
}

static dt_status check_row(const dt_array *array, int64_t columns, int64_t row, const char *file, const char *dataset) {
    int64_t ones, place[2];
    char text[DT_NUMBER_TEXT];
    if (columns > 1 && dt_one_hot_ones(array, row, &ones, place) && ones == 1) return dt_ok();
    if (columns > 1)
        return dt_fail(DT_ERR_INPUT,
                       "%s: %s row %lld has %lld values, which are no one-hot row; rows are grouped by one value each",
                       file, dataset, (long long)row, (long long)columns);
    if (dt_is_integer(dt_array_row(array, 0), dt_array_dtype(array), row)) return dt_ok();
    dt_number_text(text, dt_array_row(array, 0), dt_array_dtype(array), row);
    return dt_fail(DT_ERR_INPUT, "%s: %s row %lld is %s; rows are grouped by integers or strings", file, dataset,
                   (long long)row, text);
}

static dt_status count_rows(slot_table *table, const dt_array *array, const char *file, const char *dataset) {
    const int64_t columns = columns_of(array);
    for (int64_t row = 0; row < dt_array_rows(array); row++) {
        if (row % LOOKED_AT == 0) dt_alive();
        DT_TRY(check_row(array, columns, row, file, dataset));
        DT_TRY(grow(table));
        int64_t value = value_of(array, columns, row);
        slot *at = slot_of(table, value);
        at->value = value;
        table->used += at->rows++ == 0;
    }
    return dt_ok();
}

static int by_value(const void *left, const void *right) {
    const slot *a = left, *b = right;
    return a->value < b->value ? -1 : a->value > b->value;
}

static dt_status take(dt_groups *out, slot_table *table) {
    out->values = dt_alloc((size_t)table->used, sizeof *out->values);
    out->rows = dt_alloc((size_t)table->used, sizeof *out->rows);
    if (!out->values || !out->rows) return dt_fail_memory("the groups of rows", (size_t)table->used * 16);
    int64_t kept = 0;
    for (size_t i = 0; i < table->size; i++)
        if (table->slots[i].rows > 0) table->slots[kept++] = table->slots[i];
    if (kept > 0) qsort(table->slots, (size_t)kept, sizeof *table->slots, by_value);
    for (int64_t i = 0; i < kept; i++) {
        out->values[i] = table->slots[i].value;
        out->rows[i] = table->slots[i].rows;
    }
    out->count = kept;
    return dt_ok();
}

dt_status dt_groups_collect(dt_groups *out, const dt_array *array, const char *file, const char *dataset) {
    memset(out, 0, sizeof *out);
    slot_table table = {.size = 0};
    dt_status status = count_rows(&table, array, file, dataset);
    if (status.code == DT_OK) status = take(out, &table);
    dt_free(table.slots);
    return status;
}

void dt_groups_finish(dt_groups *groups) {
    dt_free(groups->values);
    dt_free(groups->rows);
    memset(groups, 0, sizeof *groups);
}

int64_t dt_groups_of_row(const dt_groups *groups, const dt_array *array, int64_t row) {
    int64_t value = value_of(array, columns_of(array), row);
    int64_t low = 0, high = groups->count - 1;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (groups->values[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
