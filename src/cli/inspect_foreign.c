/* What `inspect` says of files of which an importer makes a dataset: the columns of a table, NumPy's arrays. */
#include <stdio.h>
#include <string.h>

#include "base/append.h"
#include "base/escape.h"
#include "base/log.h"
#include "base/memory.h"
#include "data/foreign.h"
#include "data/table_look.h"
#include "inspect_data.h"

#define SHOWN_TEXTS 60 /* bytes of a list of texts */

static void append_texts(char *line, size_t size, const dt_table_column *c) {
    int32_t count = dt_categories_count(c->texts);
    char name[48], list[SHOWN_TEXTS + 60] = "";
    int32_t shown = 0;
    for (; shown < count && shown < DT_TABLE_TEXTS && strlen(list) < SHOWN_TEXTS; shown++)
        dt_append(list, sizeof list, "%s%s", shown ? ", " : "",
                  dt_escape_name(name, sizeof name, dt_categories_text(c->texts, shown)));
    dt_append(line, size, "%s%s%d different texts: %s%s", c->numbers || c->dates ? ", and " : "",
              count > DT_TABLE_TEXTS ? "more than " : "", count > DT_TABLE_TEXTS ? DT_TABLE_TEXTS : count, list,
              shown < count ? ", ..." : "");
}

static void print_column(const dt_table_column *c) {
    char line[400] = "", name[40];
    dt_append(line, sizeof line, "  %-20s ", dt_escape_name(name, sizeof name, c->name));
    if (c->numbers)
        dt_append(line, sizeof line, "%lld numbers, %.6g to %.6g, mean %.6g", (long long)c->numbers, c->least, c->most,
                  c->sum / (double)c->numbers);
    if (c->dates)
        dt_append(line, sizeof line, "%s%lld dates or hours, from which nothing is learned (--drop)",
                  c->numbers ? ", and " : "", (long long)c->dates);
    if (c->texts) append_texts(line, sizeof line, c);
    if (c->missing) dt_append(line, sizeof line, "; %lld missing", (long long)c->missing);
    if (!c->numbers && !c->dates && !c->texts) dt_append(line, sizeof line, " (no value in any row)");
    dt_log_info("%s", line);
}

static dt_status print_table(const char *path) {
    dt_table_look look;
    char name[200];
    dt_status status = dt_table_look_open(&look, path);
    if (status.code == DT_OK)
        dt_log_info("%s: %lld rows of %zu columns, separated by %s%s%s", dt_escape_name(name, sizeof name, path),
                    (long long)look.rows, look.count,
                    look.delimiter == '\t'  ? "tabs"
                    : look.delimiter == ';' ? "semicolons"
                    : look.delimiter == '|' ? "bars"
                                            : "commas",
                    look.header ? ", with names in the first line" : ", without names",
                    look.decimal == ',' ? ", with decimal commas" : "");
    for (size_t i = 0; i < look.count && status.code == DT_OK; i++) print_column(&look.columns[i]);
    dt_table_look_finish(&look);
    return status;
}

static dt_status print_arrays(const dt_foreign *f, const char *path) {
    dt_survey *survey;
    char name[200];
    DT_TRY(dt_foreign_survey(f, &survey));
    dt_log_info("%s: as a dataset", dt_escape_name(name, sizeof name, path));
    for (int32_t i = 0; i < survey->count; i++) {
        char shape[96];
        dt_shape_text(&survey->sets[i].shape, shape);
        dt_log_info("  %-40s %-8s %s", dt_escape_name(name, sizeof name, survey->sets[i].path),
                    dt_dtype_name(survey->sets[i].dtype), shape);
    }
    dt_inspect_survey(survey);
    dt_free(survey);
    return dt_ok();
}

dt_status dt_inspect_foreign(const char *path) {
    dt_foreign f;
    char command[4096], shown[4096], name[200];
    bool table = strcmp(dt_foreign_importer(path)->name, "csv") == 0;
    if (table) DT_TRY(print_table(path));
    DT_TRY(dt_foreign_open(&f, path, "", ""));
    if (!table) DT_TRY(print_arrays(&f, path));
    dt_foreign_command(&f, command, sizeof command);
    dt_log_info("  %s", dt_escape_name(shown, sizeof shown, command));
    dt_log_info("  makes a dataset of it; dtrain init %s writes a recipe for that",
                dt_escape_name(name, sizeof name, path));
    return dt_ok();
}
