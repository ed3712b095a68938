/* The help of a table of fields: a line each, in columns. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "field_types.h"

enum { COLUMN_KEY, COLUMN_TYPE, COLUMN_DEFAULT, COLUMNS };

static void cell(const dt_field *field, const char *prefix, int column, char out[DT_TEXT_MAX]) {
    char limits[96] = "";
    if (column == COLUMN_KEY) {
        snprintf(out, DT_TEXT_MAX, "%s%s", prefix, field->key);
    } else if (column == COLUMN_TYPE) {
        bool limited = field->type == DT_FIELD_INT || field->type == DT_FIELD_REAL || dt_is_list(field->type);
        if (limited) dt_limits_signs(field, limits, sizeof limits);
        snprintf(out, DT_TEXT_MAX, "%s%s", dt_value_types[field->type].word, limits);
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
        dt_choices_words(field, text, sizeof text);
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
