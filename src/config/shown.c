/* Texts of users in messages: one line, whatever they hold. */
#include "shown.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/append.h"

const char *dt_shown(const char *text, char out[DT_SHOWN]) {
    const size_t limit = 60;
    size_t n = 0;
    for (; text[n] && n < limit; n++) {
        unsigned char c = (unsigned char)text[n];
        bool c1 = n > 0 && (unsigned char)text[n - 1] == 0xC2 && c < 0xA0; /* U+0080 … U+009F, NEL among them */
        out[n] = (char)(c < 0x20 || c == 0x7F || c1 ? '?' : c);
    }
    if (!text[n]) {
        out[n] = '\0';
        return out;
    }
    while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80) n--; /* do not cut a character in two */
    out[n] = '\0';
    dt_append(out, DT_SHOWN, "…");
    return out;
}
