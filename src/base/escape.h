/* Text that is not ours, for a terminal or a log: names and attributes in files, recipes of checkpoints, paths. */
#ifndef DTRAIN_ESCAPE_H
#define DTRAIN_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes text[length] to out[room], ended by a 0, so that it moves no cursor, changes no colour and hides nothing:
 * control characters and bytes that are no UTF-8 become \n, \r or \xNN, invisible and direction-changing characters
 * \u{NNNN}. Everything else stays, tabs too, and ends of lines where `lines` says so. Gives the length of the whole,
 * which may be more than fits; it is cut between characters. `out` may be NULL where `room` is 0. */
size_t dt_escape(char *out, size_t room, const char *text, size_t length, bool lines);

/* The same for a name in a message, where what comes behind it is to be seen too: of one that is too long the middle is
 * left out. Gives `out`. */
const char *dt_escape_name(char *out, size_t room, const char *name);

/* The bytes of the character that begins text[bytes], 1 to 4, and its code point; 0 when they are no UTF-8 (Unicode
 * 15.0, table 3-7), -1 when the text ends before that can be told. */
int dt_utf8_take(const uint8_t *text, size_t bytes, uint32_t *point);

#endif
