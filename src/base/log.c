/* The two globals the project allows itself besides the stop flag: how much to say, and whether this rank may. */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/repeats.h"

static dt_log_level threshold = DT_LOG_INFO;
static int speaks = 1;

void dt_log_setup(dt_log_level level, int speaker) {
    threshold = level;
    speaks = speaker;
}

dt_log_level dt_log_threshold(void) {
    return threshold;
}

/* Whether standard output has failed: said once, since it would be said of every line. */
static bool lost;

static void output_failed(int reason) {
    if (!lost) {
        lost = true;
        dt_log_error("standard output cannot be written: %s; lines of it are lost",
                     reason ? strerror(reason) : "a write failed");
    }
    clearerr(stdout);
}

static FILE *live_stream; /* where a live line stands; NULL: there is none */

/* Where live lines go. Asked once: a terminal stays one. */
static FILE *terminal(void) {
    static int known = -1;
    if (known < 0)
        known = dt_process_terminal(STDOUT_FILENO, NULL) ? 1 : dt_process_terminal(STDERR_FILENO, NULL) ? 2 : 0;
    return known == 1 ? stdout : known == 2 ? stderr : NULL;
}

bool dt_log_has_terminal(void) {
    return speaks && threshold >= DT_LOG_INFO && terminal();
}

void dt_log_live(const char *line) {
    FILE *before = live_stream;
    live_stream = line && dt_log_has_terminal() ? terminal() : NULL;
    if (live_stream) {
        int columns;
        dt_process_terminal(fileno(live_stream), &columns);
        fprintf(live_stream, "\r\033[K%.*s", columns > 1 ? columns - 1 : 1000, line);
        fflush(live_stream);
    } else if (before && !line) {
        fputs("\r\033[K", before);
        fflush(before);
    }
}

/* One write a line: lines of several ranks must not interleave. What messages quote of files is escaped (escape.h); our
 * own texts for standard output may have several lines. */
static void write_line(FILE *stream, char *line, size_t length) {
    bool lines = stream == stdout;
    size_t shown = dt_escape(NULL, 0, line, length, lines);
    char brief[512], *escaped = shown > length ? dt_alloc(shown + 2, 1) : NULL;
    if (shown > length) {
        char *to = escaped ? escaped : brief;
        dt_escape(to, escaped ? shown + 1 : sizeof brief - 1, line, length, lines);
        line = to;
        length = strlen(line);
    }
    line[length] = '\n';
    dt_log_live(NULL);
    errno = 0;
    bool written = fwrite(line, 1, length + 1, stream) == length + 1;
    if ((fflush(stream) != 0 || !written) && stream == stdout) output_failed(errno);
    dt_free(escaped);
}

static void emit(FILE *stream, const char *prefix, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
static void print(FILE *stream, const char *prefix, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void hear(const char *warning);

static void emit(FILE *stream, const char *prefix, const char *format, va_list args) {
    char brief[2048], *line = brief;
    size_t room = sizeof brief;
    va_list again;
    va_copy(again, args);
    int used = snprintf(line, room, "%s", prefix);
    int more = vsnprintf(line + used, room - (size_t)used, format, args);
    size_t length = (size_t)used + (more > 0 ? (size_t)more : 0);
    char *whole = length > room - 2 ? dt_alloc(length + 2, 1) : NULL; /* --help-recipe is such a line */
    if (whole) {
        line = whole;
        room = length + 2;
        snprintf(line, room, "%s", prefix);
        vsnprintf(line + used, room - (size_t)used, format, again);
    }
    va_end(again);
    if (length > room - 2) length = room - 2;
    write_line(stream, line, length);
    dt_free(whole);
}

static void print(FILE *stream, const char *prefix, const char *format, ...) {
    va_list args;
    va_start(args, format);
    emit(stream, prefix, format, args);
    va_end(args);
}

void dt_log_info(const char *format, ...) {
    if (!speaks || threshold < DT_LOG_INFO) return;
    va_list args;
    va_start(args, format);
    emit(stdout, "", format, args);
    va_end(args);
}

static _Atomic int64_t warnings;

int64_t dt_log_warning_count(void) {
    return warnings;
}

void dt_log_warn(const char *format, ...) {
    if (threshold < DT_LOG_WARN) return;
    char text[2048];
    int64_t count;
    warnings++;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (dt_repeats_take(text, &count)) {
        if (count > DT_REPEATS_SHOWN)
            print(stderr, "dtrain: warning: ", "%s (%lld such warnings so far)", text, (long long)count);
        else
            print(stderr, "dtrain: warning: ", "%s", text);
    }
    hear(text);
}

static struct {
    pthread_mutex_t lock;
    dt_log_listener listener;
    void *context;
} hearing = {.lock = PTHREAD_MUTEX_INITIALIZER};
static _Thread_local bool listening; /* this warning is the listener's own */

void dt_log_listen(dt_log_listener listener, void *context) {
    pthread_mutex_lock(&hearing.lock);
    hearing.listener = listener;
    hearing.context = context;
    pthread_mutex_unlock(&hearing.lock);
}

static void hear(const char *warning) {
    if (listening) return;
    listening = true;
    pthread_mutex_lock(&hearing.lock);
    if (hearing.listener) hearing.listener(hearing.context, warning);
    pthread_mutex_unlock(&hearing.lock);
    listening = false;
}

void dt_log_debug(const char *format, ...) {
    if (threshold < DT_LOG_DEBUG) return;
    va_list args;
    va_start(args, format);
    emit(stderr, "dtrain: debug: ", format, args);
    va_end(args);
}

void dt_log_note(const char *format, ...) {
    if (!speaks || threshold < DT_LOG_INFO) return;
    va_list args;
    va_start(args, format);
    emit(stderr, "dtrain: ", format, args);
    va_end(args);
}

void dt_log_error(const char *format, ...) {
    va_list args;
    va_start(args, format);
    emit(stderr, "dtrain: ", format, args);
    va_end(args);
}

static void tell_hidden(int64_t count, const char *text) {
    print(stderr, "dtrain: warning: ", "%lld more such warnings were not shown, the last of them: %s", (long long)count,
          text);
}

bool dt_log_finish(void) {
    dt_repeats_tell(tell_hidden);
    errno = 0;
    bool failed = ferror(stdout) != 0;
    if (fflush(stdout) != 0 || failed) output_failed(errno);
    return !lost;
}
