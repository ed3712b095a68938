#include "metrics_row.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* In nine digits where that is the number, in seventeen where it is not: what is read back is what was recorded. */
static void put_number(FILE *to, double value) {
    char text[32];
    snprintf(text, sizeof text, "%.9g", value);
    if (strtod(text, NULL) < value || strtod(text, NULL) > value) snprintf(text, sizeof text, "%.17g", value);
    fputs(isfinite(value) ? text : "null", to);
}

void dt_metrics_row_put(FILE *to, const dt_metrics_series *series, const double *values) {
    fprintf(to, "{\"series\":\"%s\"", series->name);
    for (int i = 0; series->columns[i]; i++) {
        fprintf(to, ",\"%s\":", series->columns[i]);
        put_number(to, values[i]);
        if (isinf(values[i])) fprintf(to, ",\"%s_was\":\"%s\"", series->columns[i], values[i] > 0 ? "inf" : "-inf");
    }
    fputs("}\n", to);
}

bool dt_metrics_row_is_of(const char *line, const dt_metrics_series *series) {
    char key[96];
    snprintf(key, sizeof key, "{\"series\":\"%s\",", series->name);
    return strncmp(line, key, strlen(key)) == 0;
}

/* What follows "name": or "name_was": in the line; NULL: it has no such key. */
static const char *find_value(const char *line, const char *name, const char *suffix) {
    char key[96];
    snprintf(key, sizeof key, "\"%s%s\":", name, suffix);
    const char *at = strstr(line, key);
    return at ? at + strlen(key) : NULL;
}

static double value_of(const char *line, const char *name) {
    const char *at = find_value(line, name, "");
    if (!at) return (double)NAN;
    if (strncmp(at, "null", 4) != 0) return strtod(at, NULL);
    const char *was = find_value(line, name, "_was");
    if (was && strncmp(was, "\"inf\"", 5) == 0) return (double)INFINITY;
    return was && strncmp(was, "\"-inf\"", 6) == 0 ? -(double)INFINITY : (double)NAN;
}

bool dt_metrics_row_take(const char *line, size_t length, const dt_metrics_series *series, double *values) {
    if (length < 2 || line[length - 1] != '\n' || line[length - 2] != '}') return false;
    for (int i = 0; series->columns[i]; i++) values[i] = value_of(line, series->columns[i]);
    return !isnan(values[0]);
}
