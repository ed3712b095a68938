#include <math.h>
#include <string.h>

#include "html.h"
#include "page.h"

const char *dt_report_state(const dt_view *view) {
    const dt_story *story = &view->story;
    if (view->live) return "running";
    if (story->ended && story->outcome[0] == 'f') return "failed";
    if (story->ended) return story->outcome[0] == 'd' ? "done" : "stopped";
    return story->start_count > 0 ? "broken off" : "recorded";
}

static bool is_share(dt_figure figure) {
    return figure == DT_FIGURE_ACCURACY || figure == DT_FIGURE_TRAIN_ACCURACY || figure == DT_FIGURE_TOP5;
}

void dt_report_figure(FILE *to, dt_figure figure, double value) {
    if (is_share(figure) && isfinite(value))
        fprintf(to, "%.2f\u202f%%", 100 * value);
    else
        dt_html_number(to, value, 4);
}

/* Why an end was one. */
static const char *reason(const dt_story *story) {
    static const char *const reasons[][2] = {
        {"epochs", "all epochs were made"},
        {"steps", "all steps were made"},
        {"rounds", "all rounds were made"},
        {"patience", "no evaluation was better for a while (train.patience)"},
        {"signal", "it was told to stop, and goes on when started again"},
        {"stop_after", "train.stop_after was reached, and it goes on when started again"}};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (strcmp(story->why, reasons[i][0]) == 0) return reasons[i][1];
    return "it ended";
}

static void put_where(FILE *to, const double *best) {
    fputs(" at step ", to);
    dt_html_number(to, best[DT_PLOT_STEP], 6);
    fprintf(to, " (epoch %.4g)", best[DT_PLOT_EPOCH]);
}

static void put_machines(FILE *to, const dt_view *view) {
    const dt_start_told *start = dt_story_start(&view->story);
    if (!start) return;
    fprintf(to, " on %.0f rank%s", start->ranks, start->ranks > 1 ? "s" : "");
    if (start->threads > 1) fprintf(to, " of %.0f threads", start->threads);
    const char *count = strstr(start->hosts, " (");
    bool one = count && !strchr(start->hosts, ',');
    char hosts[sizeof start->hosts];
    snprintf(hosts, sizeof hosts, "%.*s", one ? (int)(count - start->hosts) : (int)sizeof hosts - 1, start->hosts);
    fputs(one ? " of " : " on ", to);
    dt_html_text(to, hosts, false);
}

void dt_report_verdict(FILE *to, const dt_view *view) {
    const dt_figure judge = dt_view_judge(view);
    const double *last = dt_thin_last(view->plots[DT_PLOT_LOSS]);
    if (judge < DT_FIGURE_END) {
        fprintf(to, "Best %s <strong>", dt_view_figure_name(view, judge));
        dt_report_figure(to, judge, view->best[judge][DT_PLOT_FIRST]);
        fputs("</strong>", to);
        put_where(to, view->best[judge]);
    } else if (last) {
        fputs("Training loss <strong>", to);
        dt_html_number(to, last[DT_PLOT_FIRST], 4);
        fputs("</strong>", to);
        put_where(to, last);
    } else {
        fputs("No step has been recorded yet", to);
    }
    const double *at = judge < DT_FIGURE_END ? view->best[judge] : last;
    if (at && view->seconds > 0) {
        fputs(", after ", to);
        dt_html_seconds(to, at[DT_PLOT_SECONDS]);
    }
    put_machines(to, view);
    fputs(". ", to);
    const char *state = dt_report_state(view);
    if (strcmp(state, "running") == 0)
        fputs("The run goes on.", to);
    else if (strcmp(state, "broken off") == 0)
        fputs("The run ended without saying why: it was killed, or its machine was; started again, it goes on from its "
              "newest "
              "checkpoint.",
              to);
    else if (strcmp(state, "failed") == 0) {
        fputs("Failed: ", to);
        dt_html_text(to, view->story.why, false);
    } else if (view->story.ended)
        fprintf(to, "%s: %s.", strcmp(state, "done") == 0 ? "Done" : "Stopped", reason(&view->story));
}
