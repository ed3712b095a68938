/* A type of field is one row of `dt_value_types`. Numbers are read more strictly than strtod would: what looks like a
 * number in one YAML version and like a word in the next ("0x10", "1_000", ".nan") is refused, because a recipe decides
 * what is computed and must mean the same to everyone who reads it. */
#include "field_types.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/append.h"

static bool has_minimum(const dt_field *field) {
    return isfinite(field->min) && (field->min != 0 || field->max != 0 || (field->flags & DT_FIELD_ABOVE));
}

bool dt_field_has_maximum(const dt_field *field) {
    return isfinite(field->max) && field->max > field->min;
}

static dt_verdict within(const dt_field *field, double number) {
    bool low = has_minimum(field) && (field->flags & DT_FIELD_ABOVE ? number <= field->min : number < field->min);
    bool high =
        dt_field_has_maximum(field) && (field->flags & DT_FIELD_BELOW ? number >= field->max : number > field->max);
    return low || high ? DT_OUT_OF_LIMITS : DT_FITS;
}

void dt_limits_words(const dt_field *field, char *out, size_t size) {
    const char *low = field->flags & DT_FIELD_ABOVE ? "greater than" : "at least";
    const char *high = field->flags & DT_FIELD_BELOW ? "less than" : "at most";
    if (has_minimum(field) && dt_field_has_maximum(field))
        snprintf(out, size, "%s %.15g and %s %.15g", low, field->min, high, field->max);
    else if (has_minimum(field))
        snprintf(out, size, "%s %.15g", low, field->min);
    else
        snprintf(out, size, "%s %.15g", high, field->max);
}

void dt_limits_signs(const dt_field *field, char *out, size_t size) {
    bool above = field->flags & DT_FIELD_ABOVE, below = field->flags & DT_FIELD_BELOW;
    if (has_minimum(field) && dt_field_has_maximum(field))
        snprintf(out, size, " in %c%.15g, %.15g%c", above ? '(' : '[', field->min, field->max, below ? ')' : ']');
    else if (has_minimum(field))
        snprintf(out, size, " %s %.15g", above ? ">" : ">=", field->min);
    else if (dt_field_has_maximum(field))
        snprintf(out, size, " %s %.15g", below ? "<" : "<=", field->max);
    else
        snprintf(out, size, "%s", "");
}

void dt_choices_words(const dt_field *field, char *out, size_t size) {
    out[0] = '\0';
    for (int i = 0; field->choices[i]; i++)
        dt_append(out, size, "%s%s", i == 0 ? "" : field->choices[i + 1] ? ", " : " or ", field->choices[i]);
}

static const struct {
    const char *word;
    bool truth;
} truths[] = {{"true", true}, {"false", false}, {"yes", true}, {"no", false}, {"on", true}, {"off", false}};

static dt_verdict read_bool(const dt_field *field, const char *text, dt_value *out) {
    (void)field;
    for (size_t i = 0; i < sizeof truths / sizeof truths[0]; i++) {
        if (strcasecmp(text, truths[i].word) != 0) continue;
        out->truth = truths[i].truth;
        return DT_FITS;
    }
    return DT_WRONG_TYPE;
}

static void write_bool(const dt_field *field, const dt_value *in, char out[DT_VALUE_TEXT]) {
    (void)field;
    snprintf(out, DT_VALUE_TEXT, "%s", in->truth ? "true" : "false");
}

static dt_verdict read_int(const dt_field *field, const char *text, dt_value *out) {
    const char *digits = text + (text[0] == '-' || text[0] == '+');
    if (!*digits || digits[strspn(digits, "0123456789")]) return DT_WRONG_TYPE;
    errno = 0;
    out->whole = strtoll(text, NULL, 10);
    return errno == ERANGE ? DT_TOO_LARGE : within(field, (double)out->whole);
}

static void write_int(const dt_field *field, const dt_value *in, char out[DT_VALUE_TEXT]) {
    (void)field;
    snprintf(out, DT_VALUE_TEXT, "%lld", (long long)in->whole);
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

static dt_verdict read_real(const dt_field *field, const char *text, dt_value *out) {
    const char *end = number_end(text);
    if (!end || *end) return DT_WRONG_TYPE;
    out->real = strtod(text, NULL);
    return isfinite(out->real) ? within(field, out->real) : DT_TOO_LARGE;
}

static void write_number(double number, char *out, size_t size) {
    for (int digits = 9; digits <= 17; digits++) {
        snprintf(out, size, "%.*g", digits, number);
        if (strtod(out, NULL) == number) return;
    }
}

static void write_real(const dt_field *field, const dt_value *in, char out[DT_VALUE_TEXT]) {
    (void)field;
    write_number(in->real, out, DT_VALUE_TEXT);
}

static dt_verdict read_line(const dt_field *field, const char *text, char *out, size_t room) {
    size_t length = strlen(text);
    if (length >= room) return DT_TOO_LARGE;
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F) return DT_WRONG_TYPE;
    memset(out, 0, room);
    memcpy(out, text, length + 1);
    return within(field, (double)length);
}

static dt_verdict read_text(const dt_field *field, const char *text, dt_value *out) {
    return read_line(field, text, out->text, sizeof out->text);
}

static dt_verdict read_texts(const dt_field *field, const char *text, dt_value *out) {
    return read_line(field, text, out->texts, sizeof out->texts);
}

static void write_text(const dt_field *field, const dt_value *in, char out[DT_VALUE_TEXT]) {
    (void)field;
    snprintf(out, DT_VALUE_TEXT, "%s", in->texts);
}

static dt_verdict read_choice(const dt_field *field, const char *text, dt_value *out) {
    for (int i = 0; field->were && field->were[i]; i += 2)
        if (strcmp(text, field->were[i]) == 0) text = field->were[i + 1];
    for (int i = 0; field->choices[i]; i++) {
        if (strcmp(text, field->choices[i]) != 0) continue;
        out->choice = i;
        return DT_FITS;
    }
    return DT_WRONG_TYPE;
}

static void write_choice(const dt_field *field, const dt_value *in, char out[DT_VALUE_TEXT]) {
    snprintf(out, DT_VALUE_TEXT, "%s", field->choices[in->choice]);
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

static dt_verdict read_span(const dt_field *field, const char *text, dt_value *out) {
    bool word = field->choices && strcmp(text, field->choices[0]) == 0;
    out->span = (dt_span){0, word ? DT_SPAN_BUDGET : DT_SPAN_NEVER};
    if (word || strcasecmp(text, "never") == 0) return within(field, 0);
    const char *end = number_end(text);
    dt_span span = {end ? strtod(text, NULL) : -1, DT_SPAN_NEVER};
    if (!end || span.value < 0) return DT_WRONG_TYPE;
    if (!read_unit(end + strspn(end, " "), &span)) return DT_WRONG_TYPE;
    if (!isfinite(span.value)) return DT_TOO_LARGE;
    if (span.unit == DT_SPAN_STEPS && span.value != floor(span.value)) return DT_WRONG_TYPE;
    if (span.value > 0) out->span = span;
    return within(field, span.value);
}

static void write_span(const dt_field *field, const dt_value *in, char out[DT_VALUE_TEXT]) {
    static const char *const names[] = {[DT_SPAN_STEPS] = "step", [DT_SPAN_SECONDS] = "s", [DT_SPAN_EPOCHS] = "epoch"};
    if (in->span.unit == DT_SPAN_NEVER || in->span.unit == DT_SPAN_BUDGET) {
        snprintf(out, DT_VALUE_TEXT, "%s", in->span.unit == DT_SPAN_NEVER ? "never" : field->choices[0]);
        return;
    }
    char number[40];
    write_number(in->span.value, number, sizeof number);
    bool plural = in->span.unit != DT_SPAN_SECONDS && in->span.value != 1;
    snprintf(out, DT_VALUE_TEXT, "%s %s%s", number, names[in->span.unit], plural ? "s" : "");
}

static dt_verdict read_percent(const dt_field *field, const char *text, dt_value *out) {
    const char *end = number_end(text);
    if (!end) return DT_WRONG_TYPE;
    end += strspn(end, " ");
    if (*end && strcmp(end, "%") != 0) return DT_WRONG_TYPE;
    out->real = strtod(text, NULL);
    return isfinite(out->real) ? within(field, out->real) : DT_TOO_LARGE;
}

static void write_percent(const dt_field *field, const dt_value *in, char out[DT_VALUE_TEXT]) {
    char number[40];
    (void)field;
    write_number(in->real, number, sizeof number);
    snprintf(out, DT_VALUE_TEXT, "%s %%", number);
}

/* The next of a list's items, "[1, 2]", or "1" for a list of one; *more: another follows. NULL: it is no such list. */
static const char *next_item(const char *at, char item[64], bool *more) {
    at += strspn(at, " ");
    size_t length = strcspn(at, " ,]");
    if (length >= 64) return NULL;
    snprintf(item, 64, "%.*s", (int)length, at);
    at += length;
    at += strspn(at, " ");
    *more = *at == ',';
    return at + *more;
}

static const struct {
    const char *name;
    int64_t bytes;
} sizes[] = {{"TB", 1000000000000},
             {"TiB", INT64_C(1) << 40},
             {"GB", 1000000000},
             {"GiB", 1 << 30},
             {"MB", 1000000},
             {"MiB", 1 << 20},
             {"kB", 1000},
             {"KiB", 1 << 10},
             {"B", 1},
             {"", 1},
             {"KB", 1000}};

static dt_verdict read_bytes(const dt_field *field, const char *text, dt_value *out) {
    const char *end = number_end(text);
    if (!end || *text == '-') return DT_WRONG_TYPE;
    const char *unit = end + strspn(end, " ");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (strcmp(unit, sizes[i].name) != 0) continue;
        double bytes = strtod(text, NULL) * (double)sizes[i].bytes;
        if (!(bytes < 0x1p62)) return DT_TOO_LARGE;
        out->whole = (int64_t)bytes;
        return (double)out->whole < bytes ? DT_WRONG_TYPE : within(field, bytes);
    }
    return DT_WRONG_TYPE;
}

/* In the largest unit that it is a whole number of. */
static void write_bytes(const dt_field *field, const dt_value *in, char out[DT_VALUE_TEXT]) {
    (void)field;
    size_t i = 0;
    while (sizes[i].bytes > 1 && (in->whole == 0 || in->whole % sizes[i].bytes != 0)) i++;
    bool plain = sizes[i].bytes == 1;
    snprintf(out, DT_VALUE_TEXT, "%lld%s%s", (long long)(in->whole / sizes[i].bytes), plain ? "" : " ",
             plain ? "" : sizes[i].name);
}

static dt_verdict read_list(const dt_field *field, const char *text, dt_value *out) {
    dt_shape list = {0, {0}};
    const char *at = text + (*text == '[');
    for (bool more = true; more; list.rank++) {
        char number[64];
        dt_value item;
        if (list.rank == DT_MAX_RANK || !(at = next_item(at, number, &more))) return DT_WRONG_TYPE;
        dt_verdict why = read_int(field, number, &item);
        if (why != DT_FITS) return why;
        list.dim[list.rank] = item.whole;
    }
    if (strcmp(at, text[0] == '[' ? "]" : "") != 0) return DT_WRONG_TYPE;
    out->list = list;
    return DT_FITS;
}

static void write_list(const dt_field *field, const dt_value *in, char out[DT_VALUE_TEXT]) {
    (void)field;
    out[0] = '\0';
    for (int i = 0; i < in->list.rank; i++)
        dt_append(out, DT_VALUE_TEXT, "%s%lld", i ? ", " : "[", (long long)in->list.dim[i]);
    dt_append(out, DT_VALUE_TEXT, "]");
}

/* Without brackets one number: "1,5" is somebody's decimal comma. */
static dt_verdict read_reals(const dt_field *field, const char *text, dt_value *out) {
    for (int i = 0; field->choices && field->choices[i]; i++)
        if (strcmp(text, field->choices[i]) == 0) {
            out->reals = (dt_reals){.count = -i};
            return DT_FITS;
        }
    dt_reals reals = {0};
    const int most = *text == '[' ? DT_MOST_REALS : 1;
    const char *at = text + (*text == '[');
    for (bool more = true; more; reals.count++) {
        char number[64];
        dt_value item;
        if (reals.count == most || !(at = next_item(at, number, &more))) return DT_WRONG_TYPE;
        dt_verdict why = read_real(field, number, &item);
        if (why != DT_FITS) return why;
        reals.value[reals.count] = item.real;
    }
    if (strcmp(at, text[0] == '[' ? "]" : "") != 0) return DT_WRONG_TYPE;
    out->reals = reals;
    return DT_FITS;
}

/* One number has no brackets. */
static void write_reals(const dt_field *field, const dt_value *in, char out[DT_VALUE_TEXT]) {
    if (in->reals.count <= 0 && field->choices) {
        snprintf(out, DT_VALUE_TEXT, "%s", field->choices[-in->reals.count]);
        return;
    }
    (void)field;
    char number[40];
    out[0] = '\0';
    for (int i = 0; i < in->reals.count; i++) {
        write_number(in->reals.value[i], number, sizeof number);
        dt_append(out, DT_VALUE_TEXT, "%s%s", i ? ", " : in->reals.count > 1 ? "[" : "", number);
    }
    if (in->reals.count > 1) dt_append(out, DT_VALUE_TEXT, "]");
}

const dt_value_type dt_value_types[] = {
    [DT_FIELD_BOOL] = {"true or false", "", "true/false", sizeof(bool), read_bool, write_bool},
    [DT_FIELD_INT] = {"a whole number", "within ±9223372036854775807", "whole number", sizeof(int64_t), read_int,
                      write_int},
    [DT_FIELD_REAL] = {"a number", "within ±1.7e308", "number", sizeof(double), read_real, write_real},
    [DT_FIELD_TEXT] = {"one line of text", "at most 255 bytes long", "text", DT_TEXT_MAX, read_text, write_text},
    [DT_FIELD_TEXTS] = {"one line of text", "at most 2047 bytes long", "text or list of texts", DT_VALUE_TEXT,
                        read_texts, write_text},
    [DT_FIELD_DATASETS] = {"one line of text", "at most 2047 bytes long", "dataset, list or map of datasets",
                           DT_VALUE_TEXT, read_texts, write_text},
    [DT_FIELD_CHOICE] = {"", "", "choice", sizeof(int), read_choice, write_choice},
    [DT_FIELD_SPAN] = {"a span such as 200 steps, 90 s, 15 min, 1 epoch or never", "within ±1.7e308", "span",
                       sizeof(dt_span), read_span, write_span},
    [DT_FIELD_PERCENT] = {"a share such as 1 % or 0.5 %", "within ±1.7e308", "percent", sizeof(double), read_percent,
                          write_percent},
    [DT_FIELD_BYTES] = {"a size such as 2 GB, 512 MiB or 0", "below 2^62 bytes", "size", sizeof(int64_t), read_bytes,
                        write_bytes},
    [DT_FIELD_LIST] = {"a list of at most 6 whole numbers, as in [28, 28, 1]", "within ±9223372036854775807",
                       "list of whole numbers", sizeof(dt_shape), read_list, write_list},
    [DT_FIELD_REALS] = {"a number, or a list of at most 64 numbers, as in [0.5, 2]", "within ±1.7e308",
                        "number or list", sizeof(dt_reals), read_reals, write_reals},
};
