/* Fields by their text alone. Numbers are read more strictly than strtod would: "0x10", "1d3" and "nan" are none. */
#include "csv_values.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/escape.h"
#include "base/memory.h"
#include "csv.h"

#define MOST_NUMBER 400 /* characters */

/* ---- missing values ---- */

static dt_status keep_missing(dt_csv_notation *out, dt_csv *list) {
    size_t bytes = 0, count = dt_csv_count(list);
    for (size_t i = 0; i < count; i++) bytes += strlen(dt_csv_field(list, i)) + 1;
    out->missing = dt_alloc(bytes + 1, 1);
    out->missing_at = dt_alloc(count, sizeof *out->missing_at);
    if (!out->missing || !out->missing_at) return dt_fail_memory("the texts of missing values", bytes);
    char *at = out->missing;
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(dt_csv_field(list, i)) + 1;
        out->missing_at[i] = memcpy(at, dt_csv_field(list, i), length);
        at += length;
    }
    out->missing_count = (int)count;
    return dt_ok();
}

dt_status dt_csv_notation_open(dt_csv_notation *out, char decimal, const char *missing) {
    *out = (dt_csv_notation){.decimal = decimal};
    dt_csv *list;
    bool more;
    DT_TRY(dt_csv_open_text(&list, "--missing", missing, strlen(missing), ','));
    dt_status status = dt_csv_next(list, &more);
    if (status.code == DT_OK && more) status = keep_missing(out, list);
    dt_csv_close(list);
    return status;
}

void dt_csv_notation_finish(dt_csv_notation *notation) {
    dt_free(notation->missing);
    dt_free(notation->missing_at);
    *notation = (dt_csv_notation){0};
}

bool dt_csv_is_missing(const dt_csv_notation *notation, const char *field) {
    if (!*field) return true;
    for (int i = 0; i < notation->missing_count; i++)
        if (strcmp(field, notation->missing_at[i]) == 0) return true;
    return false;
}

/* ---- numbers ---- */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* What a number's text says: digits * 10^power. */
typedef struct decimal {
    uint64_t digits; /* exact while count <= 18 */
    int count;       /* of digits, without zeros before the first other one */
    long power;
    bool any, minus;
} decimal;

static const char *take_digits(decimal *d, const char *at, bool fraction) {
    for (; is_digit(*at); at++) {
        d->any = true;
        d->power -= fraction;
        if (d->count > 0 || *at != '0') d->count++;
        if (d->count <= 18) d->digits = 10 * d->digits + (uint64_t)(*at - '0');
    }
    return at;
}

/* [+-] digits [. digits] [e [+-] digits], with a digit before the exponent. */
static bool read_decimal(decimal *d, const char *at, char mark) {
    d->minus = *at == '-';
    at += *at == '+' || *at == '-';
    at = take_digits(d, at, false);
    if (*at == mark) at = take_digits(d, at + 1, true);
    if (!d->any) return false;
    if (*at != 'e' && *at != 'E') return *at == '\0';
    at++;
    bool minus = *at == '-';
    long power = 0;
    at += *at == '+' || *at == '-';
    if (!is_digit(*at)) return false;
    for (; is_digit(*at); at++)
        if (power < 100000) power = 10 * power + (*at - '0');
    d->power += minus ? -power : power;
    return *at == '\0';
}

/* Both factors are exact, so the one operation rounds right (Clinger 1990, "How to read floating point numbers
 * accurately"). */
static bool is_short(const decimal *d, double *value) {
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (d->count > 15 || d->power < -22 || d->power > 22) return false;
    double digits = (double)d->digits;
    *value = d->power < 0 ? digits / powers[-d->power] : digits * powers[d->power];
    if (d->minus) *value = -*value;
    return true;
}

bool dt_csv_number(const dt_csv_notation *notation, const char *field, double *value) {
    decimal d = {0};
    if (!read_decimal(&d, field, notation->decimal)) return false;
    if (is_short(&d, value)) return true;
    size_t length = strlen(field);
    char copy[MOST_NUMBER];
    if (length >= MOST_NUMBER) return false;
    memcpy(copy, field, length + 1);
    char *mark = strchr(copy, notation->decimal);
    if (mark) *mark = '.';
    *value = strtod(copy, NULL);
    return true;
}

bool dt_csv_is_infinite(const char *field) {
    field += *field == '+' || *field == '-';
    return strcasecmp(field, "inf") == 0 || strcasecmp(field, "infinity") == 0;
}

bool dt_csv_is_utf8(const char *field) {
    size_t length = strlen(field);
    uint32_t point;
    for (size_t at = 0; at < length;) {
        int bytes = dt_utf8_take((const uint8_t *)field + at, length - at, &point);
        if (bytes <= 0) return false;
        at += (size_t)bytes;
    }
    return true;
}

/* ---- dates ---- */

/* Up to `most` digits, at least one; how many there are. */
static int digits_of(const char **at, int most) {
    int count = 0;
    for (; count < most && is_digit(**at); (*at)++) count++;
    return count;
}

static bool is_day(const char *at) {
    int first = digits_of(&at, 4);
    char mark = *at;
    if (first == 0 || first == 3 || !strchr("-/.", mark) || !mark) return false;
    at++;
    if (digits_of(&at, 2) == 0 || *at != mark) return false;
    at++;
    int last = digits_of(&at, first == 4 ? 2 : 4);
    return last > 0 && last != 3 && (!*at || *at == ' ' || *at == 'T');
}

static bool is_hour(const char *at) {
    if (digits_of(&at, 2) == 0 || *at != ':') return false;
    at++;
    return digits_of(&at, 2) == 2 && (!*at || *at == ':' || *at == ' ');
}

bool dt_csv_is_date(const char *field) {
    return is_day(field) || is_hour(field);
}
