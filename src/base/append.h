/* Text that grows piece by piece in a buffer of fixed size. What snprintf returns is the length of what it would have
 * written, so a sum of its returns runs past the end of the buffer, and the room that is left wraps: all chains of
 * pieces go through here instead. */
#ifndef DTRAIN_APPEND_H
#define DTRAIN_APPEND_H

#include <stdbool.h>
#include <stddef.h>

/* Appends to the text in out[size]. What does not fit is cut off, between characters; returns whether all of it fitted.
 * A text that is full stays as it is. */
bool dt_append(char *out, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
