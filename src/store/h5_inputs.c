/* Names of several datasets: a list, or a map from names to datasets or lists of them. Datasets may be in quotes; a
 * bare one ends at a comma or bracket that none of its own opened, as in [/x[0:3, 5], /y]. */
#include "h5_inputs.h"

#include <string.h>

#include "base/escape.h"

/* Where the parser is: it reads `from` and writes datasets to out->text. */
typedef struct cursor {
    const char *file, *named, *from;
    dt_h5_inputs *out;
    size_t used;
} cursor;

static dt_status fail_syntax(const cursor *c, const char *what) {
    char shown[160];
    return dt_fail(DT_ERR_INPUT,
                   "%s: %s: %s; several datasets are [/a, /b] or, with names, {image: /a, meta: [/b, /c]}", c->file,
                   dt_escape_name(shown, sizeof shown, c->named), what);
}

static void skip_blanks(cursor *c) {
    c->from += strspn(c->from, " ");
}

bool dt_h5_is_inputs(const char *named) {
    return *named == '{' || *named == '[';
}

static bool put(cursor *c, char sign) {
    if (c->used + 1 >= sizeof c->out->text) return false;
    c->out->text[c->used++] = sign;
    return true;
}

/* 'it''s': a quote inside is doubled. */
static bool read_quoted(cursor *c) {
    char quote = *c->from++;
    for (; *c->from; c->from++) {
        if (*c->from == quote && c->from[1] != quote) break;
        c->from += *c->from == quote;
        if (!put(c, *c->from)) return false;
    }
    bool closed = *c->from == quote;
    c->from += closed;
    return closed;
}

static bool read_bare(cursor *c) {
    int depth = 0;
    for (; *c->from && (depth > 0 || !strchr(",]}", *c->from)); c->from++) {
        depth += (*c->from == '[') - (*c->from == ']');
        if (!put(c, *c->from)) return false;
    }
    while (c->used > 0 && c->out->text[c->used - 1] == ' ') c->used--;
    return true;
}

static dt_status read_dataset(cursor *c) {
    dt_h5_inputs *out = c->out;
    if (out->sides == DT_H5_MOST_SIDES) return fail_syntax(c, "there are more than 64 datasets");
    skip_blanks(c);
    size_t begin = c->used;
    bool good = *c->from == '\'' || *c->from == '"' ? read_quoted(c) : read_bare(c);
    if (!good || c->used == begin) return fail_syntax(c, good ? "a dataset is missing" : "a quote is never closed");
    if (out->text[begin] == '{' || out->text[begin] == '[') return fail_syntax(c, "a list holds datasets only");
    out->dataset[out->sides] = out->text + begin;
    out->input_of[out->sides++] = out->count - 1;
    put(c, '\0');
    skip_blanks(c);
    return dt_ok();
}

/* "[/a, /b]" */
static dt_status read_list(cursor *c) {
    do {
        c->from++;
        DT_TRY(read_dataset(c));
    } while (*c->from == ',');
    if (*c->from != ']') return fail_syntax(c, "a `]` is missing");
    c->from++;
    skip_blanks(c);
    return dt_ok();
}

/* "image:" */
static dt_status read_name(cursor *c) {
    static const char signs[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    dt_h5_inputs *out = c->out;
    skip_blanks(c);
    size_t length = strspn(c->from, signs);
    if (out->count == DT_MOST_INPUTS) return fail_syntax(c, "there are more than 16 inputs");
    if (length == 0 || length >= DT_INPUT_NAME) return fail_syntax(c, "a name has 1 to 31 letters, digits, _ and -");
    memcpy(out->name[out->count], c->from, length);
    out->name[out->count][length] = '\0';
    for (int i = 0; i < out->count; i++)
        if (strcmp(out->name[i], out->name[out->count]) == 0) return fail_syntax(c, "a name is there twice");
    out->count++;
    c->from += length;
    skip_blanks(c);
    if (*c->from != ':') return fail_syntax(c, "a `:` is missing behind a name");
    c->from++;
    skip_blanks(c);
    return dt_ok();
}

static dt_status read_map(cursor *c) {
    do {
        c->from++;
        DT_TRY(read_name(c));
        DT_TRY(*c->from == '[' ? read_list(c) : read_dataset(c));
    } while (*c->from == ',');
    if (*c->from != '}') return fail_syntax(c, "a `}` is missing");
    c->from++;
    skip_blanks(c);
    return dt_ok();
}

dt_status dt_h5_inputs_parse(dt_h5_inputs *out, const char *file, const char *named) {
    memset(out, 0, sizeof *out);
    cursor c = {file, named, named, out, 0};
    if (strlen(named) >= sizeof out->text / 2 * 2 - DT_H5_MOST_SIDES) return fail_syntax(&c, "it is too long");
    DT_TRY(*named == '{' ? read_map(&c) : read_list(&c));
    return *c.from ? fail_syntax(&c, "something comes after the end") : dt_ok();
}
