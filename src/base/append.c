/* Appending to a text in a buffer: see append.h for why. */
#include "base/append.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool dt_append(char *out, size_t size, const char *format, ...) {
    size_t used = strnlen(out, size);
    if (used == size) return false; /* no text at all, and nowhere to end it */
    va_list args;
    va_start(args, format);
    int length = vsnprintf(out + used, size - used, format, args);
    va_end(args);
    if (length >= 0 && (size_t)length < size - used) return true;
    if (length < 0) out[used] = '\0';
    size_t end = strlen(out), first = end; /* a character that was cut in two goes */
    while (first > used && ((unsigned char)out[first - 1] & 0xc0) == 0x80) first--;
    if (first > used && (unsigned char)out[first - 1] >= 0xc0) {
        unsigned char lead = (unsigned char)out[first - 1];
        size_t whole = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
        if (end - (first - 1) < whole) out[first - 1] = '\0';
    }
    return false;
}
