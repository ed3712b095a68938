/* A hash table of texts. Numbers are given at the end, by the texts' order and not by that of the rows, so that the
 * same table in another order gives the same numbers. */
#include "categories.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/memory.h"
#include "csv_values.h"

typedef struct entry {
    char *text;
    double value;   /* of a text that is a number */
    int32_t number; /* when sorted */
} entry;

struct dt_categories {
    entry *table; /* [slots], a power of two; text NULL: free */
    size_t slots;
    int32_t count;
    const char **sorted; /* [count] */
};

static entry *slot_of(entry *table, size_t slots, const char *text) {
    size_t at = XXH3_64bits(text, strlen(text)) & (slots - 1);
    while (table[at].text && strcmp(table[at].text, text) != 0) at = (at + 1) & (slots - 1);
    return &table[at];
}

static dt_status widen(dt_categories *c) {
    size_t slots = c->slots ? 2 * c->slots : 16;
    entry *table = dt_alloc(slots, sizeof *table);
    if (!table) return dt_fail_memory("the categories of a column", slots * sizeof *table);
    for (size_t i = 0; i < c->slots; i++)
        if (c->table[i].text) *slot_of(table, slots, c->table[i].text) = c->table[i];
    dt_free(c->table);
    c->table = table;
    c->slots = slots;
    return dt_ok();
}

dt_status dt_categories_create(dt_categories **out) {
    *out = dt_alloc(1, sizeof **out);
    return *out ? widen(*out) : dt_fail_memory("the categories of a column", sizeof **out);
}

void dt_categories_destroy(dt_categories *c) {
    if (!c) return;
    for (size_t i = 0; i < c->slots; i++) dt_free(c->table[i].text);
    dt_free(c->table);
    dt_free(c->sorted);
    dt_free(c);
}

dt_status dt_categories_add(dt_categories *c, const char *text) {
    entry *found = slot_of(c->table, c->slots, text);
    if (found->text || c->count > DT_MOST_CATEGORIES) return dt_ok();
    if (c->count++ == DT_MOST_CATEGORIES) return dt_ok();
    found->text = dt_strdup(text);
    if (!found->text) return dt_fail_memory("the categories of a column", strlen(text));
    return 2 * (size_t)c->count > c->slots ? widen(c) : dt_ok();
}

int32_t dt_categories_count(const dt_categories *c) {
    return c->count;
}

static int by_text(const void *a, const void *b) {
    return strcmp((*(entry *const *)a)->text, (*(entry *const *)b)->text);
}

static int by_value(const void *a, const void *b) {
    double one = (*(entry *const *)a)->value, two = (*(entry *const *)b)->value;
    return one < two ? -1 : one > two ? 1 : by_text(a, b);
}

dt_status dt_categories_sort(dt_categories *c) {
    static const dt_csv_notation plain = {.decimal = '.'};
    entry **order = dt_alloc((size_t)c->count + 1, sizeof(entry *));
    c->sorted = dt_alloc((size_t)c->count + 1, sizeof *c->sorted);
    bool numbers = true;
    int32_t count = 0;
    for (size_t i = 0; i < c->slots && order; i++) {
        if (!c->table[i].text) continue;
        order[count++] = &c->table[i];
        numbers = numbers && dt_csv_number(&plain, c->table[i].text, &c->table[i].value);
    }
    if (order) qsort(order, (size_t)count, sizeof(entry *), numbers ? by_value : by_text);
    for (int32_t i = 0; i < count && order && c->sorted; i++) {
        order[i]->number = i;
        c->sorted[i] = order[i]->text;
    }
    bool done = order && c->sorted;
    dt_free(order);
    return done ? dt_ok() : dt_fail_memory("the categories of a column", (size_t)count * sizeof(entry *));
}

int32_t dt_categories_find(const dt_categories *c, const char *text) {
    const entry *found = slot_of(c->table, c->slots, text);
    return found->text ? found->number : -1;
}

const char *dt_categories_text(const dt_categories *c, int32_t number) {
    return c->sorted[number];
}
