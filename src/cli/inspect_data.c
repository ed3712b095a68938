/* What `inspect` says of a data set besides its tree: what values it has, how many of each class, and a few samples. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/append.h"
#include "base/escape.h"
#include "base/log.h"
#include "base/memory.h"
#include "data/survey.h"
#include "inspect_data.h"

#define LINE 100
#define SHOWN_ROWS 4
#define SHOWN_COLUMNS 8
#define SHOWN_FREQUENT 10 /* classes, where there are too many to show all */

static int64_t row_of(const dt_survey_set *s) {
    return s->shape.rank > 0 && s->shape.dim[0] > 0 ? dt_shape_count(&s->shape) / s->shape.dim[0] : 0;
}

static void print_values(const dt_survey_set *s) {
    char line[400] = "", name[120];
    dt_append(line, sizeof line, "  %s: %.6g to %.6g, mean %.6g", dt_escape_name(name, sizeof name, s->path), s->least,
              s->most, s->mean);
    if (s->missing) dt_append(line, sizeof line, "; %lld missing (not a number)", (long long)s->missing);
    if (s->infinite) dt_append(line, sizeof line, "; %lld infinite", (long long)s->infinite);
    if (s->rows < s->shape.dim[0]) dt_append(line, sizeof line, "; of the first %lld rows", (long long)s->rows);
    dt_log_info("%s", line);
}

/* "3 different: ", "300 different texts, the most frequent: " */
static void head_of_classes(const dt_survey_set *s, char *line, size_t size) {
    const bool most = s->distinct > DT_SURVEY_CLASSES;
    const char *what = s->strings ? "different texts" : s->hot ? "classes, one-hot" : "different";
    dt_append(line, size, "    %d %s%s: ", s->distinct, what, most ? ", the most frequent" : "");
}

static void print_classes(const dt_survey_set *s) {
    char line[LINE + 80] = "";
    const bool named = s->class_count > 0 && s->classes[0].name[0], most = s->distinct > DT_SURVEY_CLASSES;
    if (strstr(s->path, "tokens") || s->distinct < (s->strings ? 1 : 2) || (most && !named)) return;
    head_of_classes(s, line, sizeof line);
    int32_t shown = most ? SHOWN_FREQUENT : s->class_count;
    for (int32_t i = 0; i < shown; i++) {
        const dt_survey_class *c = &s->classes[i];
        char name[70];
        if (strlen(line) > LINE) {
            dt_log_info("%.*s", (int)strlen(line) - 1, line);
            snprintf(line, sizeof line, "      ");
        }
        if (c->name[0])
            dt_append(line, sizeof line, "%s", dt_escape_name(name, sizeof name, c->name));
        else
            dt_append(line, sizeof line, "%lld", (long long)c->value);
        dt_append(line, sizeof line, " in %lld%s", (long long)c->count, i + 1 < shown ? ", " : " rows");
    }
    dt_log_info("%s", line);
}

/* What labels they would be, or why none. */
static void print_strings(const dt_survey_set *s) {
    char line[700] = "", name[120];
    const bool own = s->distinct > 1 && s->distinct == s->rows - s->missing;
    dt_append(line, sizeof line, "  %s: texts", dt_escape_name(name, sizeof name, s->path));
    if (s->missing) dt_append(line, sizeof line, "; %lld empty", (long long)s->missing);
    if (own) dt_append(line, sizeof line, "; another one in every row");
    if (s->rows > s->missing && s->distinct == 0)
        dt_append(line, sizeof line, "; more than %d different ones", DT_SURVEY_DISTINCT);
    if (s->rows < s->shape.dim[0]) dt_append(line, sizeof line, "; of the first %lld rows", (long long)s->rows);
    dt_log_info("%s", line);
    if (!own) print_classes(s);
}

/* ---- samples ---- */

typedef struct view {
    const dt_survey_set *set;
    int64_t height, width, channels;
    int64_t cell; /* pixels of a character; twice as many rows, for characters are higher than wide */
} view;

static double shade(const view *v, int64_t row, int64_t column) {
    double sum = 0;
    int64_t count = 0;
    for (int64_t y = row * 2 * v->cell; y < (row + 1) * 2 * v->cell && y < v->height; y++)
        for (int64_t x = column * v->cell; x < (column + 1) * v->cell && x < v->width; x++)
            for (int64_t c = 0; c < v->channels; c++, count++)
                sum += v->set->sample[(y * v->width + x) * v->channels + c];
    return (sum / (double)count - v->set->least) / (v->set->most - v->set->least);
}

/* A picture as characters, where a sample is one that is kept whole. */
static bool print_picture(const dt_survey_set *s) {
    static const char shades[] = " .:-=+*#%@";
    view v = {.set = s, .channels = 1};
    const int64_t *dim = s->shape.dim;
    if (s->shape.rank < 3 || s->shape.rank > 4 || row_of(s) > s->sample_count || !(s->most > s->least)) return false;
    v.height = dim[1], v.width = dim[2];
    if (s->shape.rank == 4) v.channels = dim[3];
    if (v.channels > 4 || v.height < 8 || v.width < 8) return false;
    v.cell = (v.width + LINE - 25) / (LINE - 24);
    dt_log_info("  the first of %s:", s->path);
    for (int64_t row = 0; row * 2 * v.cell < v.height; row++) {
        char line[LINE + 8] = "    ";
        size_t at = 4;
        for (int64_t column = 0; column * v.cell < v.width && at < LINE; column++) {
            double value = shade(&v, row, column);
            line[at++] = shades[value > 0 ? (int)fmin(9, value * 10) : 0];
        }
        while (at > 4 && line[at - 1] == ' ') at--;
        line[at] = '\0';
        dt_log_info("%s", line);
    }
    return true;
}

static void print_rows(const dt_survey_set *s) {
    int64_t row = row_of(s), columns = row < SHOWN_COLUMNS ? row : SHOWN_COLUMNS;
    dt_log_info("  the first rows of %s:", s->path);
    for (int64_t r = 0; r < SHOWN_ROWS && r < s->shape.dim[0] && (r + 1) * row <= s->sample_count; r++) {
        char line[SHOWN_COLUMNS * 16 + 16] = "   ";
        for (int64_t c = 0; c < columns; c++) dt_append(line, sizeof line, " %10.5g", s->sample[r * row + c]);
        if (columns < row) dt_append(line, sizeof line, " ...");
        dt_log_info("%s", line);
    }
}

static bool is_samples(const dt_survey_set *s) {
    size_t length = strlen(s->path);
    return !s->fault[0] && !s->text && !s->strings && s->rows > 0 && row_of(s) > 1 && length > 1 &&
           (s->path[length - 1] == 'x' || s->path[length - 1] == 'X');
}

bool dt_inspect_survey(const dt_survey *survey) {
    bool any = false;
    for (int32_t i = 0; i < survey->count; i++) {
        const dt_survey_set *s = &survey->sets[i];
        if (s->fault[0] && s->strings && s->shape.rank > 0) dt_log_info("  no labels: %s", s->fault);
        if (s->fault[0] || s->text || s->rows == 0) continue;
        if (s->strings) print_strings(s);
        if (!s->strings) print_values(s);
        if (!s->strings) print_classes(s);
        any = true;
    }
    const dt_survey_set *samples = dt_survey_find(survey, "/train/x");
    for (int32_t i = 0; i < survey->count && !samples; i++)
        if (is_samples(&survey->sets[i])) samples = &survey->sets[i];
    if (samples && is_samples(samples) && !print_picture(samples)) print_rows(samples);
    return any;
}

dt_status dt_inspect_data(const char *path) {
    dt_survey *survey;
    DT_TRY(dt_survey_open(&survey, path, NULL));
    if (dt_inspect_survey(survey)) dt_log_info("  dtrain init %s writes a recipe for it", path);
    dt_free(survey);
    return dt_ok();
}
