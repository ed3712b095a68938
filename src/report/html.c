#include "html.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/memory.h"

void dt_html_text(FILE *to, const char *text, bool lines) {
    size_t length = strlen(text), room = dt_escape(NULL, 0, text, length, lines) + 1;
    char *shown = dt_alloc(room, 1);
    if (!shown) return;
    dt_escape(shown, room, text, length, lines);
    for (const char *c = shown; *c; c++) {
        switch (*c) {
        case '&': fputs("&amp;", to); break;
        case '<': fputs("&lt;", to); break;
        case '>': fputs("&gt;", to); break;
        case '"': fputs("&quot;", to); break;
        case '\'': fputs("&#39;", to); break;
        default: putc(*c, to);
        }
    }
    dt_free(shown);
}

/* What could end a string, the script or a line is a number. */
static void put_json(FILE *to, uint32_t point, const uint8_t *bytes, int length) {
    if (point < 0x20 || point == '"' || point == '\\' || point == '<' || point == '>' || point == '&' ||
        point == 0x7f || point == 0x2028 || point == 0x2029)
        fprintf(to, "\\u%04x", (unsigned)point);
    else
        fwrite(bytes, 1, (size_t)length, to);
}

void dt_html_json_raw(FILE *to, const char *text) {
    const uint8_t *at = (const uint8_t *)text;
    putc('"', to);
    for (size_t left = strlen(text); left > 0;) {
        uint32_t point = 0;
        int length = dt_utf8_take(at, left, &point);
        if (length > 0)
            put_json(to, point, at, length);
        else
            fputs("\\ufffd", to);
        if (length <= 0) length = 1;
        at += length;
        left -= (size_t)length;
    }
    putc('"', to);
}

void dt_html_json_text(FILE *to, const char *text) {
    size_t length = strlen(text), room = dt_escape(NULL, 0, text, length, false) + 1;
    char *shown = dt_alloc(room, 1);
    if (shown) dt_escape(shown, room, text, length, false);
    dt_html_json_raw(to, shown ? shown : "");
    dt_free(shown);
}

void dt_html_json_number(FILE *to, double value) {
    char text[40] = "null";
    for (int digits = 9; isfinite(value) && digits <= 17; digits += digits == 9 ? 6 : 1) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        double back = strtod(text, NULL);
        if (!(back < value) && !(back > value)) break;
    }
    fputs(text, to);
}

void dt_html_number(FILE *to, double value, int digits) {
    char text[64];
    if (!isfinite(value)) {
        fputs(isnan(value) ? "–" : value > 0 ? "∞" : "-∞", to);
        return;
    }
    if (fabs(value) >= 1000 && fabs(value) < 1e15)
        snprintf(text, sizeof text, "%.0f", value);
    else
        snprintf(text, sizeof text, "%.*g", digits, value);
    size_t whole = strspn(text, "-0123456789"), sign = text[0] == '-';
    bool grouped = text[whole] == '\0' && whole - sign > 3;
    for (size_t i = 0; text[i]; i++) {
        if (grouped && i > sign && (whole - i) % 3 == 0) fputs("\u202f", to);
        putc(text[i], to);
    }
}

void dt_html_seconds(FILE *to, double seconds) {
    if (!(seconds >= 0)) {
        fputs("–", to);
    } else if (seconds < 10) {
        fprintf(to, "%.2g s", seconds);
    } else if (seconds < 120) {
        fprintf(to, "%.0f s", seconds);
    } else if (seconds < 7200) {
        fprintf(to, "%.0f min", floor(seconds / 60));
        if (seconds < 600) fprintf(to, " %02.0f s", floor(fmod(seconds, 60)));
    } else if (seconds < 2 * 86400.0) {
        fprintf(to, "%.0f h %02.0f min", floor(seconds / 3600), floor(fmod(seconds, 3600) / 60));
    } else {
        fprintf(to, "%.0f d %.0f h", floor(seconds / 86400), floor(fmod(seconds, 86400) / 3600));
    }
}
