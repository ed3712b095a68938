/* The engine behind every table of fields. A type is one row of `types`: how its text is read, how it is written back,
 * and how messages and the help name it. Numbers are read more strictly than strtod would: what looks like a number in
 * one YAML version and like a word in the next ("0x10", "1_000", ".nan") is refused, because a recipe decides what is
 * computed and must mean the same to everyone who reads it. */
#include "config/fields.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/append.h"
#include "base/memory.h"
#include "config_internal.h"

/* What can be wrong with a text. */
typedef enum verdict { FITS, WRONG_TYPE, TOO_LARGE, OUT_OF_LIMITS } verdict;

typedef union value {
    bool truth;
    int64_t whole;
    double real;
    int choice;
    dt_span span;
    dt_shape list;
    char text[DT_TEXT_MAX];
} value;

/* ---- limits ---- */

static bool has_minimum(const dt_field *field) {
    return isfinite(field->min) && (field->min != 0 || field->max != 0 || (field->flags & DT_FIELD_ABOVE));
}

static bool has_maximum(const dt_field *field) {
    return isfinite(field->max) && field->max > field->min;
}

static verdict within(const dt_field *field, double number) {
    bool low = has_minimum(field) && (field->flags & DT_FIELD_ABOVE ? number <= field->min : number < field->min);
    bool high = has_maximum(field) && (field->flags & DT_FIELD_BELOW ? number >= field->max : number > field->max);
    return low || high ? OUT_OF_LIMITS : FITS;
}

/* "greater than 0 and at most 1" */
static void limits_words(const dt_field *field, char *out, size_t size) {
    const char *low = field->flags & DT_FIELD_ABOVE ? "greater than" : "at least";
    const char *high = field->flags & DT_FIELD_BELOW ? "less than" : "at most";
    if (has_minimum(field) && has_maximum(field))
        snprintf(out, size, "%s %.15g and %s %.15g", low, field->min, high, field->max);
    else if (has_minimum(field))
        snprintf(out, size, "%s %.15g", low, field->min);
    else
        snprintf(out, size, "%s %.15g", high, field->max);
}

/* " in (0, 1]", for the help */
static void limits_signs(const dt_field *field, char *out, size_t size) {
    bool above = field->flags & DT_FIELD_ABOVE, below = field->flags & DT_FIELD_BELOW;
    if (has_minimum(field) && has_maximum(field))
        snprintf(out, size, " in %c%.15g, %.15g%c", above ? '(' : '[', field->min, field->max, below ? ')' : ']');
    else if (has_minimum(field))
        snprintf(out, size, " %s %.15g", above ? ">" : ">=", field->min);
    else if (has_maximum(field))
        snprintf(out, size, " %s %.15g", below ? "<" : "<=", field->max);
    else
        snprintf(out, size, "%s", "");
}

/* ---- types ---- */

static const struct {
    const char *word;
    bool truth;
} truths[] = {{"true", true}, {"false", false}, {"yes", true}, {"no", false}, {"on", true}, {"off", false}};

static verdict read_bool(const dt_field *field, const char *text, value *out) {
    (void)field;
    for (size_t i = 0; i < sizeof truths / sizeof truths[0]; i++) {
        if (strcasecmp(text, truths[i].word) != 0) continue;
        out->truth = truths[i].truth;
        return FITS;
    }
    return WRONG_TYPE;
}

static void write_bool(const dt_field *field, const value *in, char out[DT_TEXT_MAX]) {
    (void)field;
    snprintf(out, DT_TEXT_MAX, "%s", in->truth ? "true" : "false");
}

static verdict read_int(const dt_field *field, const char *text, value *out) {
    const char *digits = text + (text[0] == '-' || text[0] == '+');
    if (!*digits || digits[strspn(digits, "0123456789")]) return WRONG_TYPE;
    errno = 0;
    out->whole = strtoll(text, NULL, 10);
    return errno == ERANGE ? TOO_LARGE : within(field, (double)out->whole);
}

static void write_int(const dt_field *field, const value *in, char out[DT_TEXT_MAX]) {
    (void)field;
    snprintf(out, DT_TEXT_MAX, "%lld", (long long)in->whole);
}

/* The end of the decimal number `text` begins with, or NULL when it begins with none. */
static const char *number_end(const char *text) {
    const char *c = text + (*text == '-' || *text == '+');
    size_t whole = strspn(c, "0123456789"), part = 0;
    c += whole;
    if (*c == '.') part = strspn(++c, "0123456789");
    c += part;
    if (whole + part == 0) return NULL;
    if (*c != 'e' && *c != 'E') return c;
    const char *exponent = c + 1 + (c[1] == '-' || c[1] == '+');
    size_t digits = strspn(exponent, "0123456789");
    return digits ? exponent + digits : c;
}

static verdict read_real(const dt_field *field, const char *text, value *out) {
    const char *end = number_end(text);
    if (!end || *end) return WRONG_TYPE;
    out->real = strtod(text, NULL);
    return isfinite(out->real) ? within(field, out->real) : TOO_LARGE;
}

static void write_number(double number, char *out, size_t size) {
    for (int digits = 9; digits <= 17; digits++) {
        snprintf(out, size, "%.*g", digits, number);
        if (strtod(out, NULL) == number) return;
    }
}

static void write_real(const dt_field *field, const value *in, char out[DT_TEXT_MAX]) {
    (void)field;
    write_number(in->real, out, DT_TEXT_MAX);
}

static verdict read_text(const dt_field *field, const char *text, value *out) {
    size_t length = strlen(text);
    if (length >= DT_TEXT_MAX) return TOO_LARGE;
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F) return WRONG_TYPE;
    memset(out->text, 0, sizeof out->text);
    memcpy(out->text, text, length);
    return within(field, (double)length);
}

static void write_text(const dt_field *field, const value *in, char out[DT_TEXT_MAX]) {
    (void)field;
    snprintf(out, DT_TEXT_MAX, "%s", in->text);
}

static verdict read_choice(const dt_field *field, const char *text, value *out) {
    for (int i = 0; field->choices[i]; i++) {
        if (strcmp(text, field->choices[i]) != 0) continue;
        out->choice = i;
        return FITS;
    }
    return WRONG_TYPE;
}

static void write_choice(const dt_field *field, const value *in, char out[DT_TEXT_MAX]) {
    snprintf(out, DT_TEXT_MAX, "%s", field->choices[in->choice]);
}

/* The first name of a unit is how it is written. */
static const struct {
    const char *names[6];
    double factor;
    dt_span_unit unit;
} units[] = {
    {{"step", "steps", ""}, 1, DT_SPAN_STEPS},
    {{"epoch", "epochs"}, 1, DT_SPAN_EPOCHS},
    {{"s", "sec", "second", "seconds"}, 1, DT_SPAN_SECONDS},
    {{"min", "m", "minute", "minutes"}, 60, DT_SPAN_SECONDS},
    {{"h", "hour", "hours"}, 3600, DT_SPAN_SECONDS},
};

static bool read_unit(const char *word, dt_span *out) {
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        for (int j = 0; j < 6 && units[i].names[j]; j++) {
            if (strcmp(word, units[i].names[j]) != 0) continue;
            out->value *= units[i].factor;
            out->unit = units[i].unit;
            return true;
        }
    return false;
}

static verdict read_span(const dt_field *field, const char *text, value *out) {
    out->span = (dt_span){0, DT_SPAN_NEVER};
    if (strcasecmp(text, "never") == 0) return within(field, 0);
    const char *end = number_end(text);
    dt_span span = {end ? strtod(text, NULL) : -1, DT_SPAN_NEVER};
    if (!end || span.value < 0) return WRONG_TYPE;
    if (!read_unit(end + strspn(end, " "), &span)) return WRONG_TYPE;
    if (!isfinite(span.value)) return TOO_LARGE;
    if (span.unit == DT_SPAN_STEPS && span.value != floor(span.value)) return WRONG_TYPE;
    if (span.value > 0) out->span = span;
    return within(field, span.value);
}

static void write_span(const dt_field *field, const value *in, char out[DT_TEXT_MAX]) {
    (void)field;
    static const char *const names[] = {[DT_SPAN_STEPS] = "step", [DT_SPAN_SECONDS] = "s", [DT_SPAN_EPOCHS] = "epoch"};
    if (in->span.unit == DT_SPAN_NEVER) {
        snprintf(out, DT_TEXT_MAX, "never");
        return;
    }
    char number[40];
    write_number(in->span.value, number, sizeof number);
    bool plural = in->span.unit != DT_SPAN_SECONDS && in->span.value != 1;
    snprintf(out, DT_TEXT_MAX, "%s %s%s", number, names[in->span.unit], plural ? "s" : "");
}

/* "[1, 2]", and "1" for a list of one. */
static verdict read_list(const dt_field *field, const char *text, value *out) {
    dt_shape list = {0, {0}};
    const char *at = text + (*text == '[');
    for (bool more = true; more; list.rank++) {
        char number[32];
        at += strspn(at, " ");
        size_t length = strcspn(at, " ,]");
        value item;
        if (list.rank == DT_MAX_RANK || length >= sizeof number) return WRONG_TYPE;
        snprintf(number, sizeof number, "%.*s", (int)length, at);
        verdict why = read_int(field, number, &item);
        if (why != FITS) return why;
        list.dim[list.rank] = item.whole;
        at += length;
        at += strspn(at, " ");
        more = *at == ',';
        at += more;
    }
    if (strcmp(at, text[0] == '[' ? "]" : "") != 0) return WRONG_TYPE;
    out->list = list;
    return FITS;
}

static void write_list(const dt_field *field, const value *in, char out[DT_TEXT_MAX]) {
    (void)field;
    out[0] = '\0';
    for (int i = 0; i < in->list.rank; i++)
        dt_append(out, DT_TEXT_MAX, "%s%lld", i ? ", " : "[", (long long)in->list.dim[i]);
    dt_append(out, DT_TEXT_MAX, "]");
}

static const struct {
    const char *noun;  /* in messages: "it must be …" */
    const char *reach; /* the same, for what no value of the type can hold */
    const char *word;  /* in the help */
    size_t size;
    verdict (*read)(const dt_field *field, const char *text, value *out);
    void (*write)(const dt_field *field, const value *in, char out[DT_TEXT_MAX]);
} types[] = {
    [DT_FIELD_BOOL] = {"true or false", "", "true/false", sizeof(bool), read_bool, write_bool},
    [DT_FIELD_INT] = {"a whole number", "within ±9223372036854775807", "whole number", sizeof(int64_t), read_int,
                      write_int},
    [DT_FIELD_REAL] = {"a number", "within ±1.7e308", "number", sizeof(double), read_real, write_real},
    [DT_FIELD_TEXT] = {"one line of text", "at most 255 bytes long", "text", DT_TEXT_MAX, read_text, write_text},
    [DT_FIELD_CHOICE] = {"", "", "choice", sizeof(int), read_choice, write_choice},
    [DT_FIELD_SPAN] = {"a span such as 200 steps, 90 s, 15 min, 1 epoch or never", "within ±1.7e308", "span",
                       sizeof(dt_span), read_span, write_span},
    [DT_FIELD_LIST] = {"a list of at most 6 whole numbers, as in [28, 28, 1]", "within ±9223372036854775807",
                       "list of whole numbers", sizeof(dt_shape), read_list, write_list},
};

/* ---- messages ---- */

/* What every function below needs to know about the call. */
typedef struct context {
    const dt_field *table;
    const char *prefix;
    const char *const *also;
} context;

/* "sgd, adam or rmsprop" */
static void choices_words(const dt_field *field, char *out, size_t size) {
    out[0] = '\0';
    for (int i = 0; field->choices[i]; i++)
        dt_append(out, size, "%s%s", i == 0 ? "" : field->choices[i + 1] ? ", " : " or ", field->choices[i]);
}

/* What would be right: "greater than 0 (default 0.001)". */
static void requirement(const dt_field *field, verdict why, const char *text, char out[DT_TEXT_MAX]) {
    if (why == OUT_OF_LIMITS && field->type == DT_FIELD_TEXT)
        snprintf(out, DT_TEXT_MAX, field->min == 1 ? "one line of text, not empty" : "of another length");
    else if (why == OUT_OF_LIMITS || (why == TOO_LARGE && has_maximum(field)))
        limits_words(field, out, DT_TEXT_MAX);
    else if (why == TOO_LARGE)
        snprintf(out, DT_TEXT_MAX, "%s", types[field->type].reach);
    else if (field->type == DT_FIELD_CHOICE)
        choices_words(field, out, DT_TEXT_MAX);
    else
        snprintf(out, DT_TEXT_MAX, "%s", types[field->type].noun);
    bool numeric = field->type == DT_FIELD_INT || field->type == DT_FIELD_REAL;
    if (why == WRONG_TYPE && numeric && isdigit((unsigned char)text[0]) && strpbrk(text, "_,'xX"))
        dt_append(out, DT_TEXT_MAX, ", in plain decimal digits");
    if (field->fallback && field->fallback[0]) dt_append(out, DT_TEXT_MAX, " (default %s)", field->fallback);
}

/* A failure of a value: "recipe m.yaml:9: train.batch is "many"; it must be …", or, when one --set gave it, shorter. */
static dt_status fail_value(const context *c, const dt_field *field, const dt_yaml *node, const char *is,
                            const char *must_be) {
    char set[DT_TEXT_MAX], shown[DT_SHOWN];
    snprintf(set, sizeof set, "--set %s%s", c->prefix, field->key);
    if (node->text && strcmp(set, node->source) == 0)
        return dt_fail(DT_ERR_INPUT, "%s=%s: it must be %s", set, dt_shown(node->text, shown), must_be);
    return dt_fail(DT_ERR_INPUT, "%s%s: %s%s %s; it must be %s", dt_source_noun(node->source), node->source, c->prefix,
                   field->key, is, must_be);
}

static dt_status fail_verdict(const context *c, const dt_field *field, const dt_yaml *node, const char *text,
                              verdict why) {
    char is[DT_SHOWN + 8], must_be[DT_TEXT_MAX], shown[DT_SHOWN];
    bool bare = node->kind == DT_YAML_LIST || (why != WRONG_TYPE && field->type != DT_FIELD_TEXT);
    snprintf(is, sizeof is, bare ? "is %s" : "is \"%s\"", dt_shown(text, shown));
    if (why == WRONG_TYPE && text[0] == '\0') snprintf(is, sizeof is, "has no value");
    requirement(field, why, text, must_be);
    return fail_value(c, field, node, is, must_be);
}

static dt_status fail_kind(const context *c, const dt_field *field, const dt_yaml *node) {
    char must_be[DT_TEXT_MAX];
    requirement(field, WRONG_TYPE, "", must_be);
    return fail_value(c, field, node, node->kind == DT_YAML_LIST ? "is a list" : "is a map", must_be);
}

/* ---- suggestions ---- */

#define WORD_MAX 32

static int least(int a, int b) {
    return a < b ? a : b;
}

/* Letters to insert, drop, change or swap to make one word the other (optimal string alignment). */
static int edits(const char *a, const char *b) {
    int n = (int)strlen(a), m = (int)strlen(b);
    if (n > WORD_MAX || m > WORD_MAX) return WORD_MAX;
    int d[WORD_MAX + 1][WORD_MAX + 1];
    for (int i = 0; i <= n; i++) d[i][0] = i;
    for (int j = 0; j <= m; j++) d[0][j] = j;
    for (int i = 1; i <= n; i++)
        for (int j = 1; j <= m; j++) {
            d[i][j] = least(least(d[i - 1][j], d[i][j - 1]) + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
        }
    return d[n][m];
}

/* Whether `part` is one of the words of `whole` ("decay" of "weight_decay"), or begins it ("optim", "optimizer"). */
static bool is_word_of(const char *part, const char *whole) {
    size_t length = strlen(part);
    if (length >= 3 && strncmp(part, whole, length) == 0) return true;
    for (const char *word = whole; word; word = strchr(word, '_')) {
        word += *word == '_';
        if (length > 0 && strcspn(word, "_") == length && strncmp(word, part, length) == 0) return true;
    }
    return false;
}

/* Whether `letters` are the first letters of the words of `whole` ("lr" of "learning_rate"). */
static bool are_initials_of(const char *letters, const char *whole) {
    const char *word = whole;
    for (; *letters; letters++) {
        if (!word || *word != *letters) return false;
        word = strchr(word, '_');
        if (word) word++;
    }
    return !word && strchr(whole, '_');
}

static bool related(const char *a, const char *b) {
    return is_word_of(a, b) || is_word_of(b, a) || are_initials_of(a, b) || are_initials_of(b, a);
}

/* How far a known key is from an unknown one; negative when too far to be meant. The same group counts as nearer. */
static int distance(const char *unknown, const char *known) {
    const char *a = strrchr(unknown, '.'), *b = strrchr(known, '.');
    size_t group_a = a ? (size_t)(a - unknown) : 0, group_b = b ? (size_t)(b - known) : 0;
    bool same_group = group_a == group_b && strncmp(unknown, known, group_a) == 0;
    a = a ? a + 1 : unknown;
    b = b ? b + 1 : known;
    int apart = edits(a, b), allowed = (int)(strlen(a) > strlen(b) ? strlen(a) : strlen(b)) / 3;
    if (apart > allowed) apart = related(a, b) ? 2 : -1;
    return apart < 0 ? -1 : 2 * apart + !same_group;
}

/* Considers a known key and the groups it is in. */
static void consider(const char *unknown, const char *known, char nearest[DT_TEXT_MAX], int *best) {
    for (size_t end = strcspn(known, ".");; end += 1 + strcspn(known + end + 1, ".")) {
        char key[DT_TEXT_MAX];
        snprintf(key, sizeof key, "%.*s", (int)end, known);
        int score = distance(unknown, key);
        if (score >= 0 && score < *best) {
            *best = score;
            snprintf(nearest, DT_TEXT_MAX, "%s", key);
        }
        if (known[end] == '\0') return;
    }
}

static dt_status fail_unknown(const context *c, const dt_yaml *node, const char *key) {
    char nearest[DT_TEXT_MAX] = "", shown[DT_SHOWN];
    int best = WORD_MAX;
    for (const dt_field *field = c->table; field->key; field++) consider(key, field->key, nearest, &best);
    for (int i = 0; c->also && c->also[i]; i++) consider(key, c->also[i], nearest, &best);
    dt_shown(key, shown);
    if (nearest[0])
        return dt_fail(DT_ERR_INPUT, "%s%s: %s%s is not a field (did you mean %s%s?)", dt_source_noun(node->source),
                       node->source, c->prefix, shown, c->prefix, nearest);
    return dt_fail(DT_ERR_INPUT, "%s%s: %s%s is not a field (dtrain train --help-recipe lists them)",
                   dt_source_noun(node->source), node->source, c->prefix, shown);
}

/* ---- decoding ---- */

const dt_field *dt_field_find(const dt_field *table, const char *key) {
    for (const dt_field *field = table; field->key; field++)
        if (strcmp(field->key, key) == 0) return field;
    return NULL;
}

static bool is_under(const char *key, const char *group) {
    size_t length = strlen(group);
    return strncmp(key, group, length) == 0 && key[length] == '.';
}

static bool is_group(const context *c, const char *key) {
    for (const dt_field *field = c->table; field->key; field++)
        if (is_under(field->key, key)) return true;
    for (int i = 0; c->also && c->also[i]; i++)
        if (is_under(c->also[i], key)) return true;
    return false;
}

static bool is_elsewhere(const context *c, const char *key) {
    for (int i = 0; c->also && c->also[i]; i++)
        if (strcmp(c->also[i], key) == 0) return true;
    return false;
}

static dt_status fail_group(const context *c, const dt_yaml *node, const char *key) {
    const char *example = key;
    for (const dt_field *field = c->table; field->key && example == key; field++)
        if (is_under(field->key, key)) example = field->key;
    char shown[DT_SHOWN];
    return dt_fail(DT_ERR_INPUT, "%s%s: %s%s is %s%s%s; it must be a group of fields, such as %s%s",
                   dt_source_noun(node->source), node->source, c->prefix, key, node->text ? "\"" : "",
                   node->text ? dt_shown(node->text, shown) : "a list", node->text ? "\"" : "", c->prefix, example);
}

/* Every key of the tree is a field, lies in a group of fields, or is decoded elsewhere. */
static dt_status check_keys(const context *c, const dt_yaml *map, const char *path) {
    for (const dt_yaml *node = map->first; node; node = node->next) {
        char key[DT_TEXT_MAX];
        snprintf(key, sizeof key, "%s%s%s", path, path[0] ? "." : "", node->key);
        const dt_field *field = dt_field_find(c->table, key);
        bool list = field && field->type == DT_FIELD_LIST && node->kind == DT_YAML_LIST;
        if (field && node->kind != DT_YAML_SCALAR && !list) return fail_kind(c, field, node);
        if (field || is_elsewhere(c, key)) continue;
        if (!is_group(c, key)) return fail_unknown(c, node, key);
        if (node->kind == DT_YAML_MAP)
            DT_TRY(check_keys(c, node, key));
        else if (node->kind == DT_YAML_LIST || node->text[0] != '\0')
            return fail_group(c, node, key);
    }
    return dt_ok();
}

static dt_status fail_missing(const context *c, const dt_field *field, const dt_yaml *map) {
    char must_be[DT_TEXT_MAX];
    requirement(field, WRONG_TYPE, "", must_be);
    return dt_fail(DT_ERR_INPUT, "%s%s%s%s%s is missing; it must be %s: %s", map ? dt_source_noun(map->source) : "",
                   map ? map->source : "", map ? ": " : "", c->prefix, field->key, must_be, field->help);
}

/* A list of scalars as text; what is no scalar or leaves no room becomes "…", which no type reads. */
static void join(const dt_yaml *list, char out[DT_TEXT_MAX]) {
    snprintf(out, DT_TEXT_MAX, "[");
    for (const dt_yaml *item = list->first; item; item = item->next) {
        const char *text = item->kind == DT_YAML_SCALAR ? item->text : "…";
        if (strlen(out) + strlen(text) + 12 > DT_TEXT_MAX) text = "…";
        dt_append(out, DT_TEXT_MAX, "%s%s", item == list->first ? "" : ", ", text);
        if (strlen(out) + 12 > DT_TEXT_MAX) break;
    }
    dt_append(out, DT_TEXT_MAX, "]");
}

static dt_status decode_field(const context *c, const dt_field *field, const dt_yaml *map, void *out) {
    const dt_yaml *node = map ? dt_yaml_get(map, field->key) : NULL;
    if (!node && !field->fallback) return fail_missing(c, field, map);
    value decoded;
    memset(&decoded, 0, sizeof decoded);
    char joined[DT_TEXT_MAX];
    if (node && node->kind == DT_YAML_LIST) join(node, joined);
    const char *text = !node ? field->fallback : node->kind == DT_YAML_LIST ? joined : node->text;
    verdict why = types[field->type].read(field, text, &decoded);
    if (why != FITS && !node)
        return dt_fail(DT_ERR_INPUT, "the default %s of %s%s is not valid", field->fallback, c->prefix, field->key);
    if (why != FITS) return fail_verdict(c, field, node, text, why);
    memcpy((char *)out + field->offset, &decoded, types[field->type].size);
    return dt_ok();
}

dt_status dt_fields_decode(const dt_field *table, const dt_yaml *map, const char *prefix, const char *const *also,
                           void *out) {
    context c = {table, prefix, also};
    if (map && map->kind != DT_YAML_MAP)
        return dt_fail(DT_ERR_INPUT, "%s%s: %s must be a map of fields", dt_source_noun(map->source), map->source,
                       prefix[0] ? prefix : "it");
    if (map) DT_TRY(check_keys(&c, map, ""));
    for (const dt_field *field = table; field->key; field++) DT_TRY(decode_field(&c, field, map, out));
    return dt_ok();
}

/* ---- encoding ---- */

void dt_field_text(const dt_field *field, const void *in, char out[DT_TEXT_MAX]) {
    value held;
    memset(&held, 0, sizeof held);
    memcpy(&held, (const char *)in + field->offset, types[field->type].size);
    types[field->type].write(field, &held, out);
}

bool dt_field_is_default(const dt_field *field, const void *in) {
    value fallback;
    memset(&fallback, 0, sizeof fallback);
    if (!field->fallback || types[field->type].read(field, field->fallback, &fallback) != FITS) return false;
    char here[DT_TEXT_MAX], there[DT_TEXT_MAX];
    dt_field_text(field, in, here);
    types[field->type].write(field, &fallback, there);
    return strcmp(here, there) == 0;
}

/* The field's list as a list of scalars; NULL when memory is short. */
static dt_yaml *list_node(const dt_field *field, const void *in, const char *source) {
    dt_shape list;
    memcpy(&list, (const char *)in + field->offset, sizeof list);
    dt_yaml *node = dt_yaml_new(DT_YAML_LIST, NULL, NULL, source);
    for (int i = 0; node && i < list.rank; i++) {
        char number[32];
        snprintf(number, sizeof number, "%lld", (long long)list.dim[i]);
        dt_yaml *item = dt_yaml_new(DT_YAML_SCALAR, NULL, number, source);
        if (item) {
            dt_yaml_append(node, item);
            continue;
        }
        dt_yaml_destroy(node);
        node = NULL;
    }
    return node;
}

dt_status dt_fields_encode(const dt_field *table, const void *in, dt_yaml *map) {
    for (const dt_field *field = table; field->key; field++) {
        char text[DT_TEXT_MAX];
        dt_field_text(field, in, text);
        bool list = field->type == DT_FIELD_LIST;
        dt_yaml *node = list ? list_node(field, in, map->source) : dt_yaml_new(DT_YAML_SCALAR, NULL, text, map->source);
        if (node) node->quoted = field->type == DT_FIELD_TEXT;
        DT_TRY(dt_yaml_put(map, field->key, node));
    }
    return dt_ok();
}

/* ---- help ---- */

enum { COLUMN_KEY, COLUMN_TYPE, COLUMN_DEFAULT, COLUMNS };

static void cell(const dt_field *field, const char *prefix, int column, char out[DT_TEXT_MAX]) {
    char limits[96] = "";
    if (column == COLUMN_KEY) {
        snprintf(out, DT_TEXT_MAX, "%s%s", prefix, field->key);
    } else if (column == COLUMN_TYPE) {
        bool limited = field->type == DT_FIELD_INT || field->type == DT_FIELD_REAL || field->type == DT_FIELD_LIST;
        if (limited) limits_signs(field, limits, sizeof limits);
        snprintf(out, DT_TEXT_MAX, "%s%s", types[field->type].word, limits);
    } else {
        const char *empty = field->fallback ? "\"\"" : "(required)";
        snprintf(out, DT_TEXT_MAX, "%s", field->fallback && field->fallback[0] ? field->fallback : empty);
    }
}

static void print_help(FILE *stream, const dt_field *field, const char *prefix, const int widths[COLUMNS]) {
    char text[DT_TEXT_MAX];
    for (int column = 0; column < COLUMNS; column++) {
        cell(field, prefix, column, text);
        fprintf(stream, "%-*s  ", widths[column], text);
    }
    fprintf(stream, "%s", field->help);
    if (field->type == DT_FIELD_CHOICE) {
        choices_words(field, text, sizeof text);
        fprintf(stream, ": %s", text);
    }
    fprintf(stream, "%s\n", field->flags & DT_FIELD_SHORTHAND ? " (shorthand)" : "");
}

char *dt_fields_help(const dt_field *table, const char *prefix) {
    int widths[COLUMNS] = {0};
    char text[DT_TEXT_MAX];
    for (const dt_field *field = table; field->key; field++)
        for (int column = 0; column < COLUMNS; column++) {
            cell(field, prefix, column, text);
            if ((int)strlen(text) > widths[column]) widths[column] = (int)strlen(text);
        }
    char *help = NULL;
    size_t length;
    FILE *stream = open_memstream(&help, &length);
    if (!stream) return NULL;
    for (const dt_field *field = table; field->key; field++) {
        size_t group = strcspn(field->key, ".");
        bool grouped = field->key[group] == '.';
        if (field > table && grouped && strncmp(field->key, field[-1].key, group + 1) != 0) fputc('\n', stream);
        print_help(stream, field, prefix, widths);
    }
    char *copy = fclose(stream) == 0 ? dt_strdup(help) : NULL;
    free(help);
    return copy;
}
