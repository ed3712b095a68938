#include "data.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "html.h"

#define MOST_EVALUATION (256 << 10) /* bytes of evaluation.json that are taken into a page */

typedef struct column {
    FILE *to;
    int number;
    int64_t rows;
} column;

static void put_value(void *context, const double *row) {
    column *c = context;
    if (c->rows++ > 0) putc(',', c->to);
    if (c->number == DT_PLOT_EPOCH || c->number == DT_PLOT_SECONDS)
        fprintf(c->to, "%.7g", isfinite(row[c->number]) ? row[c->number] : 0); /* where it is drawn */
    else
        dt_html_json_number(c->to, row[c->number]);
}

static void put_plot(FILE *to, const dt_view *view, int plot) {
    const dt_plot_table *table = &dt_plots[plot];
    fprintf(to, "\"%s\":{\"rows\":%lld", table->name, (long long)dt_thin_rows(view->plots[plot]));
    for (int i = 0; table->columns[i]; i++) {
        fprintf(to, ",\"%s\":[", table->columns[i]);
        dt_thin_each(view->plots[plot], put_value, &(column){to, i, 0});
        putc(']', to);
    }
    putc('}', to);
}

static void put_marks(FILE *to, const dt_story *story) {
    fputs("\"marks\":{\"starts\":[", to);
    for (int i = 0; i < story->start_count; i++) {
        if (i > 0) putc(',', to);
        dt_html_json_number(to, story->starts[i].step);
    }
    fputs("],\"checkpoints\":[", to);
    for (int i = 0; i < story->checkpoint_count; i++) {
        if (i > 0) putc(',', to);
        dt_html_json_number(to, story->checkpoints[i]);
    }
    fputs("]}", to);
}

/* The figures of `dtrain eval --json`, as they are but for what would end the script; a script that finds them to be no
 * JSON shows none. */
static void put_evaluation(FILE *to, const dt_view *view) {
    char path[4096];
    int fd;
    int64_t bytes;
    if (dt_path_join(path, view->directory, "evaluation.json").code != DT_OK || access(path, F_OK) != 0) return;
    if (dt_file_open(path, &fd, &bytes).code != DT_OK) return;
    char *text = bytes <= MOST_EVALUATION ? dt_alloc((size_t)bytes + 1, 1) : NULL;
    bool whole = text && read(fd, text, (size_t)bytes) == bytes;
    close(fd);
    fputs(",\"evaluation\":", to);
    dt_html_json_raw(to, whole ? text : "\"evaluation.json is too large for a page, or cannot be read\"");
    dt_free(text);
}

/* What the recipe calls its sites. */
static void put_sites(FILE *to, const dt_view *view) {
    const dt_yaml *members = view->tree ? dt_yaml_get(view->tree, "sites.members") : NULL;
    const dt_yaml *member = members && members->kind == DT_YAML_MAP ? members->first : NULL;
    fputs("\"sites\":[", to);
    for (int i = 0; member && i < DT_JOINT_CURVES; i++, member = member->next) {
        if (i > 0) putc(',', to);
        dt_html_json_text(to, member->key ? member->key : "");
    }
    fputs("],", to);
}

static void put_run(FILE *to, const dt_view *view) {
    dt_figure judge = dt_view_judge(view);
    fputs("{\"name\":", to);
    dt_html_json_text(to, view->name);
    fprintf(to, ",\"unit\":\"%s\",\"judges\":\"%s\",\"validated\":%s,\"live\":%s,\"plots\":{",
            view->tokens ? "tokens/s" : "samples/s",
            judge < DT_FIGURE_END ? dt_plots[DT_PLOT_FIGURES].columns[judge] : "", view->validated ? "true" : "false",
            view->live ? "true" : "false");
    for (int i = 0; i < DT_PLOT_COUNT; i++) {
        if (i > 0) putc(',', to);
        put_plot(to, view, i);
    }
    fputs("},", to);
    put_sites(to, view);
    put_marks(to, &view->story);
    if (judge < DT_FIGURE_END) {
        fputs(",\"best\":{\"step\":", to);
        dt_html_json_number(to, view->best[judge][DT_PLOT_STEP]);
        fputs(",\"value\":", to);
        dt_html_json_number(to, view->best[judge][DT_PLOT_FIRST]);
        putc('}', to);
    }
    put_evaluation(to, view);
    putc('}', to);
}

void dt_report_data(FILE *to, const dt_view *views, int count) {
    fputs("{\"runs\":[", to);
    for (int i = 0; i < count; i++) {
        if (i > 0) putc(',', to);
        put_run(to, &views[i]);
    }
    fputs("]}", to);
}
