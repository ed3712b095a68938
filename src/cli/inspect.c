/* dtrain inspect: what is in a file. Works on any HDF5 file, and says more of ours; of a run directory, shows its
 * newest checkpoint. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "dtrain/checkpoint.h"
#include "dtrain/h5.h"
#include "dtrain/log.h"
#include "dtrain/memory.h"
#include "dtrain/rundir.h"

const char dt_usage_inspect[] =
    "usage: dtrain inspect FILE|RUN\n"
    "\n"
    "The tree of an HDF5 file with shapes, types and attributes; of a checkpoint also its recipe, position and digest "
    "(as\n"
    "stored; dtrain verify recomputes them). A run directory stands for its newest checkpoint.\n";

/* Walks carry the file and stop at the first failure. */
typedef struct walk {
    dt_h5 *file;
    const char *object;
    dt_status status;
    int64_t elements, bytes;
    bool skip_hashes;
} walk;

static bool print_attribute(void *context, const char *name, char kind) {
    walk *w = context;
    (void)kind;
    if (w->skip_hashes && (strcmp(name, "hash") == 0 || strcmp(name, "order") == 0)) return true;
    char *text;
    w->status = dt_h5_attribute_text(w->file, w->object, name, &text);
    if (w->status.code != DT_OK) return false;
    if (strchr(text, '\n')) {
        dt_log_info("  %s:", name);
        for (char *line = text, *end; *line; line = end) {
            end = strchr(line, '\n');
            int length = end ? (int)(end - line) : (int)strlen(line);
            dt_log_info("    %.*s", length, line);
            end = end ? end + 1 : line + length;
        }
    } else {
        dt_log_info(strcmp(w->object, "/") == 0 ? "  %s: %s" : "      %s: %s", name, text);
    }
    dt_free(text);
    return true;
}

static bool print_object(void *context, const char *path, char kind) {
    walk *w = context;
    w->object = path;
    if (kind == 'd') {
        dt_h5_info info;
        dt_status status = dt_h5_describe(w->file, path, &info);
        char shape[96];
        if (status.code == DT_OK) {
            dt_shape_text(&info.shape, shape);
            int64_t count = dt_shape_count(&info.shape);
            dt_log_info("  %-40s %-8s %s%s", path, dt_dtype_name(info.dtype), shape,
                        info.contiguous ? "" : "  chunked or compressed");
            w->elements += count;
            w->bytes += count * (int64_t)dt_dtype_size(info.dtype);
        } else {
            dt_log_info("  %-40s %s", path, status.message);
        }
    }
    w->status = dt_h5_walk_attributes(w->file, path, print_attribute, w);
    return w->status.code == DT_OK;
}

static dt_status inspect_file(const char *path) {
    walk w;
    memset(&w, 0, sizeof w);
    DT_TRY(dt_h5_open(&w.file, path));
    dt_log_info("%s", path);
    w.object = "/";
    w.skip_hashes = true;
    dt_status status = dt_h5_walk_attributes(w.file, "/", print_attribute, &w);
    if (status.code == DT_OK) status = w.status;
    if (status.code == DT_OK) status = dt_h5_walk(w.file, print_object, &w);
    if (status.code == DT_OK) status = w.status;
    if (status.code == DT_OK) dt_log_info("  %lld elements, %lld bytes", (long long)w.elements, (long long)w.bytes);
    dt_h5_close(&w.file);
    return status;
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

int dt_cli_inspect(dt_comm *comm, int argc, char **argv) {
    dt_status status;
    struct stat info;
    if (argc != 2 || argv[1][0] == '-')
        status = dt_fail(DT_ERR_USAGE, "inspect needs one file or run directory (see dtrain inspect --help)");
    else if (stat(argv[1], &info) == 0 && S_ISDIR(info.st_mode))
        status = inspect_run(argv[1]);
    else
        status = inspect_file(argv[1]);
    return dt_cli_report(comm, &status);
}
