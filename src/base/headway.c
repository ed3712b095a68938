/* The time that is left is that of the part done so far, by rule of three. */
#include "base/headway.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/log.h"

#define LINE_SECONDS 60.0
#define LIVE_SECONDS 1.0
#define LIVE_EVERY 0.2

static double first_line(void) {
    const char *text = getenv("DTRAIN_HEADWAY_SECONDS"); // NOLINT(concurrency-mt-unsafe)
    char *end;
    double seconds = text ? strtod(text, &end) : LINE_SECONDS;
    return seconds >= 0 && seconds < 1e6 && (!text || end > text) ? seconds : LINE_SECONDS;
}

void dt_headway_begin(dt_headway *h, const char *unit, int64_t total, const char *what, ...) {
    char text[sizeof h->what];
    va_list args;
    va_start(args, what);
    vsnprintf(text, sizeof text, what, args);
    va_end(args);
    dt_escape(h->what, sizeof h->what, text, strlen(text), false);
    double first = first_line();
    h->unit = unit;
    h->total = total;
    h->began = dt_clock_now();
    h->next = h->began + (dt_log_has_terminal() && first > LIVE_SECONDS ? LIVE_SECONDS : first);
}

static void say(const dt_headway *h, int64_t done, double spent) {
    char text[512];
    double share = h->total > 0 ? (double)done / (double)h->total : 0;
    if (share > 1) share = 1;
    long left = share > 0 && spent / share < 1e9 ? (long)(spent * (1 - share) / share + 0.5) : 0;
    snprintf(text, sizeof text, "%s: %.0f %% of %lld %s, %ld:%02ld:%02ld left", h->what, 100 * share,
             (long long)h->total, h->unit, left / 3600, left / 60 % 60, left % 60);
    if (dt_log_has_terminal())
        dt_log_live(text);
    else
        dt_log_note("%s", text);
}

void dt_headway_at(dt_headway *h, int64_t done) {
    dt_alive();
    double now = dt_clock_now();
    if (now < h->next || done <= 0) return;
    say(h, done, now - h->began);
    h->next = now + (dt_log_has_terminal() ? LIVE_EVERY : now - h->began);
}

void dt_headway_end(dt_headway *h) {
    (void)h;
    dt_log_live(NULL);
}
