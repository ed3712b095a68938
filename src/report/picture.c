/* The picture is made of blocks of lines: who and where, figures, the curve, where the time goes, who is late,
 * checkpoints, warnings. The curve has the height that the others leave. Text is cut to the width by what it is on the
 * screen. */
#include "picture.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/append.h"
#include "base/escape.h"
#include "canvas.h"

#define LINE 2048
#define LABEL 10 /* columns beside the curve */
#define LEAST_CURVE 3
#define MOST_ONE_SHOT_WARNINGS 5
#define LEAST_WIDTH 20
#define LOOP_PHASES 4 /* of the training loop; others are shown when they count */

typedef struct page {
    const dt_watch *watch;
    const dt_picture *how;
    FILE *to;
    int lines;
} page;

/* ---- lines ---- */

/* Columns a character takes: none, one, or two of those that are as wide as they are high. */
static int columns_of(uint32_t point) {
    if (point >= 0x300 && point < 0x370) return 0;
    bool wide = (point >= 0x1100 && point < 0x1160) || (point >= 0x2e80 && point < 0xa4d0) ||
                (point >= 0xac00 && point < 0xd7a4) || (point >= 0xf900 && point < 0xfb00) ||
                (point >= 0xfe30 && point < 0xfe70) || (point >= 0xff00 && point < 0xff61) || point >= 0x1f000;
    return wide ? 2 : 1;
}

/* As much of the text as `width` columns hold; in ASCII what is none is a question mark. */
static void put_cut(const page *p, const char *text, int width) {
    const uint8_t *at = (const uint8_t *)text;
    size_t left = strlen(text);
    while (left > 0) {
        uint32_t point;
        int length = dt_utf8_take(at, left, &point);
        if (length <= 0) return;
        int columns = p->how->utf8 ? columns_of(point) : 1;
        if ((width -= columns) < 0) return;
        if (p->how->utf8 || point < 0x80)
            fwrite(at, 1, (size_t)length, p->to);
        else
            fputc('?', p->to);
        at += length;
        left -= (size_t)length;
    }
}

/* A line, while there is room for one. `style` is a number of SGR: 1 bold, 2 dim, 0 none. */
static void line(page *p, int style, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void line(page *p, int style, const char *format, ...) {
    if (p->lines >= p->how->height) return;
    char text[LINE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    bool styled = p->how->styled && style > 0;
    if (styled) fprintf(p->to, "\033[%dm", style);
    put_cut(p, text, p->how->width);
    if (styled) fputs("\033[0m", p->to);
    fputc('\n', p->to);
    p->lines++;
}

/* ---- numbers ---- */

static const char *duration(double seconds, char out[32]) {
    bool known = seconds >= 0 && seconds < 1e9;
    long s = known ? lround(seconds) : 0;
    if (!known)
        snprintf(out, 32, "?");
    else if (s >= 86400)
        snprintf(out, 32, "%ldd %ld:%02ld:%02ld", s / 86400, s / 3600 % 24, s / 60 % 60, s % 60);
    else if (s >= 3600)
        snprintf(out, 32, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, 32, "%ld:%02ld", s / 60, s % 60);
    return out;
}

/* Behind what is there: two spaces, the name, the number in `digits` significant ones, or with so many decimals where
 * `digits` is negative or 0; nothing where there is none. */
static void figure(char *text, const char *name, int digits, double value) {
    if (!isfinite(value)) return;
    dt_append(text, LINE, "%s%s ", *text ? "  " : "", name);
    if (digits > 0)
        dt_append(text, LINE, "%.*g", digits, value);
    else
        dt_append(text, LINE, "%.*f", -digits, value);
}

/* ---- who and where ---- */

static void put_state(page *p) {
    const dt_watch *w = p->watch;
    char text[LINE] = "", silent[32];
    duration(w->silent, silent);
    switch (w->state) {
    case DT_WATCH_RUNNING: dt_append(text, sizeof text, "running on %s since %s", w->host, w->since); break;
    case DT_WATCH_HELD: dt_append(text, sizeof text, "held by %s since %s", w->host, w->since); break;
    case DT_WATCH_SILENT:
        dt_append(text, sizeof text, "its job on %s is gone, without an end (no sign of life for %s)", w->host, silent);
        break;
    case DT_WATCH_IDLE:
        if (strcmp(w->outcome, "done") == 0)
            dt_append(text, sizeof text, "done");
        else
            dt_append(text, sizeof text, "%s", *w->outcome ? w->outcome : "nobody is at it");
        if (*w->ended) dt_append(text, sizeof text, " (%s)", w->ended);
    }
    if (isfinite(w->ranks) && w->state != DT_WATCH_IDLE) dt_append(text, sizeof text, ", %.0f ranks", w->ranks);
    if (w->starts > 1) dt_append(text, sizeof text, ", start %lld", (long long)w->starts);
    if (*w->digest && w->state == DT_WATCH_IDLE) dt_append(text, sizeof text, ", digest %s", w->digest);
    line(p, 1, "%s  %s", w->directory, text);
}

/* ---- how far ---- */

static void put_bar(char *text, double share, int width) {
    int full = (int)lround(share * width);
    dt_append(text, LINE, "[");
    for (int i = 0; i < width; i++) dt_append(text, LINE, "%c", i < full ? '#' : '-');
    dt_append(text, LINE, "]");
}

static void put_position(page *p) {
    const dt_watch *w = p->watch;
    char text[LINE] = "", time[32];
    if (!isfinite(w->step)) {
        line(p, 0, "no rows of metrics yet");
        return;
    }
    double share = w->step / w->total_steps;
    bool known = share >= 0 && share <= 1, over = w->state == DT_WATCH_IDLE;
    dt_append(text, sizeof text, "step %.0f", w->step);
    if (known) dt_append(text, sizeof text, "/%.0f", w->total_steps);
    if (isfinite(w->epoch)) dt_append(text, sizeof text, "  epoch %.2f", w->epoch);
    if (known) {
        dt_append(text, sizeof text, "  %.0f %% ", 100 * share);
        put_bar(text, share, p->how->width >= 100 ? 24 : 10);
    }
    if (known && !over && isfinite(w->steps_per_s))
        dt_append(text, sizeof text, "  %s left", duration(dt_watch_seconds_left(w), time));
    if (!over && w->row_age > 120) dt_append(text, sizeof text, "  (no news for %s)", duration(w->row_age, time));
    line(p, 0, "%s", text);
}

static void put_figures(page *p) {
    const dt_watch *w = p->watch;
    char text[LINE] = "", name[64];
    figure(text, "loss", 5, w->loss);
    snprintf(name, sizeof name, "%s_loss", w->judged_by);
    figure(text, name, 5, w->test_loss);
    snprintf(name, sizeof name, "%s_accuracy", w->judged_by);
    figure(text, name, -4, w->test_accuracy);
    figure(text, "best", 5, w->best_loss);
    if (isfinite(w->best_step)) dt_append(text, sizeof text, " at step %.0f", w->best_step);
    if (*text) line(p, 0, "%s", text);
    text[0] = '\0';
    if (isfinite(w->tokens_per_s))
        figure(text, "tokens/s", 0, w->tokens_per_s);
    else
        figure(text, "samples/s", 0, w->samples_per_s);
    figure(text, "steps/s", 4, w->steps_per_s);
    figure(text, "lr", 3, w->learning_rate);
    figure(text, "grad_norm", 3, w->grad_norm);
    figure(text, "skipped", 0, w->skipped > 0 ? w->skipped : (double)NAN);
    figure(text, "audits", 0, w->audits > 0 ? w->audits : (double)NAN);
    if (*text) line(p, 0, "%s", text);
}

/* Of runs that have them: the newest link of the chain, the last round, what privacy was spent. */
static void put_joint(page *p) {
    const dt_joint *j = &p->watch->joint;
    char text[LINE] = "";
    if (j->rounds > 0) {
        dt_append(text, sizeof text, "round %.0f  %.0f of %.0f sites", j->round, j->took_part, j->sites);
        figure(text, "loss of a site", 4, j->loss.least);
        if (j->loss.least < j->loss.most) dt_append(text, sizeof text, " to %.4g", j->loss.most);
        figure(text, "MB sent", 4, j->bytes / 1e6);
    }
    figure(text, "epsilon", 5, j->epsilon);
    if (*text) line(p, 0, "%s", text);
    if (j->incomplete > 0)
        line(p, 0, "left out  somebody in %lld of %lld rounds, the last %.0f", (long long)j->incomplete,
             (long long)j->rounds, j->last_incomplete);
    if (j->links > 0)
        line(p, 0, "chain  link %lld, step %.0f: %016llx", (long long)j->links, j->link_step,
             (unsigned long long)j->link);
}

/* Whom a site waits for, and what was computed again: by other ranks while it trains, or afterwards. */
static void put_checks(page *p) {
    const dt_watch *w = p->watch;
    char last[80] = "all digests agree";
    if (*w->waits) line(p, 0, "waits  %s", w->waits);
    if (w->audit_share > 0)
        line(p, 0, "audits  %.3g %% of the steps are computed by two ranks, and compared", 100 * w->audit_share);
    if (w->audited == 0) return;
    if (strcmp(w->audited_last, "differs") == 0)
        snprintf(last, sizeof last, "digests differ, steps %.0f to %.0f", w->audited_from, w->audited_to);
    else if (strcmp(w->audited_last, "agrees") != 0)
        snprintf(last, sizeof last, "files contradict, step %.0f", w->audited_to);
    line(p, w->audited_bad > 0, "audited  %lld times, %lld found something; last: %s", (long long)w->audited,
         (long long)w->audited_bad, last);
}

/* ---- the curve ---- */

typedef struct curve {
    dt_canvas *canvas;
    double first, last, low, high; /* of steps, and of what is drawn */
    bool logarithm;
    int x, y; /* of the last point; x -1: there is none */
} curve;

static double height_of(const curve *c, double loss) {
    return c->logarithm ? log10(loss) : loss;
}

static void take_range(void *context, const double *row) {
    curve *c = context;
    if (!isfinite(row[1])) return;
    if (!(c->first <= row[0])) c->first = row[0];
    if (!(c->last >= row[0])) c->last = row[0];
    if (!(c->low <= row[1])) c->low = row[1];
    if (!(c->high >= row[1])) c->high = row[1];
}

static int scaled(double value, double from, double to, int most) {
    double share = to > from ? (value - from) / (to - from) : 0.5;
    return (int)lround(share * (most - 1));
}

static void take_point(void *context, const double *row) {
    curve *c = context;
    if (!isfinite(row[1])) return;
    int x = scaled(row[0], c->first, c->last, dt_canvas_columns(c->canvas));
    int y = dt_canvas_rows(c->canvas) - 1 -
            scaled(height_of(c, row[1]), height_of(c, c->low), height_of(c, c->high), dt_canvas_rows(c->canvas));
    dt_canvas_line(c->canvas, c->x < 0 ? x : c->x, c->x < 0 ? y : c->y, x, y);
    c->x = x;
    c->y = y;
}

/* The loss of the intervals, or, with fewer than two of them, nothing. Above a range of 20 its axis is logarithmic. */
static void put_curve(page *p, int height) {
    dt_canvas canvas;
    curve c = {&canvas, (double)NAN, (double)NAN, (double)NAN, (double)NAN, false, -1, 0};
    if (p->how->width <= LABEL + 4 || height < LEAST_CURVE) return;
    dt_thin_each(p->watch->losses, take_range, &c);
    if (!(c.last > c.first)) return;
    c.logarithm = c.low > 0 && c.high / c.low > 20;
    dt_canvas_clear(&canvas, p->how->width - LABEL, height - 1, p->how->utf8);
    dt_thin_each(p->watch->losses, take_point, &c);
    for (int row = 0; row < canvas.height && p->lines < p->how->height; row++, p->lines++) {
        char label[32] = "";
        if (row == 0) snprintf(label, sizeof label, "%.4g", c.high);
        if (row == canvas.height - 1) snprintf(label, sizeof label, "%.4g", c.low);
        if (row == canvas.height / 2) snprintf(label, sizeof label, c.logarithm ? "log loss" : "loss");
        fprintf(p->to, "%*.*s ", LABEL - 1, LABEL - 1, label);
        dt_canvas_print(&canvas, row, p->to);
        fputc('\n', p->to);
    }
    char left[32], right[32];
    snprintf(left, sizeof left, "step %.0f", c.first);
    snprintf(right, sizeof right, "%.0f", c.last);
    int gap = canvas.width - (int)strlen(left);
    line(p, 2, "%*s%s%*s", LABEL, "", left, gap > 0 ? gap : 0, right);
}

/* ---- where the time goes, and who is late ---- */

static void put_phases(page *p) {
    const dt_watch *w = p->watch;
    char text[LINE] = "";
    double all = 0;
    for (int i = 0; i < DT_WATCH_PHASES; i++) all += isfinite(w->phases[i]) ? w->phases[i] : 0;
    if (!(all > 0)) return;
    for (int i = 0; i < DT_WATCH_PHASES; i++)
        if (w->phases[i] >= (i < LOOP_PHASES ? 0 : 0.005 * all))
            dt_append(text, sizeof text, "  %s %.0f %%", dt_watch_phases[i], 100 * w->phases[i] / all);
    line(p, 0, "time %s", text);
}

static void put_late(page *p) {
    const dt_watch *w = p->watch;
    char text[LINE] = "";
    for (int i = 0; i < w->late_count; i++) {
        char host[256];
        dt_watch_host(w, w->late[i].rank, host);
        dt_append(text, sizeof text, "%s rank %lld%s%s %+.1f %%", i ? "," : "", (long long)w->late[i].rank,
                  *host ? " on " : "", host, 100 * (w->late[i].busy / w->late[i].mean - 1));
    }
    if (*text)
        line(p, 0, "late  %s, of what ranks compute on the average", text);
    else if (w->ranks > 1 && w->compute_least < w->compute_most)
        line(p, 0, "ranks  compute for %.3g to %.3g s of an interval", w->compute_least, w->compute_most);
}

/* ---- checkpoints and warnings ---- */

static void put_checkpoint(page *p) {
    const dt_watch *w = p->watch;
    char text[LINE] = "", age[32];
    if (w->checkpoint_count == 0) {
        line(p, 0, "no checkpoint yet");
        return;
    }
    dt_append(text, sizeof text, "checkpoint step %.0f, %s old", w->checkpoint_step, duration(w->checkpoint_age, age));
    if (isfinite(w->checkpoint_seconds)) dt_append(text, sizeof text, ", written in %.3g s", w->checkpoint_seconds);
    if (w->checkpoint_count > 1) dt_append(text, sizeof text, ", %d are kept", w->checkpoint_count);
    line(p, 0, "%s", text);
}

static int warning_lines(const dt_watch *w, int most) {
    if (w->warning_count == 0) return 0;
    return 1 + (w->warning_count < most ? w->warning_count : most);
}

/* The newest first. */
static void put_warnings(page *p, int most) {
    const dt_watch *w = p->watch;
    if (w->warning_count == 0) return;
    line(p, 1, "%lld warning%s", (long long)w->warnings_in_all, w->warnings_in_all > 1 ? "s" : "");
    for (int i = w->warning_count - 1; i >= 0 && i >= w->warning_count - most; i--) {
        const dt_watch_warning *warning = &w->warnings[i];
        if (warning->count > 1)
            line(p, 0, "  %lld x, last %s: %s", (long long)warning->count, warning->last, warning->text);
        else
            line(p, 0, "  %s: %s", warning->last, warning->text);
    }
}

/* ---- all ---- */

char *dt_picture_of(const dt_watch *watch, const dt_picture *how) {
    char *text = NULL;
    size_t length;
    dt_picture shown = *how;
    if (shown.width < LEAST_WIDTH) shown.width = LEAST_WIDTH;
    page p = {watch, &shown, open_memstream(&text, &length), 0};
    if (!p.to) return NULL;
    const int warnings = how->keys ? (how->height > 20 ? 4 : 1) : MOST_ONE_SHOT_WARNINGS;
    put_state(&p);
    put_position(&p);
    put_figures(&p);
    put_joint(&p);
    put_checks(&p);
    int behind = 3 + warning_lines(watch, warnings) + how->keys; /* phases, late ranks, checkpoint */
    put_curve(&p, how->height - p.lines - behind);
    put_phases(&p);
    put_late(&p);
    put_checkpoint(&p);
    put_warnings(&p, warnings);
    if (how->keys) {
        while (p.lines < how->height - 1) line(&p, 0, "%s", "");
        line(&p, 2, "q leaves; the run goes on");
    }
    bool whole = !ferror(p.to);
    if (fclose(p.to) != 0 || !whole) {
        free(text);
        return NULL;
    }
    return text;
}
