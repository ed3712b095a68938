#include "config/numbered.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/append.h"
#include "base/escape.h"

#define LARGEST 1e9

/* The number of "(0.5)", all of it; NAN where that is none. */
static double number_of(const char *text) {
    if (*text != '(') return NAN;
    const char *digits = text + 1;
    size_t length = strspn(digits, "0123456789.eE+-");
    char *end;
    double number = strtod(digits, &end);
    return length > 0 && end == digits + length && strcmp(end, ")") == 0 ? number : NAN;
}

static bool fits(const dt_numbered *row, double number) {
    if (!(number > 0 && number <= LARGEST)) return false;
    return !row->whole || number == floor(number);
}

static dt_status refuse(const dt_numbered *table, const char *text) {
    char name[64], words[256] = "";
    for (const dt_numbered *row = table; row->name; row++) {
        const char *between = row == table ? "" : row[1].name ? ", " : " or ";
        dt_append(words, sizeof words, "%s%s", between, row->name);
        if (row->sign)
            dt_append(words, sizeof words, row->whole ? "(%s), %s a whole number from 1 on" : "(%s), %s above 0",
                      row->sign, row->sign);
    }
    return dt_fail(DT_ERR_INPUT, "\"%s\" is not %s", dt_escape_name(name, sizeof name, text), words);
}

dt_status dt_numbered_read(const dt_numbered *table, const char *text, int *row, double *number) {
    for (int i = 0; table[i].name; i++) {
        size_t length = strlen(table[i].name);
        if (strncmp(text, table[i].name, length) != 0) continue;
        *row = i;
        *number = table[i].sign ? number_of(text + length) : 0;
        if (table[i].sign ? fits(&table[i], *number) : text[length] == '\0') return dt_ok();
    }
    return refuse(table, text);
}
