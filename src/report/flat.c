/* A scanner of flat JSON objects, in place: rows of metrics are many, so none of it takes memory. */
#include "flat.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static char *skip_space(char *at) {
    while (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n') at++;
    return at;
}

static bool hex4(const char *at, uint32_t *value) {
    *value = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) return false;
        *value = *value << 4 | (uint32_t)digit;
    }
    return true;
}

static char *put_utf8(char *to, uint32_t point) {
    if (point < 0x80) {
        *to++ = (char)point;
    } else if (point < 0x800) {
        *to++ = (char)(0xc0 | point >> 6);
        *to++ = (char)(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        *to++ = (char)(0xe0 | point >> 12);
        *to++ = (char)(0x80 | (point >> 6 & 0x3f));
        *to++ = (char)(0x80 | (point & 0x3f));
    } else {
        *to++ = (char)(0xf0 | point >> 18);
        *to++ = (char)(0x80 | (point >> 12 & 0x3f));
        *to++ = (char)(0x80 | (point >> 6 & 0x3f));
        *to++ = (char)(0x80 | (point & 0x3f));
    }
    return to;
}

/* The character of \uNNNN, or of a pair of them, which *at is behind the backslash of. U+0000 and half pairs become
 * U+FFFD. False: it is none. */
static bool take_escaped_point(char **at, char **to) {
    uint32_t high, low;
    if (!hex4(*at + 1, &high)) return false;
    *at += 5;
    if (high >= 0xd800 && high < 0xdc00 && (*at)[0] == '\\' && (*at)[1] == 'u' && hex4(*at + 2, &low) &&
        low >= 0xdc00 && low < 0xe000) {
        *at += 6;
        high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    } else if (high == 0 || (high >= 0xd800 && high < 0xe000)) {
        high = 0xfffd;
    }
    *to = put_utf8(*to, high);
    return true;
}

/* The text whose opening quote *at is at, unescaped in its own place, which is never longer. NULL: it is none. */
static const char *take_text(char **at) {
    static const char named[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if (**at != '"') return NULL;
    char *from = *at + 1, *begin = from, *to = from;
    while (*from != '"') {
        if ((unsigned char)*from < 0x20) return NULL; /* also the end of the line */
        if (*from != '\\') {
            *to++ = *from++;
            continue;
        }
        from++;
        const char *which = *from ? strchr(named, *from) : NULL;
        if (which) {
            *to++ = meant[which - named];
            from++;
        } else if (*from != 'u' || !take_escaped_point(&from, &to)) {
            return NULL;
        }
    }
    *at = from + 1;
    *to = '\0';
    return begin;
}

static bool take_word(char **at, const char *word) {
    size_t length = strlen(word);
    if (strncmp(*at, word, length) != 0) return false;
    *at += length;
    return true;
}

static bool take_value(char **at, dt_flat *pair) {
    pair->text = "";
    pair->number = (double)NAN;
    if (**at == '"') {
        pair->kind = DT_FLAT_TEXT;
        pair->text = take_text(at);
        return pair->text != NULL;
    }
    if (take_word(at, "null")) {
        pair->kind = DT_FLAT_NULL;
        return true;
    }
    pair->kind = DT_FLAT_BOOL;
    pair->number = **at == 't';
    if (take_word(at, "true") || take_word(at, "false")) return true;
    if (**at != '-' && (**at < '0' || **at > '9')) return false;
    char *end, *stop = *at + strspn(*at, "0123456789+-.eE");
    pair->kind = DT_FLAT_NUMBER;
    pair->number = strtod(*at, &end);
    *at = end;
    return end == stop && isfinite(pair->number);
}

void dt_flat_begin(dt_flat_line *line, char *text) {
    char *at = skip_space(text);
    line->good = false;
    line->at = *at == '{' ? skip_space(at + 1) : NULL;
}

/* That nothing follows the object. */
static bool finish(dt_flat_line *line, char *at) {
    line->good = *skip_space(at + 1) == '\0';
    line->at = NULL;
    return false;
}

static bool fail(dt_flat_line *line) {
    line->at = NULL;
    return false;
}

bool dt_flat_next(dt_flat_line *line, dt_flat *pair) {
    char *at = line->at;
    if (!at) return false;
    if (*at == '}') return finish(line, at);
    pair->key = take_text(&at);
    if (!pair->key) return fail(line);
    at = skip_space(at);
    if (*at != ':') return fail(line);
    at = skip_space(at + 1);
    if (!take_value(&at, pair)) return fail(line);
    at = skip_space(at);
    if (*at == ',') {
        line->at = skip_space(at + 1);
        if (*line->at == '}') line->at = at; /* {"a":1,} is no object: the next call fails at the comma */
        return true;
    }
    line->at = *at == '}' ? at : at + strlen(at); /* what should not be there fails in the next call */
    return true;
}
