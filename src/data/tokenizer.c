/* Text into tokens and back. Words come again and again, so byte-pair encoding keeps those it has done. */
#include <string.h>

#include <xxhash.h>

#include "base/escape.h"
#include "base/memory.h"
#include "words.h"

#define CACHED_WORDS 16384 /* a power of two */
#define CACHED_BYTES 30
#define CACHED_IDS 12

/* A word whose tokens are known. */
typedef struct cached {
    uint8_t bytes, ids;
    uint8_t text[CACHED_BYTES];
    int32_t id[CACHED_IDS];
} cached;

struct dt_tokenizer {
    dt_vocabulary vocabulary;
    int32_t byte_id[256]; /* of tokens of one byte; -1: none */
    uint32_t points;      /* char: code points below this are in point_id */
    int32_t *point_id;    /* [points], -1: none */
    uint64_t *pair;       /* bpe: a hash table of left << 32 | right, ~0: free */
    int32_t *rank;        /* [pairs]: which merge that is */
    uint64_t pairs;       /* a power of two */
    cached *words;        /* [CACHED_WORDS] */
};

/* ---- tables ---- */

static uint64_t pair_key(int32_t left, int32_t right) {
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

static uint64_t pair_slot(uint64_t key, uint64_t slots) {
    return (key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (slots - 1);
}

/* The rank of a pair; INT32_MAX when it is never merged. */
static int32_t rank_of(const dt_tokenizer *t, int32_t left, int32_t right) {
    uint64_t key = pair_key(left, right);
    for (uint64_t slot = pair_slot(key, t->pairs);; slot = (slot + 1) & (t->pairs - 1)) {
        if (t->pair[slot] == key) return t->rank[slot];
        if (t->pair[slot] == UINT64_MAX) return INT32_MAX;
    }
}

static dt_status build_pairs(dt_tokenizer *t) {
    const dt_vocabulary *v = &t->vocabulary;
    for (t->pairs = 16; t->pairs < 2 * (uint64_t)v->merge_count; t->pairs *= 2) continue;
    t->pair = dt_alloc(t->pairs, sizeof *t->pair);
    t->rank = dt_alloc(t->pairs, sizeof *t->rank);
    t->words = dt_alloc(CACHED_WORDS, sizeof *t->words);
    if (!t->pair || !t->rank || !t->words) return dt_fail_memory("a tokenizer", 12 * t->pairs);
    memset(t->pair, 0xff, t->pairs * sizeof *t->pair);
    for (int64_t i = 0; i < v->merge_count; i++) {
        uint64_t key = pair_key(v->merges[3 * i], v->merges[3 * i + 1]), slot = pair_slot(key, t->pairs);
        while (t->pair[slot] != UINT64_MAX && t->pair[slot] != key) slot = (slot + 1) & (t->pairs - 1);
        if (t->pair[slot] == key) continue;
        t->pair[slot] = key;
        t->rank[slot] = (int32_t)i;
    }
    return dt_ok();
}

static dt_status build_points(dt_tokenizer *t) {
    const dt_vocabulary *v = &t->vocabulary;
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < v->size; i++) {
            uint32_t point = 0;
            int64_t length = v->offsets[i + 1] - v->offsets[i];
            if (dt_utf8_take(v->bytes + v->offsets[i], (size_t)length, &point) != length)
                return dt_fail(DT_ERR_CORRUPT, "token %lld of a vocabulary of characters is no character",
                               (long long)i);
            if (pass == 1) t->point_id[point] = (int32_t)i;
            if (point >= t->points) t->points = point + 1;
        }
        if (pass == 1) break;
        t->point_id = dt_alloc(t->points, sizeof *t->point_id);
        if (!t->point_id) return dt_fail_memory("a tokenizer", t->points * sizeof *t->point_id);
        for (uint32_t i = 0; i < t->points; i++) t->point_id[i] = -1;
    }
    return dt_ok();
}

static dt_status build_bytes(dt_tokenizer *t) {
    const dt_vocabulary *v = &t->vocabulary;
    for (int i = 0; i < 256; i++) t->byte_id[i] = -1;
    for (int64_t i = v->size - 1; i >= 0; i--)
        if (v->offsets[i + 1] - v->offsets[i] == 1) t->byte_id[v->bytes[v->offsets[i]]] = (int32_t)i;
    for (int i = 0; i < 256; i++)
        if (t->byte_id[i] < 0)
            return dt_fail(DT_ERR_CORRUPT,
                           "the vocabulary has no token for the byte 0x%02x alone; it must have all 256", (unsigned)i);
    return t->vocabulary.kind == DT_TOKENS_BPE ? build_pairs(t) : dt_ok();
}

dt_status dt_tokenizer_create(dt_tokenizer **out, dt_vocabulary *vocabulary) {
    *out = NULL;
    dt_tokenizer *t = dt_alloc(1, sizeof *t);
    if (!t) {
        dt_vocabulary_finish(vocabulary);
        return dt_fail_memory("a tokenizer", sizeof *t);
    }
    t->vocabulary = *vocabulary;
    memset(vocabulary, 0, sizeof *vocabulary);
    dt_status status = t->vocabulary.kind == DT_TOKENS_CHAR ? build_points(t) : build_bytes(t);
    if (status.code != DT_OK) {
        dt_tokenizer_close(t);
        return status;
    }
    *out = t;
    return dt_ok();
}

dt_status dt_tokenizer_open(dt_tokenizer **out, const char *file) {
    dt_vocabulary vocabulary;
    *out = NULL;
    DT_TRY(dt_vocabulary_read(&vocabulary, file));
    if (vocabulary.size == 0)
        return dt_fail(DT_ERR_INPUT, "%s: there is no vocabulary in it; dtrain import text makes data that has one",
                       file);
    return dt_status_within(dt_tokenizer_create(out, &vocabulary), "%s", file);
}

void dt_tokenizer_close(dt_tokenizer *t) {
    if (!t) return;
    dt_vocabulary_finish(&t->vocabulary);
    dt_free(t->point_id);
    dt_free(t->pair);
    dt_free(t->rank);
    dt_free(t->words);
    dt_free(t);
}

const dt_vocabulary *dt_tokenizer_vocabulary(const dt_tokenizer *t) {
    return &t->vocabulary;
}

const uint8_t *dt_tokenizer_token(const dt_tokenizer *t, int64_t id, size_t *bytes) {
    const dt_vocabulary *v = &t->vocabulary;
    *bytes = 0;
    if (id < 0 || id >= v->size) return NULL;
    *bytes = (size_t)(v->offsets[id + 1] - v->offsets[id]);
    return v->bytes + v->offsets[id];
}

/* ---- words ---- */

/* Merges id[count] until no pair of neighbours is ever merged; how many are left. The ranks of pairs are kept, so a
 * merge looks up two. */
static int merge_word(const dt_tokenizer *t, int32_t *id, int count) {
    int32_t rank[DT_WORD_BYTES];
    for (int i = 0; i + 1 < count; i++) rank[i] = rank_of(t, id[i], id[i + 1]);
    while (count > 1) {
        int best = 0;
        for (int i = 1; i + 1 < count; i++)
            if (rank[i] < rank[best]) best = i;
        if (rank[best] == INT32_MAX) break;
        id[best] = t->vocabulary.merges[3 * (int64_t)rank[best] + 2];
        count--;
        memmove(id + best + 1, id + best + 2, (size_t)(count - best - 1) * sizeof *id);
        memmove(rank + best, rank + best + 1, (size_t)(count - best - 1) * sizeof *rank);
        if (best > 0) rank[best - 1] = rank_of(t, id[best - 1], id[best]);
        if (best + 1 < count) rank[best] = rank_of(t, id[best], id[best + 1]);
    }
    return count;
}

static int64_t encode_word(dt_tokenizer *t, const uint8_t *text, size_t bytes, int32_t *id) {
    cached *entry = &t->words[XXH3_64bits(text, bytes) & (CACHED_WORDS - 1)];
    bool fits = bytes <= CACHED_BYTES;
    if (fits && entry->bytes == bytes && memcmp(entry->text, text, bytes) == 0) {
        memcpy(id, entry->id, entry->ids * sizeof *id);
        return entry->ids;
    }
    for (size_t i = 0; i < bytes; i++) id[i] = t->byte_id[text[i]];
    int count = merge_word(t, id, (int)bytes);
    if (fits && count <= CACHED_IDS) {
        entry->bytes = (uint8_t)bytes;
        entry->ids = (uint8_t)count;
        memcpy(entry->text, text, bytes);
        memcpy(entry->id, id, (size_t)count * sizeof *id);
    }
    return count;
}

/* ---- pieces ---- */

static dt_status encode_chars(const dt_tokenizer *t, const uint8_t *text, size_t bytes, bool last, int32_t *ids,
                              int64_t *count, size_t *used) {
    while (*used < bytes) {
        uint32_t point = 0;
        int length = dt_utf8_take(text + *used, bytes - *used, &point);
        if (length < 0 && !last) return dt_ok();
        if (length <= 0)
            return dt_fail(DT_ERR_INPUT, "the byte 0x%02x at offset %zu does not belong to a character of UTF-8",
                           text[*used], *used);
        int32_t id = point < t->points ? t->point_id[point] : -1;
        if (id < 0)
            return dt_fail(DT_ERR_INPUT,
                           "the character U+%04X at offset %zu is not in the vocabulary of %lld characters", point,
                           *used, (long long)t->vocabulary.size);
        ids[(*count)++] = id;
        *used += (size_t)length;
    }
    return dt_ok();
}

dt_status dt_tokenizer_piece(dt_tokenizer *t, const uint8_t *text, size_t bytes, bool last, int32_t *ids,
                             int64_t *count, size_t *used) {
    *count = 0;
    *used = 0;
    if (t->vocabulary.kind == DT_TOKENS_CHAR) return encode_chars(t, text, bytes, last, ids, count, used);
    if (t->vocabulary.kind == DT_TOKENS_BYTE) {
        for (size_t i = 0; i < bytes; i++) ids[i] = t->byte_id[text[i]];
        *count = (int64_t)bytes;
        *used = bytes;
        return dt_ok();
    }
    size_t length;
    while ((length = dt_word_length(text + *used, bytes - *used, last)) > 0) {
        *count += encode_word(t, text + *used, length, ids + *count);
        *used += length;
    }
    return dt_ok();
}

dt_status dt_tokenizer_encode(dt_tokenizer *t, const char *text, size_t bytes, int32_t **ids, int64_t *count) {
    size_t used;
    *count = 0;
    *ids = dt_alloc(bytes + 1, sizeof **ids);
    if (!*ids) return dt_fail_memory("a text's tokens", bytes * sizeof **ids);
    dt_status status = dt_tokenizer_piece(t, (const uint8_t *)text, bytes, true, *ids, count, &used);
    if (status.code == DT_OK) return status;
    dt_free(*ids);
    *ids = NULL;
    return status;
}
