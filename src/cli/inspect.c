/* dtrain inspect: what is in a file. Works on any HDF5 file, and says more of ours; of a run directory, shows its
 * newest checkpoint. The file is read by a child (guard.h), which sends the lines; names and texts in it are escaped.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/escape.h"
#include "base/file.h"
#include "base/guard.h"
#include "base/log.h"
#include "base/memory.h"
#include "cli.h"
#include "data/foreign.h"
#include "inspect_data.h"
#include "store/checkpoint.h"
#include "store/h5.h"

const char dt_usage_inspect[] =
    "usage: dtrain inspect FILE|RUN\n"
    "\n"
    "The tree of an HDF5 file with shapes, types and attributes; of a checkpoint also its recipe, position and digest "
    "(as\n"
    "stored; dtrain verify recomputes them). A run directory stands for its newest checkpoint. Of data also ranges, "
    "missing\n"
    "values, classes and a few samples; dtrain init writes a recipe for it. Of a table (.csv, .tsv) the columns, of "
    "NumPy's\n"
    "files the arrays, and the command that makes a dataset of it.\n"
    "\n"
    "  printf 'size,kind\\n1,ant\\n2,bee\\n' > t.csv && dtrain import csv t.csv t.h5 --target kind && dtrain inspect "
    "t.h5\n";

/* Walks carry the file and stop at the first failure. */
typedef struct walk {
    dt_h5 *file;
    dt_guard *to;
    const char *object;
    dt_status status;
    int64_t elements, bytes;
    bool skip_hashes;
} walk;

#define MOST_LINE 4096      /* bytes */
#define MOST_TEXT (1 << 20) /* of an attribute: the recipes of our own files are shorter */
#define MOST_NAME 200

static void say(walk *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(walk *w, const char *format, ...) {
    char line[MOST_LINE];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    uint32_t length = (uint32_t)strlen(line);
    dt_status sent = dt_guard_send(w->to, &length, sizeof length);
    if (sent.code == DT_OK) sent = dt_guard_send(w->to, line, length);
    if (w->status.code == DT_OK) w->status = sent;
}

/* A text of several lines, each under its name. */
static void say_lines(walk *w, const char *text) {
    const char *stop = text + strnlen(text, MOST_TEXT);
    for (const char *line = text; line < stop;) {
        char shown[MOST_LINE - 8];
        const char *end = memchr(line, '\n', (size_t)(stop - line));
        size_t length = (size_t)((end ? end : stop) - line);
        bool cut = dt_escape(shown, sizeof shown - 8, line, length, false) >= sizeof shown - 8;
        say(w, "    %s%s", shown, cut ? " [...]" : "");
        line = end ? end + 1 : stop;
    }
    if (*stop) say(w, "    [... %zu bytes in all]", strlen(text));
}

static bool print_attribute(void *context, const char *name, char kind) {
    walk *w = context;
    (void)kind;
    if (w->skip_hashes && (strcmp(name, "hash") == 0 || strcmp(name, "order") == 0)) return true;
    char *text, title[MOST_NAME], shown[MOST_LINE - MOST_NAME - 32];
    w->status = dt_h5_attribute_text(w->file, w->object, name, &text);
    if (w->status.code != DT_OK) return false;
    dt_escape_name(title, sizeof title, name);
    if (strchr(text, '\n') || strlen(text) >= sizeof shown / 4) {
        say(w, "  %s:", title);
        say_lines(w, text);
    } else {
        dt_escape(shown, sizeof shown, text, strlen(text), false);
        say(w, "%s%s: %s", strcmp(w->object, "/") == 0 ? "  " : "      ", title, shown);
    }
    dt_free(text);
    return w->status.code == DT_OK;
}

static bool print_field(void *context, const char *name, dt_h5_form form, const char *format) {
    char shown[MOST_NAME];
    (void)form;
    say(context, "      %-36s %s", dt_escape_name(shown, sizeof shown, name), format);
    return ((walk *)context)->status.code == DT_OK;
}

/* Whether it was one that has no numbers of its own. */
static bool print_strings(walk *w, const char *path) {
    dt_h5_form form;
    dt_shape dims;
    char name[MOST_NAME], shape[96];
    if (dt_h5_form_of(w->file, path, &form, &dims).code != DT_OK) return false;
    if (form != DT_H5_STRINGS && form != DT_H5_COMPOUND) return false;
    dt_shape_text(&dims, shape);
    say(w, "  %-40s %-8s %s", dt_escape_name(name, sizeof name, path), form == DT_H5_STRINGS ? "text" : "compound",
        shape);
    if (w->status.code == DT_OK) dt_h5_fields(w->file, path, print_field, w);
    w->elements += dt_shape_count(&dims);
    return true;
}

/* Of a checkpoint's chain of digests: links, step and digest of the newest, its value. */
static void print_chain(walk *w, const char *path, const dt_h5_info *info) {
    uint64_t chain[4];
    if (strcmp(path, "/state/chain") != 0 || info->dtype != DT_U64 || dt_shape_count(&info->shape) != 4) return;
    if (dt_h5_read_rows(w->file, path, DT_U64, 0, 4, chain).code != DT_OK || chain[0] == 0) return;
    say(w, "      %llu link%s; the newest, of step %llu, is %016llx, of the digest %016llx",
        (unsigned long long)chain[0], chain[0] == 1 ? "" : "s", (unsigned long long)chain[1],
        (unsigned long long)chain[3], (unsigned long long)chain[2]);
}

static void print_dataset(walk *w, const char *path) {
    if (print_strings(w, path)) return;
    dt_h5_info info;
    dt_status status = dt_h5_describe(w->file, path, &info);
    char name[MOST_NAME], shape[96];
    dt_escape_name(name, sizeof name, path);
    if (status.code != DT_OK) {
        say(w, "  %-40s %s", name, status.message);
        return;
    }
    dt_shape_text(&info.shape, shape);
    int64_t count = dt_shape_count(&info.shape);
    say(w, "  %-40s %-8s %s%s", name, dt_dtype_name(info.dtype), shape,
        info.contiguous ? "" : "  chunked or compressed");
    print_chain(w, path, &info);
    w->elements += count;
    w->bytes += count * (int64_t)dt_dtype_size(info.dtype);
}

/* What says that it is a text, as the recipe of a checkpoint. */
static void print_text(walk *w, const char *path) {
    char *text;
    dt_status status = dt_h5_read_text(w->file, path, MOST_TEXT, &text);
    if (status.code == DT_OK)
        say_lines(w, text);
    else
        say(w, "    %s", status.message);
    dt_free(text);
}

static bool print_object(void *context, const char *path, char kind) {
    walk *w = context;
    w->object = path;
    if (kind == 'd') print_dataset(w, path);
    bool text = kind == 'd' && dt_h5_has_attribute(w->file, path, "encoding");
    if (text) print_text(w, path);
    dt_status walked = text ? dt_ok() : dt_h5_walk_attributes(w->file, path, print_attribute, w);
    if (w->status.code == DT_OK) w->status = walked;
    return w->status.code == DT_OK;
}

static dt_status inspect_open(walk *w, const char *path) {
    char name[MOST_LINE];
    dt_escape_name(name, sizeof name, path);
    say(w, "%s", name);
    w->object = "/";
    w->skip_hashes = true;
    dt_status status = dt_h5_walk_attributes(w->file, "/", print_attribute, w);
    if (status.code == DT_OK) status = w->status;
    if (status.code == DT_OK) status = dt_h5_walk(w->file, print_object, w);
    if (status.code == DT_OK) status = w->status;
    if (status.code == DT_OK) say(w, "  %lld elements, %lld bytes", (long long)w->elements, (long long)w->bytes);
    return status.code == DT_OK ? w->status : status;
}

/* In the child. */
static dt_status send_lines(void *context, dt_h5 *file, dt_guard *to) {
    walk w = {.to = to, .file = file};
    DT_TRY(inspect_open(&w, context));
    say(&w, "%s", ""); /* no line of ours is empty: the end */
    return dt_ok();
}

static dt_status take_lines(void *context, dt_guard *from) {
    (void)context;
    char line[MOST_LINE];
    for (;;) {
        uint32_t length = 0;
        DT_TRY(dt_guard_take(from, &length, sizeof length));
        if (length == 0) return dt_ok();
        if (length >= sizeof line) length = sizeof line - 1;
        DT_TRY(dt_guard_take(from, line, length));
        line[length] = '\0';
        dt_log_info("%s", line);
    }
}

static dt_status inspect_file(const char *path) {
    char name[4096];
    snprintf(name, sizeof name, "%s", path);
    return dt_h5_run(&(dt_h5_job){.path = name, .work = send_lines, .take = take_lines, .context = name});
}

static dt_status inspect_run(const char *run) {
    char directory[4096];
    DT_TRY(dt_path_join(directory, run, "checkpoints"));
    char(*paths)[4096];
    int count;
    DT_TRY(dt_checkpoint_list(directory, &paths, &count));
    dt_status status = count > 0 ? inspect_file(paths[0]) : dt_fail(DT_ERR_INPUT, "%s: no checkpoints here", run);
    dt_free(paths);
    return status;
}

/* The tree, and of data what it is like. */
static dt_status inspect_any(const char *path) {
    if (dt_foreign_importer(path)) return dt_inspect_foreign(path);
    DT_TRY(inspect_file(path));
    return dt_inspect_data(path);
}

int dt_cli_inspect(dt_comm *comm, int argc, char **argv) {
    dt_status status;
    struct stat info;
    if (argc != 2 || argv[1][0] == '-')
        status = dt_fail(DT_ERR_USAGE, "inspect needs one file or run directory (see dtrain inspect --help)");
    else if (stat(argv[1], &info) == 0 && S_ISDIR(info.st_mode))
        status = inspect_run(argv[1]);
    else
        status = inspect_any(argv[1]);
    return dt_cli_report(comm, &status);
}
