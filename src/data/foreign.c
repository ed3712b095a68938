#include "data/foreign.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/append.h"
#include "base/file.h"
#include "base/log.h"
#include "table_look.h"

/* ---- which ---- */

const dt_importer *dt_foreign_importer(const char *path) {
    static const char *const tables[] = {".csv", ".tsv", ".tab"};
    unsigned char begin[8] = {0};
    int fd;
    const char *dot = strrchr(path, '.');
    if (dt_file_open(path, &fd, NULL).code != DT_OK) return NULL;
    bool read = pread(fd, begin, sizeof begin, 0) == (ssize_t)sizeof begin;
    close(fd);
    if (read && memcmp(begin, "\x93NUMPY", 6) == 0) return dt_importer_find("npy");
    if (read && memcmp(begin, "PK\x03\x04", 4) == 0) return dt_importer_find("npz");
    if (read && memcmp(begin, "\x89HDF\r\n\x1a\n", 8) == 0) return NULL;
    for (size_t i = 0; dot && i < sizeof tables / sizeof *tables; i++)
        if (strcasecmp(dot, tables[i]) == 0) return dt_importer_find("csv");
    return NULL;
}

/* A name in a command that is told in one line. */
static dt_status check_line(const char *path, const char *name) {
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return dt_fail(DT_ERR_INPUT,
                           "%s: a name has an end of a line or another character that no command shows; "
                           "dtrain import makes a dataset of it, and dtrain init a recipe for that",
                           path);
    return dt_ok();
}

static void give(dt_foreign *f, const char *name, const char *value) {
    int at = f->import.option_count++;
    snprintf(f->texts[at], sizeof f->texts[at], "%s", value);
    f->options[at] = (dt_option){name, f->texts[at]};
}

/* A list of columns is a record of a table, in which a name with a delimiter is quoted. */
static void append_column(char *list, size_t size, const char *name) {
    bool plain = !strpbrk(name, ",\"*?[\\");
    dt_append(list, size, "%s%s", *list ? "," : "", plain ? "" : "\"");
    for (const char *c = name; *c; c++) dt_append(list, size, *c == '"' ? "\"\"" : "%c", *c);
    dt_append(list, size, "%s", plain ? "" : "\"");
}

/* Columns that an import refuses whatever is in the others: of dates, or of nothing. */
static void drop_columns(dt_foreign *f, const dt_table_look *look, size_t target) {
    char list[sizeof *f->texts] = "";
    for (size_t i = 0; i < look->count; i++) {
        const dt_table_column *c = &look->columns[i];
        if (i != target && c->numbers + c->others == 0) append_column(list, sizeof list, c->name);
    }
    if (*list) give(f, "drop", list);
}

static void give_table(dt_foreign *f, const dt_table_look *look, const char *x, const char *y) {
    char target[sizeof *f->texts] = "", delimiter[2] = {look->delimiter, '\0'};
    append_column(target, sizeof target, look->columns[dt_table_look_target(look)].name);
    give(f, "target", *y ? y : target);
    if (*x) give(f, "columns", x);
    if (!*x && !*y) drop_columns(f, look, dt_table_look_target(look));
    if (look->delimiter != ',') give(f, "delimiter", look->delimiter == '\t' ? "tab" : delimiter);
    if (look->decimal == ',') give(f, "decimal", "comma");
    if (!look->header) give(f, "header", "no");
}

static dt_status open_table(dt_foreign *f, const char *x, const char *y) {
    dt_table_look look;
    dt_status status = dt_table_look_open(&look, f->sources[0]);
    if (status.code == DT_OK) give_table(f, &look, x, y);
    dt_table_look_finish(&look);
    return status;
}

/* An archive's arrays are found by name; a file has one, and its labels are in another. */
static dt_status open_arrays(dt_foreign *f, const char *x, const char *y) {
    bool archive = strcmp(f->importer->name, "npz") == 0;
    if (!archive && *x) return dt_fail(DT_ERR_USAGE, "--x goes with archives and HDF5; %s is one array", f->sources[0]);
    if (archive && *x) give(f, "x", x);
    if (archive && *y) give(f, "y", y);
    if (!archive && *y) f->sources[f->import.source_count++] = y;
    return dt_ok();
}

dt_status dt_foreign_open(dt_foreign *out, const char *path, const char *x, const char *y) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    size_t length = dot && dot > name ? (size_t)(dot - name) : strlen(name);
    memset(out, 0, sizeof *out);
    out->importer = dt_foreign_importer(path);
    out->sources[0] = path;
    out->import = (dt_import){.source_count = 1, .sources = out->sources, .options = out->options};
    if (snprintf(out->destination, sizeof out->destination, "%.*s.h5", (int)length, name) >=
        (int)sizeof out->destination)
        return dt_fail(DT_ERR_INPUT, "%.60s…: the name is too long", name);
    DT_TRY(strcmp(out->importer->name, "csv") == 0 ? open_table(out, x, y) : open_arrays(out, x, y));
    for (int i = 0; i < out->import.option_count; i++) DT_TRY(check_line(path, out->texts[i]));
    for (int i = 0; i < out->import.source_count; i++) DT_TRY(check_line("the file", out->sources[i]));
    return dt_ok();
}

/* ---- the command ---- */

static void append_word(char *out, size_t size, const char *word) {
    if (*word && !word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./,+-=:@%")]) {
        dt_append(out, size, " %s", word);
        return;
    }
    dt_append(out, size, " '");
    for (const char *c = word; *c; c++) dt_append(out, size, *c == '\'' ? "'\\''" : "%c", *c);
    dt_append(out, size, "'");
}

void dt_foreign_command(const dt_foreign *f, char *out, size_t size) {
    snprintf(out, size, "dtrain import %s", f->importer->name);
    for (int i = 0; i < f->import.source_count; i++) append_word(out, size, f->sources[i]);
    append_word(out, size, f->destination);
    for (int i = 0; i < f->import.option_count; i++) {
        dt_append(out, size, " --%s", f->options[i].name);
        append_word(out, size, f->options[i].value);
    }
}

/* ---- what would come of it ---- */

static dt_status import_and_look(const dt_foreign *f, const char *path, dt_survey **out) {
    dt_log_level before = dt_log_threshold();
    dt_import import = f->import;
    import.sources = f->sources;
    import.options = f->options;
    import.destination = path;
    dt_log_setup(DT_LOG_WARN, 1);
    dt_status status = dt_import_run(f->importer, &import);
    dt_log_setup(before, 1);
    return status.code == DT_OK ? dt_survey_open(out, path, NULL) : status;
}

dt_status dt_foreign_survey(const dt_foreign *f, dt_survey **out) {
    const char *temporary = getenv("TMPDIR");
    char folder[4000], path[4096];
    *out = NULL;
    if (snprintf(folder, sizeof folder, "%s/dtrain.XXXXXX", temporary && *temporary ? temporary : "/tmp") >=
            (int)sizeof folder ||
        !mkdtemp(folder))
        return dt_fail(DT_ERR_IO, "%s: cannot be made: %s", folder, strerror(errno));
    snprintf(path, sizeof path, "%s/data.h5", folder);
    dt_status status = import_and_look(f, path, out);
    unlink(path);
    rmdir(folder);
    return status;
}
