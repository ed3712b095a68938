/* A hash table of texts, whose bytes lie in blocks: there may be a million of them, and a child that reads a file has
 * little memory. */
#include "h5_texts.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/memory.h"
#include "store/h5_rows.h"

#define FIRST_SLOTS 64
#define BLOCK_BYTES ((size_t)1 << 20)

typedef struct text {
    const char *bytes; /* ended by a 0; NULL: the slot is free */
    uint32_t length;
    int32_t number; /* when sorted */
} text;

typedef struct block {
    struct block *before;
    char bytes[];
} block;

struct dt_h5_texts {
    text *table; /* [slots], a power of two */
    size_t slots;
    int32_t count;
    block *last;
    size_t used;         /* of the last block */
    size_t all;          /* bytes of all texts */
    const char **sorted; /* [count] */
};

static text *slot_of(text *table, size_t slots, const char *bytes, size_t length) {
    size_t at = XXH3_64bits(bytes, length) & (slots - 1);
    while (table[at].bytes && (table[at].length != length || memcmp(table[at].bytes, bytes, length) != 0))
        at = (at + 1) & (slots - 1);
    return &table[at];
}

/* Room for one more. */
static bool widen(dt_h5_texts *t) {
    if (2 * ((size_t)t->count + 1) <= t->slots) return true;
    size_t slots = t->slots ? 2 * t->slots : FIRST_SLOTS;
    text *table = dt_alloc(slots, sizeof *table);
    if (!table) return false;
    for (size_t i = 0; i < t->slots; i++)
        if (t->table[i].bytes) *slot_of(table, slots, t->table[i].bytes, t->table[i].length) = t->table[i];
    dt_free(t->table);
    t->table = table;
    t->slots = slots;
    return true;
}

dt_status dt_h5_texts_create(dt_h5_texts **out) {
    *out = dt_alloc(1, sizeof **out);
    if (*out && widen(*out)) return dt_ok();
    dt_h5_texts_destroy(*out);
    *out = NULL;
    return dt_fail_memory("the texts of a dataset", sizeof **out);
}

void dt_h5_texts_destroy(dt_h5_texts *t) {
    if (!t) return;
    for (block *b = t->last, *before; b; b = before) {
        before = b->before;
        dt_free(b);
    }
    dt_free(t->table);
    dt_free(t->sorted);
    dt_free(t);
}

/* A copy that stays; NULL when memory is short. */
static const char *keep(dt_h5_texts *t, const char *bytes, size_t length) {
    if (!t->last || BLOCK_BYTES - t->used <= length) {
        block *b = dt_alloc(sizeof *b + BLOCK_BYTES, 1);
        if (!b) return NULL;
        b->before = t->last;
        t->last = b;
        t->used = 0;
    }
    char *copy = t->last->bytes + t->used;
    memcpy(copy, bytes, length);
    t->used += length + 1; /* blocks are zeros */
    t->all += length + 1;
    return copy;
}

bool dt_h5_texts_add(dt_h5_texts *t, const char *bytes, size_t length) {
    text *found = slot_of(t->table, t->slots, bytes, length);
    if (found->bytes) return true;
    if (t->count == DT_H5_MOST_TEXTS || t->all + length + 1 > DT_H5_MOST_TEXT_BYTES || length >= BLOCK_BYTES)
        return false;
    const char *copy = keep(t, bytes, length);
    if (!copy) return false;
    *found = (text){copy, (uint32_t)length, 0};
    t->count++;
    return widen(t);
}

static int by_bytes(const void *left, const void *right) {
    const text *a = *(text *const *)left, *b = *(text *const *)right;
    return strcmp(a->bytes, b->bytes);
}

dt_status dt_h5_texts_sort(dt_h5_texts *t) {
    text **order = dt_alloc((size_t)t->count + 1, sizeof(text *));
    t->sorted = dt_alloc((size_t)t->count + 1, sizeof *t->sorted);
    bool there = order && t->sorted;
    int32_t count = 0;
    for (size_t i = 0; there && i < t->slots; i++)
        if (t->table[i].bytes) order[count++] = &t->table[i];
    if (there) qsort(order, (size_t)count, sizeof(text *), by_bytes);
    for (int32_t i = 0; i < count; i++) {
        order[i]->number = i;
        t->sorted[i] = order[i]->bytes;
    }
    dt_free(order);
    return there ? dt_ok() : dt_fail_memory("the texts of a dataset", (size_t)t->count * sizeof(text *));
}

int32_t dt_h5_texts_count(const dt_h5_texts *t) {
    return t->count;
}

int32_t dt_h5_texts_find(const dt_h5_texts *t, const char *bytes, size_t length) {
    const text *found = slot_of(t->table, t->slots, bytes, length);
    return found->bytes ? found->number : -1;
}

const char *dt_h5_texts_at(const dt_h5_texts *t, int32_t number) {
    return t->sorted[number];
}
