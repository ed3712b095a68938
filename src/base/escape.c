/* What a file says must not speak to the terminal: escape sequences change its title and its colours, paste commands,
 * and a name with a line end or a right-to-left override makes a message say what we did not. So all that is printed
 * comes through here (log.c), and where a name is one of several parts of a line it is escaped before it is put in. */
#include "base/escape.h"

#include <stdio.h>
#include <string.h>

/* What begins here: its length and code point. Overlong forms, surrogates and what is beyond 10FFFF are refused by the
 * limits of the second byte. */
int dt_utf8_take(const uint8_t *text, size_t bytes, uint32_t *point) {
    uint8_t first = text[0];
    if (first < 0x80) {
        *point = first;
        return 1;
    }
    int length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4) return 0;
    uint8_t least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    uint32_t value = first & (0x7fU >> length);
    for (int i = 1; i < length; i++, least = 0x80, most = 0xbf) {
        if ((size_t)i >= bytes) return -1;
        if (text[i] < least || text[i] > most) return 0;
        value = value << 6 | (text[i] & 0x3fU);
    }
    *point = value;
    return length;
}

/* Code points that are not seen, or change how others are: controls, marks of direction, joiners, tags. */
static const uint32_t hidden[][2] = {
    {0x00, 0x08},     {0x0b, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},   {0x180e, 0x180e},
    {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff0, 0xfffb}, {0xe0000, 0xe0fff},
};

static bool is_hidden(uint32_t point) {
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        if (point >= hidden[i][0] && point <= hidden[i][1]) return true;
    return false;
}

/* One character, or byte that is none, as it is shown; how many bytes it was. */
static size_t show_one(char shown[16], const char *text, size_t length, bool lines) {
    uint32_t point = 0;
    int taken = dt_utf8_take((const uint8_t *)text, length, &point);
    if (taken <= 0)
        snprintf(shown, 16, "\\x%02x", (unsigned)(unsigned char)*text);
    else if (point == '\n' && !lines)
        snprintf(shown, 16, "\\n");
    else if (point == '\r')
        snprintf(shown, 16, "\\r");
    else if (is_hidden(point) && point < 0x80)
        snprintf(shown, 16, "\\x%02x", (unsigned)point);
    else if (is_hidden(point))
        snprintf(shown, 16, "\\u{%x}", (unsigned)point);
    else
        snprintf(shown, 16, "%.*s", taken, text);
    return taken > 0 ? (size_t)taken : 1;
}

size_t dt_escape(char *out, size_t room, const char *text, size_t length, bool lines) {
    size_t whole = 0, used = 0;
    for (size_t at = 0; at < length;) {
        char shown[16];
        at += show_one(shown, text + at, length - at, lines);
        size_t more = strlen(shown);
        if (used == whole && used + more < room) {
            memcpy(out + used, shown, more);
            used += more;
        }
        whole += more;
    }
    if (room > 0) out[used] = '\0';
    return whole;
}

/* Where text[at] belongs to a character that begins before it: where that ends. */
static size_t next_character(const char *text, size_t at) {
    while (((unsigned char)text[at] & 0xc0U) == 0x80) at++;
    return at;
}

const char *dt_escape_name(char *out, size_t room, const char *name) {
    static const char gap[] = "[...]";
    size_t length = strlen(name), whole = dt_escape(out, room, name, length, false);
    if (whole < room || room < 32) return out;
    size_t half = (room - sizeof gap) / 2;
    dt_escape(out, half, name, length, false);
    memcpy(out + strlen(out), gap, sizeof gap);
    /* as much of the end as still fits, escaped */
    size_t used = strlen(out), from = length > room ? length - room : 0;
    while (dt_escape(NULL, 0, name + from, length - from, false) >= room - used) from = next_character(name, from + 1);
    dt_escape(out + used, room - used, name + from, length - from, false);
    return out;
}
