#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "page.h"
#include "view.h"

/* Not synchronised with the disk: the page can be made again, and the training is not to wait. */
static dt_status write_page(const char *path, const dt_view *views, int count) {
    char fresh[4096 + 8];
    int fd;
    snprintf(fresh, sizeof fresh, "%s.tmp", path);
    DT_TRY(dt_file_create(fresh, &fd));
    FILE *to = fdopen(fd, "w");
    if (!to) {
        close(fd);
        unlink(fresh);
        return dt_fail_memory("a report", BUFSIZ);
    }
    dt_report_page(to, views, count);
    errno = 0;
    bool written = fflush(to) == 0 && !ferror(to);
    int reason = errno;
    if (fclose(to) != 0) written = false;
    if (written && rename(fresh, path) == 0) return dt_ok();
    if (written) reason = errno;
    unlink(fresh);
    return dt_fail(DT_ERR_IO, "%s: cannot be written: %s", path, reason ? strerror(reason) : "a write failed");
}

static dt_status open_views(dt_view *views, const char *const *runs, int count) {
    for (int i = 0; i < count; i++) {
        DT_TRY(dt_view_open(&views[i], runs[i]));
        DT_TRY(dt_view_update(&views[i]));
        bool empty = dt_thin_rows(views[i].plots[DT_PLOT_LOSS]) == 0 && views[i].story.start_count == 0;
        if (empty)
            return dt_fail(DT_ERR_INPUT, "%s: has neither metrics nor a journal: nothing was trained there", runs[i]);
    }
    return dt_ok();
}

dt_status dt_report_write(const char *path, const char *const *runs, int count) {
    if (count < 1 || count > DT_REPORT_MOST)
        return dt_fail(DT_ERR_USAGE, "a report is of 1 to %d runs, not %d", DT_REPORT_MOST, count);
    DT_TRY(dt_file_check_target(path));
    dt_view *views = dt_alloc((size_t)count, sizeof *views);
    if (!views) return dt_fail_memory("a report", (size_t)count * sizeof *views);
    dt_status status = open_views(views, runs, count);
    if (status.code == DT_OK) status = write_page(path, views, count);
    for (int i = 0; i < count; i++) dt_view_finish(&views[i]);
    dt_free(views);
    return status;
}

/* ---- of a run that goes on ---- */

struct dt_reporter {
    dt_view view;
    char path[4096];
};

dt_status dt_reporter_open(dt_reporter **out, const char *run) {
    *out = NULL;
    dt_reporter *reporter = dt_alloc(1, sizeof *reporter);
    if (!reporter) return dt_fail_memory("a report", sizeof *reporter);
    dt_status status = dt_path_join(reporter->path, run, "report.html");
    if (status.code == DT_OK) status = dt_file_check_target(reporter->path);
    if (status.code == DT_OK) status = dt_view_open(&reporter->view, run);
    if (status.code == DT_OK)
        *out = reporter;
    else
        dt_reporter_close(reporter);
    return status;
}

dt_status dt_reporter_write(dt_reporter *reporter, bool ended) {
    DT_TRY(dt_view_update(&reporter->view));
    if (ended) reporter->view.live = false;
    return write_page(reporter->path, &reporter->view, 1);
}

void dt_reporter_close(dt_reporter *reporter) {
    if (!reporter) return;
    dt_view_finish(&reporter->view);
    dt_free(reporter);
}
