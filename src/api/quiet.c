/* What the rooms below have to say, in a library: it is printed nowhere. Warnings are kept for whoever opened the
 * model; this file stands in for base/log.c. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/headway.h"
#include "base/log.h"
#include "base/memory.h"
#include "handles.h"

static _Thread_local char **collected;

void dt_quiet_collect(char **text) {
    collected = text;
}

/* Adds a line; without memory it is lost. */
static void collect(const char *line) {
    const char *before = *collected ? *collected : "";
    size_t room = strlen(before) + strlen(line) + 2;
    char *grown = dt_alloc(room, 1);
    if (!grown) return;
    snprintf(grown, room, "%s%s\n", before, line);
    dt_free(*collected);
    *collected = grown;
}

void dt_log_warn(const char *format, ...) {
    if (!collected) return;
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    collect(line);
}

void dt_headway_begin(dt_headway *headway, const char *unit, int64_t total, const char *what, ...) {
    (void)unit, (void)what;
    headway->total = total;
}

void dt_headway_at(dt_headway *headway, int64_t done) {
    (void)headway, (void)done;
}

void dt_headway_end(dt_headway *headway) {
    (void)headway;
}

void dt_log_setup(dt_log_level level, int speaker) {
    (void)level, (void)speaker;
}
dt_log_level dt_log_threshold(void) {
    return DT_LOG_QUIET;
}
void dt_log_info(const char *format, ...) {
    (void)format;
}
void dt_log_debug(const char *format, ...) {
    (void)format;
}
void dt_log_error(const char *format, ...) {
    (void)format;
}
bool dt_log_finish(void) {
    return true;
}
