/* Writing GPT-2's vocabulary files (gpt2.c reads them): a token's bytes become characters that can be printed, those
 * that are in Latin-1 themselves, the others U+0100, U+0101, … in their order. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/tokenizer.h"

/* The character of each byte. */
static void characters(uint32_t points[256]) {
    uint32_t next = 0x100;
    for (uint32_t byte = 0; byte < 256; byte++) {
        bool printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
        points[byte] = printable ? byte : next++;
    }
}

/* The text of a token, to dt_free: two bytes of UTF-8 for each of its own are enough. */
static char *text_of(const dt_vocabulary *v, int64_t token) {
    uint32_t points[256];
    characters(points);
    int64_t begin = v->offsets[token], end = v->offsets[token + 1];
    char *text = dt_alloc(2 * (size_t)(end - begin) + 1, 1), *at = text;
    for (int64_t i = begin; text && i < end; i++) {
        uint32_t point = points[v->bytes[i]];
        if (point >= 0x80) *at++ = (char)(0xc0 | point >> 6);
        *at++ = (char)(point < 0x80 ? point : 0x80 | (point & 63));
    }
    return text;
}

/* Byte-level byte-pair encoding begins with single bytes, and what has no merge is never put together. */
static dt_status check_kind(const dt_vocabulary *v) {
    for (int64_t i = 0; i < v->size && v->kind == DT_TOKENS_CHAR; i++)
        if (v->offsets[i + 1] - v->offsets[i] > 1)
            return dt_fail(DT_ERR_INPUT,
                           "the vocabulary has the character \"%.*s\", of several bytes, as token %lld; GPT-2's "
                           "tokenizer makes no such token without merges (import the text with --tokens bpe)",
                           (int)(v->offsets[i + 1] - v->offsets[i]), (const char *)v->bytes + v->offsets[i],
                           (long long)i);
    return dt_ok();
}

static dt_status add_token(json_t *map, const dt_vocabulary *v, int64_t token) {
    char *text = text_of(v, token);
    if (!text) return dt_fail_memory("a vocabulary", 0);
    const json_t *other = json_object_get(map, text);
    dt_status status = dt_ok();
    if (other)
        status = dt_fail(DT_ERR_INPUT, "tokens %lld and %lld are the same bytes, which GPT-2's vocab.json cannot say",
                         (long long)json_integer_value(other), (long long)token);
    else if (json_object_set_new(map, text, json_integer(token)) != 0)
        status = dt_fail_memory("a vocabulary", 0);
    dt_free(text);
    return status;
}

static dt_status write_vocabulary(const dt_vocabulary *v, const char *path) {
    json_t *map = json_object();
    dt_status status = map ? dt_ok() : dt_fail_memory("a vocabulary", 0);
    for (int64_t i = 0; i < v->size && status.code == DT_OK; i++) status = add_token(map, v, i);
    char *text = status.code == DT_OK ? json_dumps(map, JSON_COMPACT) : NULL;
    if (status.code == DT_OK) status = text ? dt_write_text_file(path, text) : dt_fail_memory("a vocabulary", 0);
    free(text);
    json_decref(map);
    return status;
}

static dt_status write_merges(const dt_vocabulary *v, const char *path) {
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    bool whole = out != NULL;
    if (out) fprintf(out, "#version: 0.2\n");
    for (int64_t i = 0; i < v->merge_count && whole; i++) {
        char *left = text_of(v, v->merges[3 * i]), *right = text_of(v, v->merges[3 * i + 1]);
        whole = left && right;
        if (whole) fprintf(out, "%s %s\n", left, right);
        dt_free(left);
        dt_free(right);
    }
    if (out && fclose(out) != 0) whole = false;
    dt_status status = whole ? dt_write_text_file(path, text) : dt_fail_memory("merges", 0);
    free(text);
    return status;
}

dt_status dt_vocabulary_write_gpt2(const dt_vocabulary *vocabulary, const char *vocab_json, const char *merges_txt) {
    DT_TRY(check_kind(vocabulary));
    DT_TRY(write_vocabulary(vocabulary, vocab_json));
    return write_merges(vocabulary, merges_txt);
}
