/* GPT-2's vocabulary files. vocab.json is one flat map from texts to numbers, so the reader knows no more of JSON than
 * that. A token's bytes are written as characters that can be printed: bytes that are, in Latin-1, stand for
 * themselves, the others for U+0100, U+0101, … in their order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/escape.h"
#include "base/file.h"
#include "base/memory.h"
#include "words.h"

#define MOST_BYTES ((int64_t)64 << 20) /* a million tokens of the usual length are 20 MB */
#define LEAST_ENTRY 6                  /* "a":0, is the shortest; memory follows from how many a file can hold */
#define LEAST_LINE 4                   /* a b and the line's end, likewise */

typedef struct file_text {
    const char *path;
    uint8_t *bytes; /* ends with a zero that is not counted */
    size_t size, at;
} file_text;

static dt_status read_file(file_text *f, const char *path) {
    memset(f, 0, sizeof *f);
    f->path = path;
    int fd;
    int64_t bytes = 0;
    DT_TRY(dt_file_open(path, &fd, &bytes));
    f->size = bytes <= MOST_BYTES ? (size_t)bytes : 0;
    f->bytes = bytes <= MOST_BYTES ? dt_alloc(f->size + 1, 1) : NULL;
    FILE *in = f->bytes ? fdopen(fd, "rb") : NULL;
    bool read = in && fread(f->bytes, 1, f->size, in) == f->size;
    if (in)
        fclose(in);
    else
        close(fd);
    if (bytes > MOST_BYTES)
        return dt_fail(DT_ERR_INPUT, "%s: has %lld MiB; a vocabulary's file has at most %lld", path,
                       (long long)(bytes >> 20), (long long)(MOST_BYTES >> 20));
    if (!in) return dt_fail_memory("a vocabulary file", f->size);
    if (read && f->size >= 3 && memcmp(f->bytes, "\xef\xbb\xbf", 3) == 0) { /* a byte-order mark */
        f->size -= 3;
        memmove(f->bytes, f->bytes + 3, f->size + 1);
    }
    return read ? dt_ok() : dt_fail(DT_ERR_IO, "%s: cannot read", path);
}

static long long line_of(const file_text *f) {
    long long line = 1;
    for (size_t i = 0; i < f->at && i < f->size; i++) line += f->bytes[i] == '\n';
    return line;
}

static dt_status fail_at(const file_text *f, const char *what) {
    return dt_fail(DT_ERR_CORRUPT, "%s:%lld: byte %zu: %s", f->path, line_of(f), f->at, what);
}

/* ---- texts as bytes ---- */

/* The byte a character stands for; -1: none. */
static int byte_of(uint32_t point) {
    static const uint8_t printable[3][2] = {{0x21, 0x7e}, {0xa1, 0xac}, {0xae, 0xff}};
    for (int i = 0; i < 3; i++)
        if (point >= printable[i][0] && point <= printable[i][1]) return (int)point;
    uint32_t next = 0x100;
    for (int byte = 0; byte < 256 && point >= 0x100; byte++) {
        bool stands = false;
        for (int i = 0; i < 3; i++) stands = stands || (byte >= printable[i][0] && byte <= printable[i][1]);
        if (!stands && next++ == point) return byte;
    }
    return -1;
}

/* ---- the vocabulary under construction ---- */

typedef struct entry {
    size_t at;
    int32_t length; /* 0: none */
} entry;

typedef struct builder {
    file_text json, merges;
    uint8_t *text; /* all tokens' bytes, as met */
    size_t used;
    entry *entries; /* by number */
    int64_t room, count;
    int32_t *slots; /* hash table: number + 1 */
    uint64_t slot_count;
} builder;

static uint64_t find_slot(const builder *b, const uint8_t *text, size_t bytes) {
    uint64_t mask = b->slot_count - 1, slot = XXH3_64bits(text, bytes) & mask;
    for (; b->slots[slot]; slot = (slot + 1) & mask) {
        const entry *e = &b->entries[b->slots[slot] - 1];
        if ((size_t)e->length == bytes && memcmp(b->text + e->at, text, bytes) == 0) break;
    }
    return slot;
}

static void skip_space(file_text *f) {
    while (f->at < f->size && strchr(" \t\r\n", f->bytes[f->at])) f->at++;
}

static bool take_char(file_text *f, uint8_t c) {
    skip_space(f);
    if (f->at >= f->size || f->bytes[f->at] != c) return false;
    f->at++;
    return true;
}

static int hex(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \uXXXX, two of them for a code point above FFFF. */
static bool take_unicode(file_text *f, uint32_t *point) {
    uint32_t value = 0;
    if (f->size - f->at < 4) return false;
    for (int i = 0; i < 4; i++) {
        int digit = hex(f->bytes[f->at + (size_t)i]);
        if (digit < 0) return false;
        value = value << 4 | (uint32_t)digit;
    }
    f->at += 4;
    *point = value;
    return true;
}

static bool take_escape(file_text *f, uint32_t *point) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint8_t c = f->at < f->size ? f->bytes[f->at] : 0;
    const char *found = c ? strchr(from, c) : NULL;
    f->at++;
    if (found) {
        *point = (uint8_t)to[found - from];
        return true;
    }
    uint32_t low;
    if (c != 'u' || !take_unicode(f, point)) return false;
    if (*point < 0xd800 || *point > 0xdfff) return true;
    if (f->size - f->at < 2 || f->bytes[f->at] != '\\' || f->bytes[f->at + 1] != 'u') return false;
    f->at += 2;
    if (!take_unicode(f, &low) || *point > 0xdbff || low < 0xdc00 || low > 0xdfff) return false;
    *point = 0x10000 + ((*point & 0x3ff) << 10 | (low & 0x3ff));
    return true;
}

/* A token's name in quotes, as bytes behind text[used]; what is written in other characters is taken as it is. */
static dt_status take_name(builder *b, size_t *length) {
    file_text *f = &b->json;
    uint8_t *out = b->text + b->used;
    *length = 0;
    if (!take_char(f, '"')) return fail_at(f, "expected a token in quotes");
    while (f->at < f->size && f->bytes[f->at] != '"') {
        uint32_t point = 0;
        int taken = dt_utf8_take(f->bytes + f->at, f->size - f->at, &point);
        if (taken <= 0) return fail_at(f, "this is no UTF-8");
        f->at += (size_t)taken;
        if (point == '\\' && !take_escape(f, &point)) return fail_at(f, "this escape is none of JSON's");
        int byte = byte_of(point);
        if (byte >= 0)
            out[(*length)++] = (uint8_t)byte;
        else
            *length += dt_utf8_put(point, out + *length);
    }
    if (!take_char(f, '"')) return fail_at(f, "the file ends inside a token");
    return *length > 0 ? dt_ok() : fail_at(f, "a token is empty");
}

static dt_status take_entry(builder *b) {
    size_t length;
    file_text *f = &b->json;
    DT_TRY(take_name(b, &length));
    if (!take_char(f, ':')) return fail_at(f, "expected a colon behind the token");
    skip_space(f);
    if (f->at >= f->size || f->bytes[f->at] < '0' || f->bytes[f->at] > '9')
        return fail_at(f, "expected a token's number");
    int64_t id = 0;
    while (f->at < f->size && f->bytes[f->at] >= '0' && f->bytes[f->at] <= '9' && id < b->room)
        id = 10 * id + (f->bytes[f->at++] - '0');
    if (id >= b->room) return fail_at(f, "this number is too large: numbers go from 0 on without a gap");
    if (b->entries[id].length > 0) return fail_at(f, "another token has this number already");
    uint64_t slot = find_slot(b, b->text + b->used, length);
    if (b->slots[slot]) return fail_at(f, "this token is there twice");
    b->slots[slot] = (int32_t)(id + 1);
    b->entries[id] = (entry){b->used, (int32_t)length};
    b->used += length;
    b->count++;
    return dt_ok();
}

static dt_status read_json(builder *b) {
    file_text *f = &b->json;
    int64_t colons = 0, most = (int64_t)(f->size / LEAST_ENTRY);
    for (size_t i = 0; i < f->size; i++) colons += f->bytes[i] == ':';
    b->room = 1 + (colons < most ? colons : most);
    for (b->slot_count = 1024; b->slot_count < 2 * (uint64_t)b->room; b->slot_count *= 2) continue;
    b->text = dt_alloc(f->size + 8, 1);
    b->entries = dt_alloc((size_t)b->room, sizeof *b->entries);
    b->slots = dt_alloc(b->slot_count, sizeof *b->slots);
    if (!b->text || !b->entries || !b->slots) return dt_fail_memory("a vocabulary", 4 * f->size);
    if (!take_char(f, '{')) return fail_at(f, "expected { as a map begins");
    do {
        DT_TRY(take_entry(b));
    } while (take_char(f, ','));
    if (!take_char(f, '}')) return fail_at(f, "expected , or }");
    skip_space(f);
    if (f->at < f->size) return fail_at(f, "something follows the map");
    for (int64_t i = 0; i < b->count; i++)
        if (b->entries[i].length == 0)
            return dt_fail(DT_ERR_CORRUPT, "%s: no token has the number %lld of %lld", f->path, (long long)i,
                           (long long)b->count);
    return dt_ok();
}

/* The token written from `at` up to a stop; -1: there is none. Its bytes are put behind text[used + *length]. */
static int32_t take_part(builder *b, uint8_t stop, size_t *length) {
    file_text *f = &b->merges;
    size_t begin = *length;
    while (f->at < f->size && f->bytes[f->at] != stop && f->bytes[f->at] != '\n') {
        uint32_t point = 0;
        int taken = dt_utf8_take(f->bytes + f->at, f->size - f->at, &point), byte = taken > 0 ? byte_of(point) : -1;
        if (byte < 0) return -1;
        f->at += (size_t)taken;
        b->text[b->used + (*length)++] = (uint8_t)byte;
    }
    if (*length == begin) return -1;
    uint64_t slot = find_slot(b, b->text + b->used + begin, *length - begin);
    return b->slots[slot] - 1;
}

static dt_status read_merges(builder *b, dt_vocabulary *v) {
    file_text *f = &b->merges;
    uint8_t *room = realloc(NULL, b->used + f->size + 8);
    if (!room) return dt_fail_memory("a vocabulary", b->used + f->size);
    memcpy(room, b->text, b->used);
    dt_free(b->text);
    b->text = room;
    while (f->at < f->size) {
        size_t length = 0, end = f->at;
        while (end < f->size && f->bytes[end] != '\n') end++;
        if (end == f->at || (f->at == 0 && f->size > 8 && memcmp(f->bytes, "#version", 8) == 0)) {
            f->at = end + 1;
            continue;
        }
        int32_t *m = v->merges + 3 * v->merge_count;
        m[0] = take_part(b, ' ', &length);
        if (m[0] < 0 || f->at >= f->size || f->bytes[f->at] != ' ')
            return fail_at(f, "expected two tokens of the vocabulary with a space between");
        f->at++;
        m[1] = take_part(b, '\r', &length);
        if (f->at < f->size && f->bytes[f->at] == '\r') f->at++;
        if (m[1] < 0 || (f->at < f->size && f->bytes[f->at] != '\n'))
            return fail_at(f, "expected two tokens of the vocabulary with a space between");
        m[2] = b->slots[find_slot(b, b->text + b->used, length)] - 1;
        if (m[2] < 0) return fail_at(f, "what these two tokens make is not in the vocabulary");
        v->merge_count++;
        f->at++;
    }
    return dt_ok();
}

static dt_status build(builder *b, dt_vocabulary *out) {
    DT_TRY(read_json(b));
    int64_t lines = 1, most = 1 + (int64_t)(b->merges.size / LEAST_LINE);
    for (size_t i = 0; i < b->merges.size; i++) lines += b->merges.bytes[i] == '\n';
    DT_TRY(dt_vocabulary_reserve(out, b->count, (int64_t)b->used, lines < most ? lines : most));
    out->kind = DT_TOKENS_BPE;
    out->merge_count = 0;
    for (int64_t i = 0; i < b->count; i++) {
        memcpy(out->bytes + out->offsets[i], b->text + b->entries[i].at, (size_t)b->entries[i].length);
        out->offsets[i + 1] = out->offsets[i] + b->entries[i].length;
    }
    return read_merges(b, out);
}

dt_status dt_vocabulary_gpt2(dt_vocabulary *out, const char *vocab_json, const char *merges_txt) {
    builder b;
    memset(&b, 0, sizeof b);
    memset(out, 0, sizeof *out);
    dt_status status = read_file(&b.json, vocab_json);
    if (status.code == DT_OK) status = read_file(&b.merges, merges_txt);
    if (status.code == DT_OK) status = build(&b, out);
    dt_free(b.json.bytes);
    dt_free(b.merges.bytes);
    dt_free(b.text);
    dt_free(b.entries);
    dt_free(b.slots);
    if (status.code != DT_OK) dt_vocabulary_finish(out);
    return status;
}
