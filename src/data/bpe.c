/* Training of byte-pair encoding. A text is counted as different words; a merge touches only the words that hold its
 * pair, which each pair keeps a list of, and the most frequent pair comes from a heap. Counts of pairs without the
 * newest token only fall, so an entry of the heap is looked at when it comes up: when its count is no longer true it
 * goes back with the true one. */
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/memory.h"
#include "words.h"

typedef struct word {
    size_t at; /* of its bytes in text, then of its tokens in ids */
    int32_t length;
    int32_t seen; /* the merge that looked at it last */
    int64_t count;
} word;

typedef struct pair {
    int32_t left, right;
    int64_t count;
    int32_t *words; /* that hold it, or did */
    int32_t word_count, word_room;
} pair;

/* How often a pair was there when this was noted. */
typedef struct note {
    int64_t count;
    int32_t left, right, pair;
} note;

struct dt_bpe_trainer {
    uint8_t *text; /* of all words, one after the other */
    size_t text_used, text_room;
    word *words;
    int64_t word_count, word_room;
    int32_t *word_slots; /* hash table: number of a word + 1 */
    int64_t word_slot_count;

    int32_t *ids;
    pair *pairs;
    int64_t pair_count, pair_room;
    int32_t *pair_slots;
    int64_t pair_slot_count;
    note *heap;
    int64_t heap_count, heap_room;
};

/* Room for one more of `size` bytes in *array. */
static dt_status grow(void *array, int64_t *room, int64_t needed, size_t size) {
    void **memory = array;
    if (needed <= *room) return dt_ok();
    int64_t larger = *room ? 2 * *room : 1024;
    while (larger < needed) larger *= 2;
    void *moved = realloc(*memory, (size_t)larger * size);
    if (!moved) return dt_fail_memory("training byte-pair encoding", (unsigned long long)larger * size);
    *memory = moved;
    *room = larger;
    return dt_ok();
}

static dt_status new_slots(int32_t **slots, int64_t count) {
    int32_t *made = calloc((size_t)count, sizeof *made);
    if (!made) return dt_fail_memory("training byte-pair encoding", (unsigned long long)count * sizeof *made);
    free(*slots);
    *slots = made;
    return dt_ok();
}

dt_status dt_bpe_open(dt_bpe_trainer **out) {
    *out = dt_alloc(1, sizeof **out);
    return *out ? dt_ok() : dt_fail_memory("training byte-pair encoding", sizeof **out);
}

void dt_bpe_close(dt_bpe_trainer *t) {
    if (!t) return;
    for (int64_t i = 0; i < t->pair_count; i++) free(t->pairs[i].words);
    free(t->text);
    free(t->words);
    free(t->word_slots);
    free(t->ids);
    free(t->pairs);
    free(t->pair_slots);
    free(t->heap);
    dt_free(t);
}

/* ---- counting words ---- */

static int64_t word_slot(const dt_bpe_trainer *t, const uint8_t *text, size_t bytes) {
    int64_t mask = t->word_slot_count - 1, slot = (int64_t)(XXH3_64bits(text, bytes) & (uint64_t)mask);
    for (; t->word_slots[slot]; slot = (slot + 1) & mask) {
        const word *w = &t->words[t->word_slots[slot] - 1];
        if ((size_t)w->length == bytes && memcmp(t->text + w->at, text, bytes) == 0) break;
    }
    return slot;
}

static dt_status index_words(dt_bpe_trainer *t, int64_t slots) {
    DT_TRY(new_slots(&t->word_slots, slots));
    t->word_slot_count = slots;
    for (int64_t i = 0; i < t->word_count; i++)
        t->word_slots[word_slot(t, t->text + t->words[i].at, (size_t)t->words[i].length)] = (int32_t)(i + 1);
    return dt_ok();
}

/* Forgets the words seen least, until half of the room is free. */
static dt_status forget(dt_bpe_trainer *t) {
    int64_t kept = t->word_count, bytes = (int64_t)t->text_used, limit = 0;
    while (kept > DT_BPE_WORDS / 2 || bytes > DT_BPE_BYTES / 2) {
        limit = 2 * limit + 1;
        kept = bytes = 0;
        for (int64_t i = 0; i < t->word_count; i++) {
            kept += t->words[i].count > limit;
            bytes += t->words[i].count > limit ? t->words[i].length : 0;
        }
    }
    kept = 0;
    t->text_used = 0;
    for (int64_t i = 0; i < t->word_count; i++) {
        word w = t->words[i];
        if (w.count <= limit) continue;
        memmove(t->text + t->text_used, t->text + w.at, (size_t)w.length);
        w.at = t->text_used;
        t->text_used += (size_t)w.length;
        t->words[kept++] = w;
    }
    t->word_count = kept;
    return index_words(t, t->word_slot_count);
}

static dt_status count_word(dt_bpe_trainer *t, const uint8_t *text, size_t bytes) {
    if (2 * (t->word_count + 1) > t->word_slot_count)
        DT_TRY(index_words(t, t->word_slot_count ? 2 * t->word_slot_count : 4096));
    int64_t slot = word_slot(t, text, bytes);
    if (t->word_slots[slot]) {
        t->words[t->word_slots[slot] - 1].count++;
        return dt_ok();
    }
    int64_t text_room = (int64_t)t->text_room;
    DT_TRY(grow(&t->text, &text_room, (int64_t)(t->text_used + bytes), 1));
    t->text_room = (size_t)text_room;
    DT_TRY(grow(&t->words, &t->word_room, t->word_count + 1, sizeof *t->words));
    memcpy(t->text + t->text_used, text, bytes);
    t->words[t->word_count++] = (word){.at = t->text_used, .length = (int32_t)bytes, .count = 1};
    t->text_used += bytes;
    t->word_slots[slot] = (int32_t)t->word_count;
    return t->word_count > DT_BPE_WORDS || t->text_used > DT_BPE_BYTES ? forget(t) : dt_ok();
}

dt_status dt_bpe_count(dt_bpe_trainer *t, const uint8_t *text, size_t bytes, bool last, size_t *used) {
    size_t length;
    *used = 0;
    while ((length = dt_word_length(text + *used, bytes - *used, last)) > 0) {
        DT_TRY(count_word(t, text + *used, length));
        *used += length;
    }
    return dt_ok();
}

/* ---- pairs ---- */

static int64_t pair_slot(const dt_bpe_trainer *t, int32_t left, int32_t right) {
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    int64_t mask = t->pair_slot_count - 1;
    int64_t slot = (int64_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & mask;
    for (; t->pair_slots[slot]; slot = (slot + 1) & mask) {
        const pair *p = &t->pairs[t->pair_slots[slot] - 1];
        if (p->left == left && p->right == right) break;
    }
    return slot;
}

static dt_status index_pairs(dt_bpe_trainer *t, int64_t slots) {
    DT_TRY(new_slots(&t->pair_slots, slots));
    t->pair_slot_count = slots;
    for (int64_t i = 0; i < t->pair_count; i++)
        t->pair_slots[pair_slot(t, t->pairs[i].left, t->pairs[i].right)] = (int32_t)(i + 1);
    return dt_ok();
}

/* Counts the pair at two neighbours of word `number` `by` times more; the first time notes that the word holds it. */
static dt_status count_pair(dt_bpe_trainer *t, const int32_t *id, int32_t number, int64_t by, int32_t newest) {
    if (2 * (t->pair_count + 1) > t->pair_slot_count)
        DT_TRY(index_pairs(t, t->pair_slot_count ? 2 * t->pair_slot_count : 4096));
    int64_t slot = pair_slot(t, id[0], id[1]);
    if (!t->pair_slots[slot]) {
        DT_TRY(grow(&t->pairs, &t->pair_room, t->pair_count + 1, sizeof *t->pairs));
        t->pairs[t->pair_count++] = (pair){.left = id[0], .right = id[1]};
        t->pair_slots[slot] = (int32_t)t->pair_count;
    }
    pair *p = &t->pairs[t->pair_slots[slot] - 1];
    p->count += by;
    bool is_new = newest < 0 || id[0] == newest || id[1] == newest;
    if (by < 0 || !is_new || (p->word_count > 0 && p->words[p->word_count - 1] == number)) return dt_ok();
    int64_t room = p->word_room;
    if (p->word_count == p->word_room) {
        room = room ? 2 * room : 4;
        int32_t *moved = realloc(p->words, (size_t)room * sizeof *moved);
        if (!moved) return dt_fail_memory("training byte-pair encoding", (unsigned long long)room * sizeof *moved);
        p->words = moved;
        p->word_room = (int32_t)room;
    }
    p->words[p->word_count++] = number;
    return dt_ok();
}

static dt_status count_pairs(dt_bpe_trainer *t, int32_t number, int64_t by, int32_t newest) {
    const word *w = &t->words[number];
    for (int32_t i = 0; i + 1 < w->length; i++) DT_TRY(count_pair(t, t->ids + w->at + i, number, by, newest));
    return dt_ok();
}

/* ---- the heap: the most frequent first, then the smallest left, then right token ---- */

static bool before(const note *a, const note *b) {
    if (a->count != b->count) return a->count > b->count;
    return a->left != b->left ? a->left < b->left : a->right < b->right;
}

static dt_status heap_put(dt_bpe_trainer *t, int64_t number) {
    const pair *p = &t->pairs[number];
    DT_TRY(grow(&t->heap, &t->heap_room, t->heap_count + 1, sizeof *t->heap));
    note new = {p->count, p->left, p->right, (int32_t)number};
    int64_t at = t->heap_count++;
    for (; at > 0 && before(&new, &t->heap[(at - 1) / 2]); at = (at - 1) / 2) t->heap[at] = t->heap[(at - 1) / 2];
    t->heap[at] = new;
    return dt_ok();
}

static note heap_take(dt_bpe_trainer *t) {
    note top = t->heap[0], moved = t->heap[--t->heap_count];
    int64_t at = 0, child;
    while ((child = 2 * at + 1) < t->heap_count) {
        if (child + 1 < t->heap_count && before(&t->heap[child + 1], &t->heap[child])) child++;
        if (!before(&t->heap[child], &moved)) break;
        t->heap[at] = t->heap[child];
        at = child;
    }
    t->heap[at] = moved;
    return top;
}

/* The number of the pair to merge next; -1 when none occurs twice. */
static dt_status next_pair(dt_bpe_trainer *t, int64_t *number) {
    *number = -1;
    while (t->heap_count > 0) {
        note top = heap_take(t);
        int64_t count = t->pairs[top.pair].count;
        if (count == top.count) {
            if (count >= 2) *number = top.pair;
            return dt_ok();
        }
        if (count >= 2) DT_TRY(heap_put(t, top.pair));
    }
    return dt_ok();
}

/* ---- merging ---- */

static bool holds(const dt_bpe_trainer *t, const word *w, int32_t left, int32_t right) {
    for (int32_t i = 0; i + 1 < w->length; i++)
        if (t->ids[w->at + (size_t)i] == left && t->ids[w->at + (size_t)i + 1] == right) return true;
    return false;
}

static void merge_in(dt_bpe_trainer *t, word *w, int32_t left, int32_t right, int32_t newest) {
    int32_t *id = t->ids + w->at, to = 0;
    for (int32_t i = 0; i < w->length; i++, to++) {
        bool both = i + 1 < w->length && id[i] == left && id[i + 1] == right;
        id[to] = both ? newest : id[i];
        i += both;
    }
    w->length = to;
}

static dt_status merge(dt_bpe_trainer *t, int64_t number, int32_t newest) {
    pair p = t->pairs[number];
    t->pairs[number].words = NULL;
    t->pairs[number].word_count = t->pairs[number].word_room = 0;
    int64_t first_new = t->pair_count;
    dt_status status = dt_ok();
    for (int32_t i = 0; i < p.word_count && status.code == DT_OK; i++) {
        word *w = &t->words[p.words[i]];
        if (w->seen == newest || !holds(t, w, p.left, p.right)) continue;
        w->seen = newest;
        status = count_pairs(t, p.words[i], -w->count, newest);
        merge_in(t, w, p.left, p.right, newest);
        if (status.code == DT_OK) status = count_pairs(t, p.words[i], w->count, newest);
    }
    free(p.words);
    for (int64_t i = first_new; i < t->pair_count && status.code == DT_OK; i++) status = heap_put(t, i);
    return status;
}

static dt_status begin(dt_bpe_trainer *t) {
    t->ids = malloc((t->text_used + 1) * sizeof *t->ids);
    if (!t->ids) return dt_fail_memory("training byte-pair encoding", t->text_used * sizeof *t->ids);
    for (size_t i = 0; i < t->text_used; i++) t->ids[i] = t->text[i];
    for (int64_t i = 0; i < t->word_count; i++) DT_TRY(count_pairs(t, (int32_t)i, t->words[i].count, -1));
    for (int64_t i = 0; i < t->pair_count; i++) DT_TRY(heap_put(t, i));
    return dt_ok();
}

/* Every merge's bytes: those of its two tokens, one after the other. */
static dt_status spell(dt_vocabulary *v) {
    for (int64_t i = 0; i < 256; i++) v->offsets[i + 1] = i + 1;
    for (int64_t i = 0; i < v->merge_count; i++) {
        const int32_t *m = v->merges + 3 * i;
        int64_t length = v->offsets[m[0] + 1] - v->offsets[m[0]] + v->offsets[m[1] + 1] - v->offsets[m[1]];
        v->offsets[256 + i + 1] = v->offsets[256 + i] + length;
    }
    v->bytes = dt_alloc((size_t)v->offsets[v->size], 1);
    if (!v->bytes) return dt_fail_memory("a vocabulary", (unsigned long long)v->offsets[v->size]);
    for (int i = 0; i < 256; i++) v->bytes[i] = (uint8_t)i;
    for (int64_t i = 0; i < v->merge_count; i++) {
        uint8_t *to = v->bytes + v->offsets[256 + i];
        for (int side = 0; side < 2; side++) {
            int32_t part = v->merges[3 * i + side];
            size_t length = (size_t)(v->offsets[part + 1] - v->offsets[part]);
            memcpy(to, v->bytes + v->offsets[part], length);
            to += length;
        }
    }
    return dt_ok();
}

static dt_status merge_all(dt_bpe_trainer *t, int64_t most, dt_vocabulary *v) {
    while (v->merge_count < most) {
        int64_t number;
        DT_TRY(next_pair(t, &number));
        if (number < 0) break;
        int32_t *m = v->merges + 3 * v->merge_count;
        m[0] = t->pairs[number].left;
        m[1] = t->pairs[number].right;
        m[2] = (int32_t)v->size++;
        v->merge_count++;
        DT_TRY(merge(t, number, m[2]));
    }
    return dt_ok();
}

dt_status dt_bpe_train(dt_bpe_trainer *t, int64_t size, dt_vocabulary *out) {
    int64_t most = size > 256 ? size - 256 : 0;
    memset(out, 0, sizeof *out);
    DT_TRY(begin(t));
    DT_TRY(dt_vocabulary_reserve(out, 256 + most, 0, most));
    dt_free(out->bytes);
    out->bytes = NULL;
    out->kind = DT_TOKENS_BPE;
    out->size = 256;
    out->merge_count = 0;
    dt_status status = merge_all(t, most, out);
    if (status.code == DT_OK) status = spell(out);
    if (status.code != DT_OK) dt_vocabulary_finish(out);
    return status;
}
