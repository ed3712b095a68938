/* Tokenizers and the import of text: words against Python's regex, byte-pair encoding against the plainest way to train
 * and apply it, every byte there and back, files of every kind of wrong. */
#include <check.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../golden/words.h"
#include "base/escape.h"
#include "base/memory.h"
#include "data/import.h"
#include "data/words.h"
#include "reference.h"
#include "suite.h"

static void assert_fails(dt_status status, const char *says) {
    ck_assert_int_ne(status.code, DT_OK);
    ck_assert_msg(strstr(status.message, says) != NULL, "`%s` is not in: %s", says, status.message);
}

/* Number i of a row of random ones in [0, limit). */
static int number(uint64_t row, uint64_t i, int limit) {
    return (int)((ref_uniform(row, i) + 1) / 2 * limit);
}

/* ---- characters ---- */

START_TEST(every_character_is_written_and_taken_and_nothing_else_is) {
    for (uint32_t point = 0; point < 0x110000; point++) {
        uint8_t bytes[4];
        uint32_t back = 0;
        int length = (int)dt_utf8_put(point, bytes);
        bool surrogate = point >= 0xd800 && point < 0xe000;
        int expected = surrogate ? 0 : length;
        if (dt_utf8_take(bytes, 4, &back) != expected || (!surrogate && back != point)) ck_abort_msg("U+%X", point);
        for (int cut = 1; cut < length && !surrogate; cut++)
            if (dt_utf8_take(bytes, (size_t)cut, &back) != -1) ck_abort_msg("U+%X, %d bytes", point, cut);
    }
    static const char *const wrong[] = {"\x80",
                                        "\xbf",
                                        "\xc0\x80",
                                        "\xc1\xbf",
                                        "\xe0\x9f\xbf",
                                        "\xed\xa0\x80",
                                        "\xf0\x8f\xbf\xbf",
                                        "\xf4\x90\x80\x80",
                                        "\xf5\x80\x80\x80",
                                        "\xff",
                                        "\xc3(",
                                        "\xe2\x82(",
                                        "\xf0\x9f\x98("};
    for (int i = 0; i < COUNT(wrong); i++) {
        uint32_t point;
        ck_assert_int_eq(dt_utf8_take((const uint8_t *)wrong[i], strlen(wrong[i]), &point), 0);
    }
}
END_TEST

/* ---- words ---- */

START_TEST(words_are_those_of_gpt2_s_pattern) {
    const struct golden_words *golden = &golden_words[_i];
    const uint8_t *text = (const uint8_t *)golden->bytes;
    size_t at = 0, size = (size_t)golden->size;
    for (int i = 0; i < golden->count; i++) {
        size_t length = dt_word_length(text + at, size - at, true);
        ck_assert_msg((int)length == golden->lengths[i], "word %d of text %d: %d bytes, not %d", i, _i, (int)length,
                      golden->lengths[i]);
        /* with less of the text the word is the same, or not decided */
        for (size_t seen = 1; at + seen <= size; seen++) {
            size_t early = dt_word_length(text + at, seen, false);
            ck_assert_msg(early == 0 || early == length, "word %d of text %d, %d bytes seen", i, _i, (int)seen);
        }
        at += length;
    }
    ck_assert_int_eq((int)at, golden->size);
}
END_TEST

START_TEST(long_words_end_before_a_character) {
    static uint8_t text[5000];
    for (int spaces = 0; spaces < 2; spaces++) {
        for (int i = 0; i < 5000; i++) text[i] = (uint8_t)((spaces ? "\xc2\xa0" : "\xc3\xa4")[i % 2]);
        ck_assert_int_eq((int)dt_word_length(text, 5000, true), DT_WORD_BYTES);
        ck_assert_int_eq((int)dt_word_length(text, 5000, false), DT_WORD_BYTES);
        text[0] = ' ';
        memmove(text + 1, text + 2, 4998);
        ck_assert_int_eq((int)dt_word_length(text, 4999, true), DT_WORD_BYTES - 1);
    }
}
END_TEST

START_TEST(bytes_that_are_no_characters_are_words_too) {
    ck_assert_int_eq((int)dt_word_length((const uint8_t *)"\xff\xfe"
                                                          "a",
                                         3, true),
                     2);
    ck_assert_int_eq((int)dt_word_length((const uint8_t *)"a\xc3", 2, true), 1);
    ck_assert_int_eq((int)dt_word_length((const uint8_t *)"a\xc3", 2, false), 0);
    ck_assert_int_eq((int)dt_word_length((const uint8_t *)"\xc3", 1, true), 1);
}
END_TEST

/* ---- byte-pair encoding, the plainest way ---- */

typedef struct plain_word {
    int32_t ids[64];
    int length, count;
} plain_word;

typedef struct plain {
    plain_word words[2000];
    int count;
    int32_t merges[3 * 512];
    int merge_count;
} plain;

/* Words one by one, each as often as it comes: no counts are kept. */
static void plain_split(plain *p, const char *text, size_t size) {
    p->count = 0;
    for (size_t at = 0; at < size;) {
        size_t length = dt_word_length((const uint8_t *)text + at, size - at, true);
        ck_assert(length > 0 && length <= 64 && p->count < COUNT(p->words));
        plain_word *w = &p->words[p->count++];
        w->length = (int)length;
        for (size_t i = 0; i < length; i++) w->ids[i] = (uint8_t)text[at + i];
        at += length;
    }
}

static void plain_merge(plain_word *w, int32_t left, int32_t right, int32_t made) {
    for (int i = 0; i + 1 < w->length; i++) {
        if (w->ids[i] != left || w->ids[i + 1] != right) continue;
        w->ids[i] = made;
        for (int j = i + 1; j + 1 < w->length; j++) w->ids[j] = w->ids[j + 1];
        w->length--;
    }
}

static void plain_train(plain *p, int merges) {
    static int counts[256 + 512][256 + 512];
    for (p->merge_count = 0; p->merge_count < merges; p->merge_count++) {
        int tokens = 256 + p->merge_count, left = 0, right = 0;
        memset(counts, 0, sizeof counts);
        for (int i = 0; i < p->count; i++)
            for (int j = 0; j + 1 < p->words[i].length; j++) counts[p->words[i].ids[j]][p->words[i].ids[j + 1]]++;
        for (int a = 0; a < tokens; a++)
            for (int b = 0; b < tokens; b++)
                if (counts[a][b] > counts[left][right]) left = a, right = b;
        if (counts[left][right] < 2) return;
        int32_t *m = p->merges + 3 * p->merge_count;
        m[0] = left, m[1] = right, m[2] = tokens;
        for (int i = 0; i < p->count; i++) plain_merge(&p->words[i], left, right, tokens);
    }
}

/* Text of few letters, so that pairs come often and as often as each other. */
static size_t some_text(char *out, size_t size, uint64_t seed) {
    static const char letters[] = "aaabbc  ee\n'dt.";
    for (size_t i = 0; i < size; i++) out[i] = letters[number(seed, i, COUNT(letters) - 1)];
    return size;
}

static void train(dt_vocabulary *v, const char *text, size_t bytes, size_t piece, int64_t size) {
    dt_bpe_trainer *trainer;
    assert_ok(dt_bpe_open(&trainer));
    size_t used = 0, begin = 0, end = piece < bytes ? piece : bytes;
    while (begin < bytes) {
        assert_ok(dt_bpe_count(trainer, (const uint8_t *)text + begin, end - begin, end == bytes, &used));
        begin += used;
        end = end + piece < bytes ? end + piece : bytes;
    }
    assert_ok(dt_bpe_train(trainer, size, v));
    dt_bpe_close(trainer);
}

START_TEST(merges_are_those_of_the_plainest_trainer) {
    static char text[1500];
    static plain p;
    size_t size = some_text(text, 200 + 300 * (size_t)(_i % 5), (uint64_t)_i);
    int merges = _i % 2 ? 300 : 40;
    plain_split(&p, text, size);
    plain_train(&p, merges);
    dt_vocabulary v;
    train(&v, text, size, _i % 3 ? 7 : size, 256 + merges);
    ck_assert_int_eq(v.merge_count, p.merge_count);
    ck_assert_int_eq(v.size, 256 + p.merge_count);
    for (int i = 0; i < 3 * p.merge_count; i++) ck_assert_int_eq(v.merges[i], p.merges[i]);
    /* what training left of the words is how the tokenizer encodes the text */
    dt_tokenizer *t;
    int32_t *ids;
    int64_t count, at = 0;
    assert_ok(dt_tokenizer_create(&t, &v));
    assert_ok(dt_tokenizer_encode(t, text, size, &ids, &count));
    for (int i = 0; i < p.count; i++)
        for (int j = 0; j < p.words[i].length; j++, at++) ck_assert(at < count && ids[at] == p.words[i].ids[j]);
    ck_assert_int_eq(at, count);
    dt_free(ids);
    dt_tokenizer_close(t);
}
END_TEST

#ifdef __SANITIZE_ADDRESS__ /* which puts something around every allocation */
#    define MOST_MEGABYTES 900
#else
#    define MOST_MEGABYTES 450
#endif

/* More different words, or bytes of them, than are kept: what is frequent stays, and memory is bounded. */
START_TEST(words_seen_least_are_forgotten) {
    dt_bpe_trainer *trainer;
    dt_vocabulary v;
    uint8_t text[1200];
    size_t used, length = _i ? 1000 : 4, before = dt_memory_peak();
    uint64_t words = _i ? 3 * DT_BPE_BYTES / 1000 : 2 * DT_BPE_WORDS + 100;
    assert_ok(dt_bpe_open(&trainer));
    for (uint64_t i = 0; i < words; i++) {
        for (size_t j = 0; j < length; j++)
            text[j] = (uint8_t)("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN"[i * (j + 1) >> 3 & 31]);
        for (size_t j = 0, rest = i; j < 4; j++, rest /= 50) text[j] = (uint8_t)(0x80 + rest % 50);
        for (size_t j = 0; j < 3; j++) text[length + j] = (uint8_t) " qz"[j];
        assert_ok(dt_bpe_count(trainer, text, length + 3, true, &used));
    }
    ck_assert_int_lt((int)((dt_memory_peak() - before) >> 20), MOST_MEGABYTES);
    assert_ok(dt_bpe_train(trainer, 258, &v));
    ck_assert_int_eq(v.merge_count, 2);
    ck_assert(_i == 1 || (v.merges[0] == ' ' && v.merges[1] == 'q' && v.merges[3] == 256 && v.merges[4] == 'z'));
    dt_vocabulary_finish(&v);
    dt_bpe_close(trainer);
}
END_TEST

/* ---- there and back ---- */

static dt_tokenizer *tokenizer_of(dt_token_kind kind) {
    static char text[4000];
    dt_vocabulary v;
    dt_tokenizer *t;
    if (kind == DT_TOKENS_BYTE)
        assert_ok(dt_vocabulary_bytes(&v));
    else
        train(&v, text, some_text(text, sizeof text, 77), sizeof text, 700);
    assert_ok(dt_tokenizer_create(&t, &v));
    return t;
}

static void assert_round_trip(dt_tokenizer *t, const char *text, size_t size) {
    int32_t *ids;
    int64_t count;
    size_t at = 0, length;
    assert_ok(dt_tokenizer_encode(t, text, size, &ids, &count));
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *bytes = dt_tokenizer_token(t, ids[i], &length);
        if (!bytes || at + length > size || memcmp(text + at, bytes, length) != 0) ck_abort_msg("token %d", (int)i);
        at += length;
    }
    ck_assert_int_eq((int)at, (int)size);
    dt_free(ids);
}

START_TEST(every_string_of_bytes_comes_back) {
    dt_tokenizer *t = tokenizer_of(_i ? DT_TOKENS_BPE : DT_TOKENS_BYTE);
    char text[3000];
    for (int a = 0; a < 256; a++) {
        text[0] = (char)a;
        assert_round_trip(t, text, 1);
        for (int b = 0; b < 256; b += 3) {
            text[1] = (char)b;
            assert_round_trip(t, text, 2);
        }
    }
    for (uint64_t seed = 0; seed < 300; seed++) {
        size_t size = (size_t)number(9, seed, 3000);
        for (size_t i = 0; i < size; i++)
            text[i] = (char)(seed % 2 ? number(seed, i, 256) : "ab \xc3\xa4'c"[number(seed, i, 7)]);
        assert_round_trip(t, text, size);
    }
    size_t length;
    int64_t size = dt_tokenizer_vocabulary(t)->size;
    ck_assert(!dt_tokenizer_token(t, -1, &length) && !dt_tokenizer_token(t, size, &length) && length == 0);
    dt_tokenizer_close(t);
}
END_TEST

START_TEST(pieces_give_the_tokens_of_the_whole) {
    dt_tokenizer *t = tokenizer_of(_i ? DT_TOKENS_BPE : DT_TOKENS_BYTE);
    char text[2000];
    int32_t *whole, ids[2000];
    int64_t count, part, done;
    size_t used;
    some_text(text, sizeof text, 3);
    assert_ok(dt_tokenizer_encode(t, text, sizeof text, &whole, &count));
    for (size_t piece = 1; piece < 60; piece += 4) {
        done = 0;
        for (size_t begin = 0, end = piece; begin < sizeof text;
             begin += used, end = end + piece < sizeof text ? end + piece : sizeof text) {
            assert_ok(
                dt_tokenizer_piece(t, (uint8_t *)text + begin, end - begin, end == sizeof text, ids, &part, &used));
            ck_assert(done + part <= count && memcmp(ids, whole + done, (size_t)part * sizeof *ids) == 0);
            done += part;
        }
        ck_assert_int_eq(done, count);
    }
    dt_free(whole);
    dt_tokenizer_close(t);
}
END_TEST

START_TEST(characters_are_numbered_by_code_points_and_strangers_named) {
    static const uint32_t points[] = {'\n', 'a', 'b', 0xe4, 0x20ac, 0x1f600};
    dt_vocabulary v;
    dt_tokenizer *t;
    int32_t *ids;
    int64_t count;
    assert_ok(dt_vocabulary_chars(&v, points, COUNT(points)));
    assert_ok(dt_tokenizer_create(&t, &v));
    static const char text[] = "\xf0\x9f\x98\x80"
                               "b\xe2\x82\xac\xc3\xa4\n";
    static const int32_t expected[] = {5, 2, 4, 3, 0};
    assert_ok(dt_tokenizer_encode(t, text, strlen(text), &ids, &count));
    ck_assert(count == 5 && memcmp(ids, expected, sizeof expected) == 0);
    dt_free(ids);
    assert_round_trip(t, text, strlen(text));
    assert_fails(dt_tokenizer_encode(t, "ab\xc3\xa5", 4, &ids, &count),
                 "U+00E5 at offset 2 is not in the vocabulary of 6");
    ck_assert_ptr_null(ids);
    assert_fails(dt_tokenizer_encode(t, "ab\xc3", 3, &ids, &count), "the byte 0xc3 at offset 2 does not belong");
    assert_fails(dt_tokenizer_encode(t, "\xff", 1, &ids, &count), "the byte 0xff at offset 0");
    dt_tokenizer_close(t);
}
END_TEST

/* ---- files ---- */

static char directory[64];

static void enter_directory(void) {
    snprintf(directory, sizeof directory, "/tmp/dtrain-test-XXXXXX");
    ck_assert(mkdtemp(directory) != NULL && chdir(directory) == 0);
}

static void leave_directory(void) {
    DIR *listing = opendir(".");
    ck_assert_ptr_nonnull(listing);
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;)
        if (entry->d_name[0] != '.') remove(entry->d_name);
    closedir(listing);
    ck_assert(chdir("/") == 0 && rmdir(directory) == 0);
}

static void put(const char *name, const char *bytes, size_t size) {
    FILE *file = fopen(name, "wb");
    ck_assert(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

/* GPT-2's way to write a byte: what can be printed as itself, the rest from U+0100 on; in JSON what must be escaped, or
 * all that can be. */
enum { PLAIN, JSON, ESCAPED };
static void put_byte(char *out, size_t *used, int byte, int how) {
    int next = 0x100, point = byte;
    for (int b = 0; b <= byte; b++) {
        bool printable = (b >= '!' && b <= '~') || (b >= 0xa1 && b != 0xad);
        if (b == byte && !printable) point = next;
        next += !printable;
    }
    bool special = point == '"' || point == '\\';
    if (how == JSON && special) out[(*used)++] = '\\';
    if (how == ESCAPED && (point >= 0x80 || special))
        *used += (size_t)sprintf(out + *used, "\\u%04x", (unsigned)point);
    else
        *used += dt_utf8_put((uint32_t)point, (uint8_t *)out + *used);
}

/* The vocabulary as GPT-2's files, the tokens' numbers turned around. */
static void put_gpt2(const dt_vocabulary *v, int how) {
    size_t room = 64 * (size_t)v->size + 64 * (size_t)v->offsets[v->size], used = 0;
    char *text = dt_alloc(room, 1);
    for (int64_t i = 0; i < v->size; i++) {
        used += (size_t)sprintf(text + used, "%s\"", i ? ", " : "{");
        for (int64_t at = v->offsets[i]; at < v->offsets[i + 1]; at++) put_byte(text, &used, v->bytes[at], how);
        used += (size_t)sprintf(text + used, "\": %d", (int)(v->size - 1 - i));
    }
    used += (size_t)sprintf(text + used, "}\n");
    put("vocab.json", text, used);
    used = (size_t)sprintf(text, "#version: 0.2\n");
    for (int64_t i = 0; i < v->merge_count; i++)
        for (int side = 0; side < 2; side++) {
            int32_t part = v->merges[3 * i + side];
            for (int64_t at = v->offsets[part]; at < v->offsets[part + 1]; at++)
                put_byte(text, &used, v->bytes[at], PLAIN);
            text[used++] = side ? '\n' : ' ';
        }
    put("merges.txt", text, used);
    dt_free(text);
}

START_TEST(gpt2_s_files_give_the_vocabulary_they_were_written_from) {
    static char text[1000];
    dt_vocabulary v, back;
    train(&v, text, some_text(text, sizeof text, 4), sizeof text, 350);
    /* two ways to one text would be one name for two tokens, which the format cannot say */
    put_gpt2(&v, _i ? ESCAPED : JSON);
    assert_ok(dt_vocabulary_gpt2(&back, "vocab.json", "merges.txt"));
    ck_assert(back.size == v.size && back.merge_count == v.merge_count && back.kind == DT_TOKENS_BPE);
    for (int64_t i = 0; i < v.size; i++) {
        int64_t j = v.size - 1 - i, length = v.offsets[i + 1] - v.offsets[i];
        ck_assert_int_eq(back.offsets[j + 1] - back.offsets[j], length);
        ck_assert(memcmp(v.bytes + v.offsets[i], back.bytes + back.offsets[j], (size_t)length) == 0);
    }
    for (int64_t i = 0; i < 3 * v.merge_count; i++) ck_assert_int_eq(back.merges[i], v.size - 1 - v.merges[i]);
    dt_vocabulary_finish(&v);
    dt_vocabulary_finish(&back);
}
END_TEST

/* A child's largest resident memory, in MB, while it reads two files that are refused. */
static long memory_for(const char *json, const char *merges) {
    struct rusage usage;
    int code;
    pid_t child = fork();
    if (child == 0) {
        dt_vocabulary v;
        _exit(dt_vocabulary_gpt2(&v, json, merges).code == DT_ERR_CORRUPT ? 0 : 1);
    }
    ck_assert_int_eq(wait4(child, &code, 0, &usage), child);
    ck_assert(WIFEXITED(code) && WEXITSTATUS(code) == 0);
    return usage.ru_maxrss >> 10;
}

/* MB; the address sanitizer keeps what was freed, 256 MB of it and more. */
#ifdef __SANITIZE_ADDRESS__
#    define MOST_FOR_FILE 1300
#else
#    define MOST_FOR_FILE 800
#endif

START_TEST(memory_for_gpt2_s_files_follows_from_what_they_can_hold) {
    const size_t size = (size_t)48 << 20;
    char *text = malloc(size);
    dt_vocabulary v;
    ck_assert_ptr_nonnull(text);
    memset(text, ':', size);
    snprintf(text, size, "{\"a\":0,");
    text[7] = ':';
    put("vocab.json", text, size);
    put("merges.txt", "", 0);
    long json = memory_for("vocab.json", "merges.txt");
    ck_assert_msg(json < MOST_FOR_FILE, "%ld MB for colons", json); /* 1.4 GB when each was a token's position */
    memset(text, '\n', size);
    snprintf(text + size - 4, 4, "a b");
    text[size - 1] = '\n';
    put("vocab.json", "{\"a\":0}", 7);
    put("merges.txt", text, size);
    long merges = memory_for("vocab.json", "merges.txt");
    ck_assert_msg(merges < MOST_FOR_FILE - 300, "%ld MB for empty lines", merges);
    free(text);
    ck_assert_int_eq(truncate("vocab.json", ((off_t)64 << 20) + 1), 0);
    assert_fails(dt_vocabulary_gpt2(&v, "vocab.json", "merges.txt"), "vocab.json: has 64 MiB");
}
END_TEST

START_TEST(gpt2_s_files_may_begin_with_a_byte_order_mark) {
    static const char json[] = "\xef\xbb\xbf{\"a\": 0, \"b\": 1, \"ab\": 2}",
                      merges[] = "\xef\xbb\xbf#version: 0.2\r\na b\r\n";
    dt_vocabulary v;
    put("vocab.json", json, sizeof json - 1);
    put("merges.txt", merges, sizeof merges - 1);
    assert_ok(dt_vocabulary_gpt2(&v, "vocab.json", "merges.txt"));
    ck_assert(v.size == 3 && v.merge_count == 1 && v.merges[2] == 2);
    dt_vocabulary_finish(&v);
}
END_TEST

START_TEST(gpt2_s_files_that_are_wrong_are_refused_at_their_line) {
    static const struct {
        const char *json, *merges, *says;
    } rows[] = {
        {"", "", "vocab.json:1: byte 0: expected {"},
        {"[\"a\"]", "", "expected {"},
        {"{\"a\" 0}", "", "vocab.json:1: byte 5: expected a colon"},
        {"{\n\"a\": x}", "", "vocab.json:2: byte 7: expected a token's number"},
        {"{\"a\": 0, \"a\": 1}", "", "this token is there twice"},
        {"{\"a\": 0, \"b\": 0}", "", "another token has this number"},
        {"{\"a\": 0, \"b\": 2}", "", "no token has the number 1 of 2"},
        {"{\"a\": 0, \"b\": 99999999999999999999}", "", "this number is too large"},
        {"{\"\": 0}", "", "a token is empty"},
        {"{\"a\\q\": 0}", "", "this escape is none of JSON's"},
        {"{\"\\ud800\": 0}", "", "this escape is none of JSON's"},
        {"{\"\\ud83d\\u0041\": 0}", "", "this escape is none of JSON's"},
        {"{\"\\", "", "this escape is none of JSON's"},
        {"{\"a", "", "the file ends inside a token"},
        {"{\"\xff\": 0}", "", "this is no UTF-8"},
        {"{\"a\": 0,}", "", "expected a token in quotes"},
        {"{\"a\": 0", "", "expected , or }"},
        {"{\"a\": 0} 1", "", "something follows the map"},
        {"{\"a\": 0, \"b\": 1}", "#version\na b\n", "merges.txt:2: byte 12: what these two tokens make is not in the"},
        {"{\"a\": 0, \"aa\": 1}", "a a\n\na x\n", "merges.txt:3: byte 8: expected two tokens of the vocabulary"},
        {"{\"a\": 0, \"aa\": 1}", "aa", "merges.txt:1: byte 2: expected two tokens"},
        {"{\"a\": 0, \"aa\": 1}", "a a a", "merges.txt:1: byte 3: expected two tokens"},
    };
    dt_vocabulary v;
    for (int i = 0; i < COUNT(rows); i++) {
        put("vocab.json", rows[i].json, strlen(rows[i].json));
        put("merges.txt", rows[i].merges, strlen(rows[i].merges));
        assert_fails(dt_vocabulary_gpt2(&v, "vocab.json", "merges.txt"), rows[i].says);
        ck_assert(v.bytes == NULL && v.size == 0);
    }
    assert_fails(dt_vocabulary_gpt2(&v, "nowhere.json", "merges.txt"), "nowhere.json: cannot open");
    put("vocab.json", "{\"\\u0061\": 0, \"\\ud83d\\ude00\": 1, \"<|end|>\": 2}", 47);
    put("merges.txt", "", 0);
    assert_ok(dt_vocabulary_gpt2(&v, "vocab.json", "merges.txt"));
    ck_assert(v.size == 3 && v.offsets[1] == 1 && v.offsets[2] == 5 && memcmp(v.bytes, "a\xf0\x9f\x98\x80<", 6) == 0);
    dt_tokenizer *t;
    assert_fails(dt_tokenizer_create(&t, &v), "no token for the byte 0x00 alone");
}
END_TEST

/* ---- importing ---- */

/* Options as they are given; NULL: not given. */
typedef struct options {
    const char *tokens, *vocab, *split, *newlines, *vocab_json, *merges;
} options;

static dt_status import_files(options given, const char *first, const char *second) {
    const char *files[] = {first, second};
    dt_option all[] = {{"tokens", given.tokens},     {"vocab", given.vocab},           {"split", given.split},
                       {"newlines", given.newlines}, {"vocab-json", given.vocab_json}, {"merges", given.merges}};
    int count = 0;
    for (int i = 0; i < COUNT(all); i++)
        if (all[i].value) all[count++] = all[i];
    return dt_import_run(dt_importer_find("text"), &(dt_import){.source_count = second ? 2 : 1,
                                                                .sources = files,
                                                                .destination = "dest.h5",
                                                                .options = all,
                                                                .option_count = count});
}

/* All tokens of a dataset, and how they are stored. */
static int64_t tokens_of(const char *dataset, int32_t *out, dt_dtype *dtype, int64_t *chars) {
    dt_h5 *file;
    dt_h5_info info;
    assert_ok(dt_h5_open(&file, "dest.h5"));
    assert_ok(dt_h5_describe(file, dataset, &info));
    ck_assert(info.contiguous && info.shape.rank == 1);
    assert_ok(dt_h5_read_rows(file, dataset, DT_I32, 0, info.shape.dim[0], out));
    assert_ok(dt_h5_get_int(file, dataset, "chars", chars));
    assert_ok(dt_h5_close(&file));
    *dtype = info.dtype;
    return info.shape.dim[0];
}

/* The dataset's tokens are `text`[from … to) and `type`. */
static void assert_tokens(const char *dataset, const char *text, int64_t from, int64_t to, dt_dtype type) {
    static int32_t ids[4 << 20];
    dt_tokenizer *t;
    dt_dtype dtype;
    int64_t chars, expected = 0, at = from, count = tokens_of(dataset, ids, &dtype, &chars);
    assert_ok(dt_tokenizer_open(&t, "dest.h5"));
    ck_assert_int_eq(dtype, type);
    for (int64_t i = 0; i < count; i++) {
        size_t length;
        const uint8_t *bytes = dt_tokenizer_token(t, ids[i], &length);
        if (!bytes || at + (int64_t)length > to || memcmp(text + at, bytes, length) != 0)
            ck_abort_msg("token %d of %s", (int)i, dataset);
        at += (int64_t)length;
    }
    ck_assert_int_eq(at, to);
    for (int64_t i = from; i < to; i++) expected += ((uint8_t)text[i] & 0xc0) != 0x80;
    ck_assert_int_eq(chars, expected);
    dt_tokenizer_close(t);
}

/* Larger than the importer's block, with characters across its ends and across the split. */
enum { LARGE = 3 << 20 };
static char large[LARGE];

static void fill_large(void) {
    static const char *const parts[] = {"a",     "be", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", " ",
                                        " it's", "\n", "12"};
    size_t used = 0;
    for (uint64_t i = 0; used + 8 < LARGE; i++) {
        const char *p = parts[number(1, i, COUNT(parts))];
        used += (size_t)sprintf(large + used, "%s", p);
    }
    memset(large + used, 'x', LARGE - used);
}

START_TEST(a_text_of_two_files_is_one) {
    static const struct {
        options given;
        dt_dtype type;
    } kinds[] = {{{.tokens = "char"}, DT_U8},
                 {{.tokens = "byte", .split = "0.7"}, DT_U8},
                 {{.tokens = "bpe", .vocab = "300"}, DT_U16},
                 {{.tokens = "bpe", .vocab = "256", .split = "0.01"}, DT_U8}};
    fill_large();
    int64_t cut = LARGE * 9 / 10;
    if (kinds[_i].given.split) cut = (int64_t)(atof(kinds[_i].given.split) * LARGE);
    while (((uint8_t)large[cut] & 0xc0) == 0x80) cut--;
    put("one", large, 1234567);
    put("two", large + 1234567, LARGE - 1234567);
    assert_ok(import_files(kinds[_i].given, "one", "two"));
    assert_tokens("/train/tokens", large, 0, cut, kinds[_i].type);
    assert_tokens("/test/tokens", large, cut, LARGE, kinds[_i].type);
}
END_TEST

/* Every third end of a line is CR LF, every third a CR: as one of LF alone, wherever it is cut. */
START_TEST(ends_of_lines_are_lf_where_that_is_asked_for) {
    static char other[2 * LARGE];
    size_t used = 0;
    int64_t lines = 0;
    fill_large();
    for (size_t i = 0; i < LARGE; i++) {
        bool end = large[i] == '\n';
        if (end && lines % 3 == 0) other[used++] = '\r';
        other[used++] = end && lines % 3 == 1 && large[i + 1] != '\n' ? '\r' : large[i];
        lines += end;
    }
    put("one", other, used);
    for (int kind = 0; kind < 3; kind++) {
        options given = {.tokens = dt_token_kinds[kind], .vocab = kind == 2 ? "300" : NULL, .split = "1"};
        given.newlines = "lf";
        assert_ok(import_files(given, "one", NULL));
        assert_tokens("/train/tokens", large, 0, LARGE, kind == 2 ? DT_U16 : DT_U8);
    }
    assert_ok(import_files((options){.tokens = "byte", .split = "1"}, "one", NULL)); /* kept */
    if (used < LARGE) ck_abort_msg("the text has become shorter");
    static int32_t ids[2 * LARGE];
    dt_dtype dtype;
    int64_t chars, count = tokens_of("/train/tokens", ids, &dtype, &chars);
    ck_assert_int_eq(count, (int64_t)used);
    for (int64_t i = 0; i < count; i++)
        if (ids[i] != (uint8_t)other[i]) ck_abort_msg("byte %d was not kept", (int)i);
    assert_fails(import_files((options){.tokens = "char", .newlines = "crlf"}, "one", NULL), "must be keep or lf");
}
END_TEST

START_TEST(no_end_of_a_line_is_cut_in_two) {
    static const char *const splits[] = {"0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9"};
    put("one", "ab\r\ncd\r\n\r\nf\r", 12);
    for (int i = 0; i < COUNT(splits); i++) {
        int32_t ids[16];
        dt_dtype dtype;
        int64_t chars, train, test;
        assert_ok(import_files((options){.tokens = "byte", .newlines = "lf", .split = splits[i]}, "one", NULL));
        train = tokens_of("/train/tokens", ids, &dtype, &chars);
        test = tokens_of("/test/tokens", ids + train, &dtype, &chars);
        ck_assert_int_eq(train + test, 9);
        for (int j = 0; j < 9; j++) ck_assert_int_eq(ids[j], "ab\ncd\n\nf\n"[j]);
    }
}
END_TEST

START_TEST(a_byte_order_mark_is_no_text) {
    for (int kind = 0; kind < 3; kind++) {
        options given = {.tokens = dt_token_kinds[kind], .vocab = kind == 2 ? "256" : NULL, .split = "1"};
        put("one", "\xef\xbb\xbfone\n", 7);
        put("two", "\xef\xbb\xbftwo", 6);
        assert_ok(import_files(given, "one", "two"));
        assert_tokens("/train/tokens", "one\ntwo", 0, 7, DT_U8);
        put("two", "\xff\xfet\0w\0o\0", 8);
        if (kind != DT_TOKENS_BYTE)
            assert_fails(import_files(given, "one", "two"), "two: begins with the byte-order mark of UTF-16");
    }
    put("one", "\xef\xbb\xbf", 3);
    assert_fails(import_files((options){.tokens = "char"}, "one", NULL), "one: the text is empty");
}
END_TEST

/* Where it is in the file, whatever was left out or folded before it, and what it may be. */
START_TEST(a_byte_that_is_no_utf8_is_found_in_its_file) {
    static const char *const says[] = {"two: the byte 0xe9 at offset 11 (line 3) ", "in Latin-1 it is \xc3\xa9: iconv",
                                       "--tokens byte or bpe take any bytes"};
    for (int folds = 0; folds < 2; folds++) {
        put("one",
            "\xef\xbb\xbf"
            "a\r\nb\n",
            8);
        put("two",
            "\xef\xbb\xbf"
            "a\r\nb\rcaf\xe9\n",
            13);
        options given = {.tokens = "char", .split = "1", .newlines = folds ? "lf" : NULL};
        for (int i = 0; i < COUNT(says); i++) assert_fails(import_files(given, "one", "two"), says[i]);
    }
    put("one", "it\x92s\n", 6);
    assert_fails(import_files((options){.tokens = "char"}, "one", NULL), "one: the byte 0x92 at offset 2 (line 1)");
    assert_fails(import_files((options){.tokens = "char"}, "one", NULL), "WINDOWS-1252");
}
END_TEST

START_TEST(types_are_the_smallest_and_one_part_may_be_all) {
    size_t used = 0;
    for (uint32_t point = 0x4e00; point < 0x4e00 + 300; point++) used += dt_utf8_put(point, (uint8_t *)large + used);
    put("one", large, used);
    assert_ok(import_files((options){.tokens = "char", .split = "1"}, "one", NULL));
    assert_tokens("/train/tokens", large, 0, (int64_t)used, DT_U16);
    dt_h5 *file;
    assert_ok(dt_h5_open(&file, "dest.h5"));
    ck_assert(!dt_h5_has(file, "/test/tokens"));
    assert_ok(dt_h5_close(&file));
    used = 0;
    for (uint32_t point = 0x20000; point < 0x20000 + 66000; point++)
        used += dt_utf8_put(point, (uint8_t *)large + used);
    put("one", large, used);
    assert_ok(import_files((options){.tokens = "char", .split = "1"}, "one", NULL));
    assert_tokens("/train/tokens", large, 0, (int64_t)used, DT_I32);
}
END_TEST

START_TEST(an_import_twice_is_the_same_and_a_vocabulary_may_come_from_files) {
    static int32_t first[LARGE], second[LARGE];
    dt_dtype dtype;
    int64_t chars;
    put("one", large, some_text(large, 50000, 8));
    options given = {.tokens = "bpe", .vocab = "400"};
    assert_ok(import_files(given, "one", NULL));
    int64_t count = tokens_of("/train/tokens", first, &dtype, &chars);
    assert_ok(import_files(given, "one", NULL));
    ck_assert_int_eq(tokens_of("/train/tokens", second, &dtype, &chars), count);
    ck_assert(memcmp(first, second, (size_t)count * sizeof *first) == 0);
    dt_vocabulary v;
    assert_ok(dt_vocabulary_read(&v, "dest.h5"));
    put_gpt2(&v, ESCAPED);
    given = (options){.tokens = "bpe", .vocab_json = "vocab.json", .merges = "merges.txt"};
    assert_ok(import_files(given, "one", NULL));
    ck_assert_int_eq(tokens_of("/train/tokens", second, &dtype, &chars), count);
    for (int64_t i = 0; i < count; i++) ck_assert_int_eq(second[i], v.size - 1 - first[i]);
    dt_vocabulary_finish(&v);
}
END_TEST

START_TEST(what_cannot_be_imported_is_named_and_the_destination_stays) {
    static const struct {
        options given;
        const char *first, *second, *says;
    } rows[] = {
        {{0}, "text", NULL, "--tokens is missing; it must be char, byte or bpe"},
        {{.tokens = "word"}, "text", NULL, "--tokens is \"word\"; it must be char, byte or bpe"},
        {{.tokens = "char", .vocab = "300"}, "text", NULL, "are for --tokens bpe, not char"},
        {{.tokens = "bpe", .merges = "m"}, "text", NULL, "go together"},
        {{.tokens = "bpe", .merges = "m", .vocab_json = "v", .vocab = "300"}, "text", NULL, "--vocab 300 is for"},
        {{.tokens = "bpe", .vocab = "255"},
         "text",
         NULL,
         "--vocab is 255; it must be at least 256 and at most 16777215"},
        {{.tokens = "bpe", .vocab = "300x"}, "text", NULL, "--vocab is \"300x\""},
        {{.tokens = "char", .split = "0"}, "text", NULL, "--split is 0; it must be greater than 0 and at most 1"},
        {{.tokens = "char", .split = "1.1"}, "text", NULL, "--split is 1.1; it must be"},
        {{.tokens = "char", .split = "nan"}, "text", NULL, "--split is \"nan\"; it must be a number"},
        {{.tokens = "char", .split = "0.01"}, "text", NULL, "has an empty part"},
        {{.tokens = "char"}, "empty", NULL, "empty: the text is empty"},
        {{.tokens = "char"}, "nowhere", NULL, "nowhere: cannot open"},
        {{.tokens = "char"}, ".", NULL, ".: is a directory"},
        {{.tokens = "char"}, "text", "dest.h5", "is both a source and the destination"},
        {{.tokens = "char"}, "text", "latin", "latin: the byte 0xe4 at offset 3 (line 2) does not belong"},
        {{.tokens = "char"}, "text", "cut", "cut: the byte 0xe2 at offset 1 (line 1) does not belong"},
        {{.tokens = "bpe", .vocab_json = "text", .merges = "text"}, "text", NULL, "text:1: byte 0: expected {"},
    };
    put("text", "some text\n", 10);
    put("latin", "gr\n\xe4uel", 7);
    put("cut", "a\xe2\x82", 3);
    put("empty", "", 0);
    put("dest.h5", "before", 6);
    for (int i = 0; i < COUNT(rows); i++) {
        assert_fails(import_files(rows[i].given, rows[i].first, rows[i].second), rows[i].says);
        char there[8] = "";
        FILE *file = fopen("dest.h5", "rb");
        ck_assert(file && fread(there, 1, 7, file) == 6 && strcmp(there, "before") == 0);
        fclose(file);
    }
    DIR *listing = opendir(".");
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;) ck_assert(!strstr(entry->d_name, ".tmp"));
    closedir(listing);
}
END_TEST

/* A vocabulary is read as if anybody had written it. */
START_TEST(a_vocabulary_that_does_not_fit_together_is_refused) {
    static const struct {
        int32_t kind, merges[3];
        int64_t offsets[4];
        const char *says;
    } rows[] = {
        {3, {0, 1, 2}, {0, 1, 2, 4}, "the vocabulary's kind is 3"},
        {2, {0, 1, 3}, {0, 1, 2, 4}, "merge 0 is of a token that is not there"},
        {2, {-1, 1, 2}, {0, 1, 2, 4}, "merge 0 is of a token that is not there"},
        {1, {0, 1, 2}, {0, 2, 1, 4}, "token 1 has no bytes"},
        {1, {0, 1, 2}, {0, 1, 1, 4}, "token 1 has no bytes"},
        {1, {0, 1, 2}, {0, 1, 9, 4}, "token 1 has no bytes"},
        {1, {0, 1, 2}, {1, 2, 3, 4}, "offsets do not fit its bytes"},
        {1, {0, 1, 2}, {0, 1, 2, 5}, "offsets do not fit its bytes"},
    };
    for (int i = 0; i < COUNT(rows); i++) {
        dt_h5 *file;
        dt_vocabulary v = {.kind = rows[i].kind, .size = 3, .merge_count = 1};
        assert_ok(dt_h5_create(&file, "v.h5"));
        assert_ok(dt_h5_create_dataset(file, "/vocab/kind", DT_I32, &(dt_shape){1, {1}}, 0));
        assert_ok(dt_h5_create_dataset(file, "/vocab/bytes", DT_U8, &(dt_shape){1, {4}}, 0));
        assert_ok(dt_h5_create_dataset(file, "/vocab/offsets", DT_I64, &(dt_shape){1, {4}}, 0));
        assert_ok(dt_h5_create_dataset(file, "/vocab/merges", DT_I32, &(dt_shape){1, {3}}, 0));
        assert_ok(dt_h5_write_rows(file, "/vocab/kind", DT_I32, 0, 1, &rows[i].kind));
        assert_ok(dt_h5_write_rows(file, "/vocab/bytes", DT_U8, 0, 4, "abab"));
        assert_ok(dt_h5_write_rows(file, "/vocab/offsets", DT_I64, 0, 4, rows[i].offsets));
        assert_ok(dt_h5_write_rows(file, "/vocab/merges", DT_I32, 0, 3, rows[i].merges));
        assert_ok(dt_h5_close(&file));
        assert_fails(dt_vocabulary_read(&v, "v.h5"), rows[i].says);
    }
    dt_tokenizer *t;
    dt_h5 *file;
    assert_ok(dt_h5_create(&file, "v.h5"));
    assert_ok(dt_h5_close(&file));
    assert_fails(dt_tokenizer_open(&t, "v.h5"), "v.h5: there is no vocabulary in it");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("text");
    TCase *words = tcase_create("words"), *files = tcase_create("files");
    tcase_set_timeout(words, 60);
    tcase_set_timeout(files, 60);
    tcase_add_test(words, every_character_is_written_and_taken_and_nothing_else_is);
    tcase_add_loop_test(words, words_are_those_of_gpt2_s_pattern, 0, COUNT(golden_words));
    tcase_add_test(words, long_words_end_before_a_character);
    tcase_add_test(words, bytes_that_are_no_characters_are_words_too);
    tcase_add_loop_test(words, merges_are_those_of_the_plainest_trainer, 0, 12);
    tcase_add_loop_test(words, words_seen_least_are_forgotten, 0, 2);
    tcase_add_loop_test(words, every_string_of_bytes_comes_back, 0, 2);
    tcase_add_loop_test(words, pieces_give_the_tokens_of_the_whole, 0, 2);
    tcase_add_test(words, characters_are_numbered_by_code_points_and_strangers_named);
    tcase_add_checked_fixture(files, enter_directory, leave_directory);
    tcase_add_loop_test(files, gpt2_s_files_give_the_vocabulary_they_were_written_from, 0, 2);
    tcase_add_test(files, memory_for_gpt2_s_files_follows_from_what_they_can_hold);
    tcase_add_test(files, gpt2_s_files_may_begin_with_a_byte_order_mark);
    tcase_add_test(files, gpt2_s_files_that_are_wrong_are_refused_at_their_line);
    tcase_add_loop_test(files, a_text_of_two_files_is_one, 0, 4);
    tcase_add_test(files, ends_of_lines_are_lf_where_that_is_asked_for);
    tcase_add_test(files, no_end_of_a_line_is_cut_in_two);
    tcase_add_test(files, a_byte_order_mark_is_no_text);
    tcase_add_test(files, a_byte_that_is_no_utf8_is_found_in_its_file);
    tcase_add_test(files, types_are_the_smallest_and_one_part_may_be_all);
    tcase_add_test(files, an_import_twice_is_the_same_and_a_vocabulary_may_come_from_files);
    tcase_add_test(files, what_cannot_be_imported_is_named_and_the_destination_stays);
    tcase_add_test(files, a_vocabulary_that_does_not_fit_together_is_refused);
    suite_add_tcase(suite, words);
    suite_add_tcase(suite, files);
    return run_suite(suite);
}
