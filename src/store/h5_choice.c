/* Brackets behind a dataset's path. The path ends at the first of them; a dataset whose own name has brackets is tried
 * before (h5_view.c). */
#include "h5_choice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"

/* Where the parser is. */
typedef struct cursor {
    const char *file, *name; /* for messages */
    char *at;                /* in choices->text, which is cut up on the way */
} cursor;

static dt_status fail_syntax(const cursor *c, const char *what) {
    char shown[200];
    return dt_fail(DT_ERR_INPUT,
                   "%s: %s: %s; behind the path come fields, as in [T, p], or columns, as in [0:3, 5], in brackets",
                   c->file, dt_escape_name(shown, sizeof shown, c->name), what);
}

/* A whole number with nothing behind it. */
static bool read_whole(const char *text, int64_t *out) {
    const char *digits = text + (*text == '-');
    if (!*digits || digits[strspn(digits, "0123456789")]) return false;
    errno = 0;
    *out = strtoll(text, NULL, 10);
    return errno == 0;
}

/* "0:3", ":3", "3:", ":" */
static bool read_range(char *text, dt_h5_choice *out) {
    char *colon = strchr(text, ':');
    if (!colon) return false;
    *out = (dt_h5_choice){.begin = 0, .end = INT64_MAX};
    *colon = '\0';
    bool good = (!*text || read_whole(text, &out->begin)) && (!colon[1] || read_whole(colon + 1, &out->end));
    *colon = ':';
    return good;
}

static void read_plain(char *text, dt_h5_choice *out) {
    int64_t number;
    if (read_whole(text, &number))
        *out = (dt_h5_choice){.begin = number, .single = true};
    else if (!read_range(text, out))
        *out = (dt_h5_choice){.field = text};
}

static char *skip_blanks(char *at) {
    return at + strspn(at, " ");
}

/* 'a name' or "one"; c->at is behind it. */
static dt_status read_quoted(cursor *c, dt_h5_choice *out) {
    char *end = strchr(c->at + 1, *c->at);
    if (!end) return fail_syntax(c, "a quote is never closed");
    *out = (dt_h5_choice){.field = c->at + 1};
    *end = '\0';
    c->at = skip_blanks(end + 1);
    return dt_ok();
}

/* One item; the sign behind it is taken, and told in *sign. */
static dt_status read_item(cursor *c, dt_h5_choice *out, char *sign) {
    c->at = skip_blanks(c->at);
    bool quoted = *c->at == '\'' || *c->at == '"';
    char *text = c->at;
    if (quoted) DT_TRY(read_quoted(c, out));
    if (!quoted) c->at += strcspn(c->at, ",]");
    *sign = *c->at;
    if (*sign != ',' && *sign != ']') return fail_syntax(c, "a `]` is missing");
    if (!quoted) {
        char *end = c->at;
        while (end > text && end[-1] == ' ') end--;
        if (end == text) return fail_syntax(c, "something is missing between the brackets");
        *end = '\0';
        read_plain(text, out);
    }
    c->at++;
    return dt_ok();
}

dt_status dt_h5_choices_all(dt_h5_choices *out, const char *file, const char *name) {
    size_t length = strlen(name);
    if (length >= sizeof out->text)
        return dt_fail(DT_ERR_INPUT, "%s: the name of a dataset has %zu bytes; at most %zu are supported", file, length,
                       sizeof out->text - 1);
    memset(out, 0, sizeof *out);
    memcpy(out->text, name, length);
    return dt_ok();
}

dt_status dt_h5_choices_parse(dt_h5_choices *out, const char *file, const char *name) {
    DT_TRY(dt_h5_choices_all(out, file, name));
    cursor c = {file, name, strchr(out->text, '[')};
    if (!c.at) return dt_ok();
    if (c.at == out->text) return fail_syntax(&c, "the path is missing");
    *c.at++ = '\0';
    char sign = ',';
    while (sign == ',') {
        if (out->count == DT_H5_MOST_CHOICES) return fail_syntax(&c, "there are more than 128 fields or columns");
        dt_h5_choice *choice = &out->choice[out->count++];
        DT_TRY(read_item(&c, choice, &sign));
        if (!choice->field != !out->choice[0].field) return fail_syntax(&c, "fields and columns do not mix");
    }
    return *skip_blanks(c.at) ? fail_syntax(&c, "something comes after the `]`") : dt_ok();
}

bool dt_h5_choices_single(const dt_h5_choices *choices) {
    return choices->count == 1 && (choices->choice[0].field || choices->choice[0].single);
}
