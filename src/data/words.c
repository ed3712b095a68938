/* Characters of UTF-8, and the words in which byte-pair encoding works. A word is decided from its beginning and the
 * characters up to the one behind it, so text of any size can be cut piece by piece, with the same result. */
#include "words.h"
#include "base/escape.h"
#include "unicode.h"

size_t dt_utf8_put(uint32_t point, uint8_t out[4]) {
    if (point < 0x80) {
        out[0] = (uint8_t)point;
        return 1;
    }
    size_t length = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--, point >>= 6) out[i] = (uint8_t)(0x80 | (point & 0x3f));
    out[0] = (uint8_t)((0xf00U >> length & 0xf0U) | point);
    return length;
}

/* ---- words ---- */

typedef enum char_class { CLASS_UNKNOWN, CLASS_SPACE, CLASS_LETTER, CLASS_NUMBER, CLASS_OTHER } char_class;

static bool in_ranges(const uint32_t ranges[][2], size_t count, uint32_t point) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (point > ranges[middle][1])
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && point >= ranges[low][0];
}

/* Unicode's White_Space. */
static bool is_space(uint32_t c) {
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
           c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static char_class class_of(uint32_t c) {
    if (c < 0x80) {
        if ((c | 32) >= 'a' && (c | 32) <= 'z') return CLASS_LETTER;
        if (c >= '0' && c <= '9') return CLASS_NUMBER;
        return is_space(c) ? CLASS_SPACE : CLASS_OTHER;
    }
    if (is_space(c)) return CLASS_SPACE;
    if (in_ranges(dt_unicode_letters, sizeof dt_unicode_letters / sizeof *dt_unicode_letters, c)) return CLASS_LETTER;
    if (in_ranges(dt_unicode_numbers, sizeof dt_unicode_numbers / sizeof *dt_unicode_numbers, c)) return CLASS_NUMBER;
    return CLASS_OTHER;
}

/* The class of the character at text[0], unknown when more text could say another, and its length. */
static char_class class_at(const uint8_t *text, size_t bytes, bool last, size_t *length) {
    uint32_t point;
    int taken = bytes > 0 ? dt_utf8_take(text, bytes, &point) : -1;
    *length = taken > 0 ? (size_t)taken : 1;
    if (taken > 0) return class_of(point);
    return taken == 0 || last ? CLASS_OTHER : CLASS_UNKNOWN;
}

/* 's 't 'm 'd 're 've 'll; 0 for none. */
static size_t contraction(const uint8_t *text, size_t bytes) {
    static const char *const endings[] = {"s", "t", "m", "d", "re", "ve", "ll"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t length = i < 4 ? 1 : 2;
        if (bytes > length && text[1] == (uint8_t)endings[i][0] && (length < 2 || text[2] == (uint8_t)endings[i][1]))
            return 1 + length;
    }
    return 0;
}

/* From `at` on, as far as characters are of one class. */
static size_t same_class(const uint8_t *text, size_t bytes, bool last, size_t at, char_class wanted) {
    size_t length;
    while (at < bytes) {
        char_class class = class_at(text + at, bytes - at, last, &length);
        if (class == CLASS_UNKNOWN) return 0;
        if (class != wanted || at + length > DT_WORD_BYTES) return at;
        at += length;
    }
    return last ? at : 0;
}

/* Spaces: all but the last where something follows it, which then begins the next word. */
static size_t spaces(const uint8_t *text, size_t bytes, bool last) {
    size_t at = 0, length, before = 0;
    while (at < bytes) {
        char_class class = class_at(text + at, bytes - at, last, &length);
        if (class == CLASS_UNKNOWN) return 0;
        if (class != CLASS_SPACE) return before > 0 ? before : at;
        if (at + length > DT_WORD_BYTES) return at;
        before = at;
        at += length;
    }
    return last ? at : 0;
}

size_t dt_word_length(const uint8_t *text, size_t bytes, bool last) {
    size_t length;
    if (bytes == 0) return 0;
    if (text[0] == '\'') {
        if (bytes < 3 && !last) return 0;
        length = contraction(text, bytes);
        if (length > 0) return length;
    }
    char_class class = class_at(text, bytes, last, &length);
    if (class == CLASS_UNKNOWN) return 0;
    if (class != CLASS_SPACE) return same_class(text, bytes, last, 0, class);
    if (text[0] != ' ' || (bytes == 1 && last)) return spaces(text, bytes, last);
    class = class_at(text + 1, bytes - 1, last, &length);
    if (class == CLASS_UNKNOWN) return 0;
    return class == CLASS_SPACE ? spaces(text, bytes, last) : same_class(text, bytes, last, 1, class);
}
