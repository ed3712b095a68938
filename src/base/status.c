/* Statuses are values: a code, the function that noticed, and one line for the user. They hold no pointers, so they can
 * be sent to other ranks as they are. A message that would not fit loses the middle of what is longest in it, a path as
 * a rule: who is meant stands at its beginning and the reason at its end, and both are needed. */
#include "base/status.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define MOST_TEXT 16384 /* several paths of the longest kind */
#define LEAST_WORD 64   /* a word that is shortened keeps so much */
static const char gap[] = "…";

static bool is_continuation(char c) {
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Takes out of text[at, at + length) the middle, so that `most` bytes are left of it; whole characters. */
static void cut_middle(char *text, size_t at, size_t length, size_t most) {
    size_t head = at + (most - strlen(gap)) / 2, tail = at + length - (most - strlen(gap) - (most - strlen(gap)) / 2);
    while (head > at && is_continuation(text[head])) head--;
    while (tail < at + length && is_continuation(text[tail])) tail++;
    for (size_t i = 0; gap[i]; i++) text[head + i] = gap[i];
    memmove(text + head + strlen(gap), text + tail, strlen(text + tail) + 1);
}

/* The longest run without blanks; returns its length. */
static size_t longest_word(const char *text, size_t *at) {
    size_t longest = 0;
    for (size_t i = 0; text[i];) {
        size_t length = strcspn(text + i, " \t\n");
        if (length > longest) {
            longest = length;
            *at = i;
        }
        i += length + strspn(text + i + length, " \t\n");
    }
    return longest;
}

/* Makes text[MOST_TEXT] at most `most` bytes long. */
static void shorten(char *text, size_t most) {
    for (size_t length = strlen(text); length > most; length = strlen(text)) {
        size_t at = 0, word = longest_word(text, &at), rest = length - word;
        bool cut_word = word > LEAST_WORD;
        if (!cut_word)
            cut_middle(text, 0, length, most);
        else
            cut_middle(text, at, word, most > rest + LEAST_WORD ? most - rest : LEAST_WORD);
    }
}

static void set_message(dt_status *status, char *text) {
    shorten(text, sizeof status->message - 1);
    snprintf(status->message, sizeof status->message, "%s", text);
}

dt_status dt_ok(void) {
    dt_status status;
    status.code = DT_OK;
    status.where[0] = '\0';
    status.message[0] = '\0';
    return status;
}

dt_status dt_status_make(dt_code code, const char *where, const char *format, ...) {
    dt_status status;
    memset(&status, 0, sizeof status);
    status.code = code;
    snprintf(status.where, sizeof status.where, "%s", where);
    char text[MOST_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    set_message(&status, text);
    return status;
}

dt_status dt_fail_memory(const char *what, unsigned long long bytes) {
    return dt_fail(DT_ERR_MEMORY, "not enough memory for %s (%llu bytes)", what, bytes);
}

dt_status dt_status_within(dt_status status, const char *format, ...) {
    if (status.code == DT_OK) return status;
    char text[MOST_TEXT];
    va_list args;
    va_start(args, format);
    int used = vsnprintf(text, sizeof text - sizeof status.message - 2, format, args);
    va_end(args);
    if (used < 0) return status;
    if ((size_t)used > strlen(text)) used = (int)strlen(text);
    snprintf(text + used, sizeof text - (size_t)used, ": %s", status.message);
    set_message(&status, text);
    return status;
}

int dt_status_exit_code(const dt_status *status) {
    switch (status->code) {
    case DT_OK: return 0;
    case DT_ERR_USAGE: return 2;
    case DT_ERR_STOPPED: return 75;
    default: return 1;
    }
}
